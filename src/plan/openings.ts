import type { ClassifiedKind } from '../model/actor.js';
import type { Grant, OAuthClient } from '../model/client.js';
import type { HoldReason } from '../model/decision.js';
import type { Access, HttpPermission } from '../model/intention.js';
import { toPlainPathRegex } from '../model/plain-path.js';
import type { Mapping, Rule } from '../model/rule.js';
import { canonical } from './access.js';
import { admitsKind, classify, mayUseScope, needsHuman } from './actor.js';
import {
  compilePattern,
  createPatternCompiler,
  isPlainServiceName,
  type PatternCompiler,
  substitute,
} from './pattern.js';
import { matchRule } from './rule-match.js';

/** What one scope of a client opens at one destination. */
export interface Opening {
  readonly destination: string;
  readonly access: Access;
  readonly scope: string;
  /** Whose scope it is; absent where scopes belong to no API. */
  readonly api?: string;
  /** A call must carry a user's token; for an agent, a token that it obtained to act for a person. */
  readonly user?: { readonly actsForHuman: boolean };
}

/** An opening that is held. */
interface HeldOpening {
  readonly destination: string;
  readonly scope: string;
  readonly reason: Extract<HoldReason, 'InvalidServiceName'>;
  readonly detail: string;
}

export interface ClientOpenings {
  readonly actorKind: ClassifiedKind;
  readonly openings: readonly Opening[];
  readonly held: readonly HeldOpening[];
  /** Scopes that a rule names but the client's kind may not use. */
  readonly limited: readonly string[];
}

/** What the mapping opens for a client at all destinations; nothing for a disabled client. */
export function openingsOf(client: OAuthClient, mapping: Mapping): ClientOpenings {
  return createOpener(mapping)(client);
}

/** `openingsOf` for many clients. Patterns are compiled, and accesses built, once per rule. */
export function createOpener(mapping: Mapping): (client: OAuthClient) => ClientOpenings {
  const compile = createPatternCompiler();
  const accesses = new Map(mapping.rules.map((rule) => [rule, accessOf(rule)]));
  return (client) => open(client, mapping, compile, accesses);
}

function open(
  client: OAuthClient,
  mapping: Mapping,
  compile: PatternCompiler,
  accesses: ReadonlyMap<Rule, Access | undefined>,
): ClientOpenings {
  const actorKind = classify(client, mapping, compile);
  const openings: Opening[] = [];
  const held: HeldOpening[] = [];
  const limited = new Set<string>();
  for (const grant of client.enabled ? client.grants : []) {
    for (const rule of mapping.rules) {
      const destination = destinationOf(rule, client.provider, grant, mapping, compile);
      if (destination === undefined || !isSelectedName(destination, mapping)) continue;
      if (!admitsKind(rule.actors, actorKind) || !mayUseScope(actorKind, grant.name, mapping, compile)) {
        limited.add(grant.name);
      } else if (!isPlainServiceName(destination)) {
        held.push(toHeld(destination, grant.name));
      } else {
        const actsForHuman = needsHuman(actorKind, mapping);
        const user = rule.userRequired || actsForHuman ? { user: { actsForHuman } } : {};
        const api = grant.api === undefined ? {} : { api: grant.api };
        const access = accesses.get(rule);
        if (access !== undefined) openings.push({ destination, access, scope: grant.name, ...api, ...user });
      }
    }
  }
  return { actorKind, openings, held, limited: [...limited].toSorted() };
}

/** In lower case, as every destination is: names of config entries are case-insensitive, and each has one key. */
function toHeld(destination: string, scope: string): HeldOpening {
  const lower = destination.toLowerCase();
  const written = lower === destination ? '' : ` ${JSON.stringify(destination)}`;
  return {
    destination: lower,
    scope,
    reason: 'InvalidServiceName',
    detail: `the destination${written} is not a plain service name (a-z, 0-9 and -); rename the scope or write the destination in the rule`,
  };
}

/** By name: `select.hasPlace` decides about the place, which is that of each source. */
export function isSelectedName(name: string, { select }: Pick<Mapping, 'select'>): boolean {
  return select?.hasName(name) ?? true;
}

/** The destinations that a scope opens for any client; for evidence that names only a scope. */
export function destinationsOfScope(
  provider: string,
  scope: Grant,
  mapping: Pick<Mapping, 'rules' | 'providers'>,
): ReadonlySet<string> {
  const found = mapping.rules.map((rule) => destinationOf(rule, provider, scope, mapping, compilePattern));
  return new Set(found.filter((destination) => destination !== undefined));
}

/** The rules that open a destination for a grant of a provider's client, whatever its kind. Patterns are compiled once. */
export function createRuleFinder(
  mapping: Pick<Mapping, 'rules' | 'providers'>,
): (provider: string, grant: Grant, destination: string) => readonly Rule[] {
  const compile = createPatternCompiler();
  return (provider, grant, destination) =>
    mapping.rules.filter(
      (rule) =>
        destinationOf(rule, provider, grant, mapping, compile)?.toLowerCase() === destination.toLowerCase(),
    );
}

/** The destination that a rule opens for a grant; undefined if the rule does not apply. */
function destinationOf(
  rule: Rule,
  provider: string,
  grant: Grant,
  mapping: Pick<Mapping, 'providers'>,
  compile: PatternCompiler,
): string | undefined {
  if (rule.to === undefined) return undefined;
  const captures = matchRule(rule, provider, grant, mapping, compile);
  return captures === undefined ? undefined : substitute(rule.to, captures);
}

/** The access of a rule; undefined if its path is not plain, which the configuration refuses. */
export function accessOf(rule: Rule): Access | undefined {
  const methods = rule.methods === undefined || rule.methods.length === 0 ? {} : { methods: rule.methods };
  const headers = rule.headers === undefined || rule.headers.length === 0 ? {} : { headers: rule.headers };
  const paths = pathsOf(rule);
  if (paths === undefined) {
    if (rule.methods === undefined && rule.headers === undefined) return { kind: 'allow' };
    return canonical({ kind: 'http', permissions: [{ ...methods, ...headers }] });
  }
  if (paths.length === 0) return undefined;
  return canonical({ kind: 'http', permissions: paths.map((path) => ({ ...methods, ...path, ...headers })) });
}

/** The forms of a path, or undefined for a rule without a path. The path / opens every path. */
function pathsOf(rule: Rule): readonly HttpPermission[] | undefined {
  if (rule.pathExact !== undefined) return [{ pathExact: rule.pathExact }];
  if (rule.pathRegex !== undefined) return [{ pathRegex: rule.pathRegex }];
  const text = rule.pathPrefix ?? rule.path?.replace(/\/+$/, '');
  if (text === undefined) return undefined;
  if (text === '' || text === '/') return [{ pathPrefix: '/' }];
  const kind = rule.pathPrefix === undefined ? 'path' : 'prefix';
  if (rule.rawPath === true)
    return kind === 'prefix' ? [{ pathPrefix: text }] : [{ pathExact: text }, { pathPrefix: `${text}/` }];
  const pathRegex = toPlainPathRegex({ kind, text });
  return pathRegex === undefined ? [] : [{ pathRegex }];
}
