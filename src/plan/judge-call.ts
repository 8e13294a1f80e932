import type { ActorKind, ClassifiedKind } from '../model/actor.js';
import type { OAuthClient } from '../model/client.js';
import type { Access } from '../model/intention.js';
import type { Mapping, Rule } from '../model/rule.js';
import { admits, type HttpRequestShape } from './access.js';
import { classify } from './actor.js';
import { createOpener, destinationsOfScope } from './openings.js';

/** A call in a test of the mapping, by a service that claims this client. */
export interface JudgedCall {
  readonly client: OAuthClient;
  readonly destination: string;
  /** Undefined: any request. The call is then allowed if any request is. */
  readonly request: HttpRequestShape | undefined;
  /** The client counts as this kind; undefined: as the mapping classifies it. */
  readonly asKind: ActorKind | undefined;
  /** The call carries a valid user's token. */
  readonly hasUser: boolean;
}

/**
 * | what the rule does with the call | outcome |
 * |---|---|
 * | it opens the call | `opens` |
 * | it opens the call, but only with a user's token | `needs-user` |
 * | it opens other requests of the client at the destination | `other-request` |
 * | an expression decides that cannot be judged here | `unclear` |
 * | it opens the destination, but not to the client's actor kind | `limited` |
 * | the destination is not a plain service name | `held` |
 */
type RuleOutcome = 'opens' | 'needs-user' | 'other-request' | 'unclear' | 'limited' | 'held';

/** A rule that opens the destination for a scope of the client. */
export interface RuleVerdict {
  readonly rule: Rule;
  readonly outcome: RuleOutcome;
  readonly scope: string;
  /** The rule opens nothing to a call without a user's token. */
  readonly needsUser: boolean;
  /** What the rule opens; undefined if it is limited or held. */
  readonly access: Access | undefined;
}

export interface CallVerdict {
  readonly isAllowed: boolean;
  /** It is allowed or not by an expression that cannot be judged here. */
  readonly isUnclear: boolean;
  readonly actorKind: ClassifiedKind;
  /** `guards.protected` lists the destination, so no rule opens it. */
  readonly isProtected: boolean;
  /** In the order of the mapping. */
  readonly rules: readonly RuleVerdict[];
}

/**
 * Judges calls by the mapping alone. It assumes that the claim counts, that the client is enabled, and that Consul and the
 * destination can enforce what the rules need.
 */
export function createJudge(mapping: Mapping): (call: JudgedCall) => CallVerdict {
  // The kind is decided before, so that a case can set it.
  const alone = mapping.rules.map((rule) => ({ ...mapping, classify: [], rules: [rule] }));
  const openers = alone.map((each) => ({ mapping: each, open: createOpener(each) }));
  return (call) => {
    const { client, destination, asKind } = call;
    const actorKind = asKind ?? classify(client, mapping);
    const known = withKind(client, actorKind);
    const rules = openers.flatMap(({ mapping: own, open }): readonly RuleVerdict[] => {
      const [rule] = own.rules;
      if (rule === undefined) return [];
      const { openings, held, limited } = open(known);
      const closed = known.grants.filter(
        (grant) =>
          limited.includes(grant.name) &&
          destinationsOfScope(client.provider, grant, own).has(destination.toLowerCase()),
      );
      return [
        ...openings
          .filter((opening) => opening.destination === destination.toLowerCase())
          .map(({ access, scope, user }) => ({
            rule,
            scope,
            access,
            needsUser: user !== undefined,
            outcome: outcomeOf(access, user !== undefined, call),
          })),
        ...closed.map(({ name }) => verdict(rule, name, 'limited')),
        ...held
          .filter((each) => each.destination === destination.toLowerCase())
          .map(({ scope }) => verdict(rule, scope, 'held')),
      ];
    });
    const isProtected = mapping.protectedServices.includes(destination.toLowerCase());
    const isAllowed = !isProtected && rules.some(({ outcome }) => outcome === 'opens');
    const isUnclear = !isProtected && !isAllowed && rules.some(({ outcome }) => outcome === 'unclear');
    return { isAllowed, isUnclear, actorKind, isProtected, rules };
  };
}

function outcomeOf(access: Access, needsUser: boolean, { request, hasUser }: JudgedCall): RuleOutcome {
  const isAdmitted = request === undefined || admits(access, request);
  if (isAdmitted === false) return 'other-request';
  if (needsUser && !hasUser) return 'needs-user';
  return isAdmitted === undefined ? 'unclear' : 'opens';
}

function verdict(rule: Rule, scope: string, outcome: RuleOutcome): RuleVerdict {
  return { rule, scope, outcome, needsUser: false, access: undefined };
}

/** The client as `classify` without a classification of the mapping finds this kind. */
function withKind({ actorKind: _, ...client }: OAuthClient, kind: ClassifiedKind): OAuthClient {
  return kind === 'unknown' ? { ...client, grantTypes: [] } : { ...client, actorKind: kind };
}
