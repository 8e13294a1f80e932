import type { AclPolicy } from '../../model/acl.js';
import type { ClassifiedKind } from '../../model/actor.js';
import type { OAuthClient } from '../../model/client.js';
import { compareText } from '../../model/compare-text.js';
import type { HoldReason } from '../../model/decision.js';
import type { Mapping } from '../../model/rule.js';
import { admitsKind, mayUseScope } from '../../plan/actor.js';
import { toGrantText } from '../../plan/grant-text.js';
import { describe, policyName } from '../../plan/object-names.js';
import type { PatternCompiler } from '../../plan/pattern.js';
import { matchRule } from '../../plan/rule-match.js';
import { RulesFault } from './rules-syntax.js';
import { type AclRules, type GrantedRules, grantRules } from './rules-text.js';

interface HeldRules {
  readonly scope: string;
  readonly reason: Extract<HoldReason, 'InvalidRules' | 'UserTokenUnenforceable' | 'ProtectedDestination'>;
  readonly detail: string;
}

/** The ACL rules that a client's scopes open. */
interface ClientRules {
  /** One per distinct text, sorted by name. */
  readonly policies: readonly AclPolicy[];
  readonly scopes: readonly string[];
  /** The same with their APIs, in the form of `toGrantText`. */
  readonly opensBy: readonly string[];
  readonly held: readonly HeldRules[];
  /** Scopes that a rule names but the client's kind may not use. */
  readonly limited: readonly string[];
}

/** What the mapping's `acl:` rules grant to a client; nothing to a disabled client. */
export function rulesOf(
  client: OAuthClient,
  kind: ClassifiedKind,
  mapping: Mapping,
  compile: PatternCompiler,
  parse: (text: string) => AclRules,
): ClientRules {
  const policies = new Map<string, AclPolicy>();
  const scopes = new Set<string>();
  const opensBy = new Set<string>();
  const limited = new Set<string>();
  const held: HeldRules[] = [];
  for (const grant of client.enabled ? client.grants : []) {
    for (const rule of mapping.rules) {
      const captures = matchRule(rule, client.provider, grant, mapping, compile);
      if (rule.acl === undefined || captures === undefined) continue;
      const scope = grant.name;
      if (!admitsKind(rule.actors, kind) || !mayUseScope(kind, scope, mapping, compile)) {
        limited.add(scope);
        continue;
      }
      if (rule.userRequired) {
        held.push({
          scope,
          reason: 'UserTokenUnenforceable',
          detail:
            'the ACL token of a client belongs to no user, so "user: required" cannot be enforced; give people their ACL rules under groups:',
        });
        continue;
      }
      const granted = fill(rule.acl, captures, mapping, parse);
      if ('reason' in granted) held.push({ scope, ...granted });
      else {
        const policy = toPolicy(mapping.owner, granted.text);
        policies.set(policy.name, policy);
        scopes.add(scope);
        opensBy.add(toGrantText(grant));
      }
    }
  }
  return {
    policies: [...policies.values()].toSorted((a, b) => compareText(a.name, b.name)),
    scopes: [...scopes].toSorted(compareText),
    opensBy: [...opensBy].toSorted(compareText),
    held,
    limited: [...limited].toSorted(compareText),
  };
}

export function toPolicy(owner: string, rules: string): AclPolicy {
  return { name: policyName(owner, rules), description: describe(owner, {}), rules };
}

/** The rules with their captures filled in, or why they grant nothing. */
export function fill(
  text: string,
  captures: Readonly<Record<string, string>>,
  mapping: Pick<Mapping, 'protectedServices'>,
  parse: (text: string) => AclRules,
): GrantedRules | Omit<HeldRules, 'scope'> {
  let rules: AclRules;
  try {
    rules = parse(text);
  } catch (error) {
    if (!(error instanceof RulesFault)) throw error;
    return { reason: 'InvalidRules', detail: `the ACL rules are invalid: ${error.message}` };
  }
  const granted = grantRules(rules, captures);
  if (granted === undefined) {
    return {
      reason: 'InvalidRules',
      detail:
        'the scope does not supply a plain name (a-z, 0-9 and -) for every capture in the ACL rules, or it makes two rules equal; rename the scope, or write the names in the rule',
    };
  }
  const opened = mapping.protectedServices.find((serviceName) =>
    granted.filledServices.some((filled) =>
      filled.isPrefix ? serviceName.startsWith(filled.name) : serviceName === filled.name,
    ),
  );
  if (opened !== undefined)
    return {
      reason: 'ProtectedDestination',
      detail: `guards.protected lists the service ${opened} that the scope asks for, so scopemesh never opens it; remove it from guards.protected, or remove the scope from the client`,
    };
  return granted;
}
