import { groupBy } from '../model/group-by.js';
import type { Access } from '../model/intention.js';
import { canonical, covers, digest, union } from '../plan/access.js';
import { createOpener } from '../plan/openings.js';
import { createPatternCompiler } from '../plan/pattern.js';
import { matchRule } from '../plan/rule-match.js';
import { parseServiceText, serviceText } from '../plan/world.js';
import { actualAt, type Callers } from './callers.js';
import {
  type ProposalInput,
  type ProposedRule,
  type RuleEvidence,
  scopeText,
  type UnusedScope,
} from './proposal.js';
import type { HeldScope } from './scope-holders.js';
import { destinationsIn, isStandardScope, namesMethod, namesSomeMethods } from './scope-words.js';
import { toRules } from './to-rules.js';

/**
 * Finds what each scope opens: of a destination that it names, what all services with the scope may do there now, less what
 * other scopes open already. A scope that names no destination opens those whose callers are exactly its services.
 */
export function assignScopes(
  holders: readonly HeldScope[],
  callers: Callers,
  input: Pick<ProposalInput, 'mapping' | 'canWrite'>,
): { readonly rules: readonly ProposedRule[]; readonly unusedScopes: readonly UnusedScope[] } {
  const { mapping } = input;
  const compile = createPatternCompiler();
  const isDecided = ({ provider, scope }: HeldScope) =>
    mapping.rules.some(
      (rule) => rule.to !== undefined && matchRule(rule, provider, scope, mapping, compile) !== undefined,
    );
  const open = holders.filter((held) => !isDecided(held) && !isStandardScope(held.scope));
  const opened = openedBy(callers, mapping);
  const naming = new Map(open.map((held) => [held, namedBy(held, callers)]));
  const rules: ProposedRule[] = [];
  const give = (destination: string, candidates: readonly Candidate[]) => {
    for (const [{ held, evidence }, access] of share(destination, candidates, { callers, opened, input }))
      rules.push(...toRules(held, destination, access, mapping).map((rule) => ({ rule, evidence })));
  };
  for (const [destination, candidates] of byDestination(naming)) give(destination, candidates);
  const nameless = open.filter((held) => naming.get(held)?.length === 0);
  const ambiguous = new Map<string, readonly string[]>();
  for (const [destination, candidates] of byCallers(nameless, callers)) {
    const isLeft = [...(callers.actual.get(destination) ?? [])].some(
      ([serviceName, access]) => !covers(opened.get(edgeKey(serviceName, destination)), access),
    );
    if (!isLeft) continue;
    if (candidates.length > 1) {
      for (const held of candidates)
        ambiguous.set(scopeText(held), [...(ambiguous.get(scopeText(held)) ?? []), destination]);
      continue;
    }
    const found = candidates.map((held) => ({ held, evidence: 'callers' as const }));
    give(destination, found);
  }
  const matched = createMatcher(rules, input);
  const unusedScopes = open
    .filter((held) => !matched(held))
    .map((held): UnusedScope => {
      const { provider, scope } = held;
      return { provider, scope, ...whyUnused(held, naming.get(held) ?? [], ambiguous, { callers, input }) };
    });
  return { rules, unusedScopes };
}

interface Candidate {
  readonly held: HeldScope;
  readonly evidence: RuleEvidence;
}

interface Named {
  readonly destination: string;
  readonly evidence: RuleEvidence;
}

interface Around {
  readonly callers: Callers;
  /** By `edgeKey`; grows with each part that a scope gets. */
  readonly opened: Map<string, Access>;
  readonly input: Pick<ProposalInput, 'mapping' | 'canWrite'>;
}

/** What the rules of the configuration open. */
function openedBy({ holding }: Callers, mapping: ProposalInput['mapping']): Map<string, Access> {
  const open = createOpener(mapping);
  const opened = new Map<string, Access>();
  for (const { service, client } of holding)
    for (const { destination, access, user } of open(client).openings)
      if (user === undefined) widen(opened, edgeKey(serviceText(service), destination), access);
  return opened;
}

function widen(opened: Map<string, Access>, key: string, access: Access): void {
  const next = union(opened.get(key), access);
  if (next !== undefined) opened.set(key, next);
}

function edgeKey(serviceName: string, destination: string): string {
  return `${destination} ${serviceName}`;
}

function namedBy({ scope }: HeldScope, { actual }: Callers): readonly Named[] {
  const isDestination = (name: string) => actual.has(name);
  const byName = destinationsIn(scope.name.toLowerCase(), isDestination);
  if (byName.length > 0) return byName.map((destination) => ({ destination, evidence: 'name' }));
  const byApi = destinationsIn((scope.api ?? '').toLowerCase(), isDestination);
  return byApi.map((destination) => ({ destination, evidence: 'api' }));
}

function byDestination(
  naming: ReadonlyMap<HeldScope, readonly Named[]>,
): ReadonlyMap<string, readonly Candidate[]> {
  const all = [...naming].flatMap(([held, named]) => named.map((each) => ({ ...each, held })));
  return groupBy(all, ({ destination }) => destination);
}

/** The scopes whose services are exactly the callers of a destination. One caller alone may be chance. */
function byCallers(
  holders: readonly HeldScope[],
  { actual }: Callers,
): ReadonlyMap<string, readonly HeldScope[]> {
  const several = holders.filter(({ services }) => services.length > 1);
  const bySet = groupBy(several, ({ services }) => JSON.stringify(services));
  return new Map(
    [...actual].flatMap(([destination, callers]) => {
      const found = bySet.get(JSON.stringify([...callers.keys()].toSorted()));
      return found === undefined ? [] : [[destination, found] as const];
    }),
  );
}

/** Which permissions a scope may get: those that its name says, the others where none is said, or any. */
const STAGES = ['said', 'any'] as const;

/** Shares what Consul allows at a destination among scopes: always next the scope that explains most of what is left. */
function share(
  destination: string,
  candidates: readonly Candidate[],
  { callers, opened, input }: Around,
): ReadonlyMap<Candidate, Access> {
  const accessOf = new Map<Candidate, Access>();
  const parts = partsOf([...(callers.actual.get(destination)?.values() ?? [])]);
  const safe = new Map(
    candidates.map((candidate) => {
      const { services } = candidate.held;
      const isSafe = (part: Access) =>
        services.every((serviceName) => covers(actualAt(callers, serviceName, destination), part)) &&
        isWritable(candidate.held, destination, part, input);
      return [candidate, parts.filter(isSafe)];
    }),
  );
  const gainOf = (candidate: Candidate, order: number, stage: (typeof STAGES)[number]): Gain => {
    const isNew = (serviceName: string, part: Access) =>
      !covers(opened.get(edgeKey(serviceName, destination)), part);
    const { scope, services } = candidate.held;
    const parts = (safe.get(candidate) ?? []).filter((part) => stage === 'any' || isSaid(scope, part));
    const next = parts.filter((part) => services.some((each) => isNew(each, part)));
    const count = next.reduce((sum, part) => sum + services.filter((each) => isNew(each, part)).length, 0);
    return { candidate, order, next, count };
  };
  for (const stage of STAGES) {
    const queue = candidates.map((each, order) => gainOf(each, order, stage)).toSorted(byGain);
    for (let last = queue.shift(); last !== undefined; last = queue.shift()) {
      const gain = gainOf(last.candidate, last.order, stage);
      // A gain only shrinks, so what is still ahead of the others' last gains is ahead of all.
      const ahead = queue.findIndex((other) => byGain(gain, other) < 0);
      if (gain.count > 0 && ahead !== 0 && queue.length > 0) {
        queue.splice(ahead < 0 ? queue.length : ahead, 0, gain);
        continue;
      }
      const { candidate, next } = gain;
      for (const part of next) {
        const access = union(accessOf.get(candidate), part);
        if (access !== undefined) accessOf.set(candidate, access);
        for (const serviceName of candidate.held.services)
          widen(opened, edgeKey(serviceName, destination), part);
      }
    }
  }
  return accessOf;
}

/** What a scope would explain besides what others explain already. */
interface Gain {
  readonly candidate: Candidate;
  /** Decides between equal gains. */
  readonly order: number;
  readonly next: readonly Access[];
  /** Parts, each counted for every service that gains it. */
  readonly count: number;
}

function byGain(a: Gain, b: Gain): number {
  return b.count - a.count || a.order - b.order;
}

/** Without a word for methods, a scope's name is taken to mean the whole service. */
function isSaid(scope: HeldScope['scope'], part: Access): boolean {
  if (part.kind !== 'http') return !namesSomeMethods(scope);
  return part.permissions.every(
    ({ methods }) => methods?.every((method) => namesMethod(scope, method)) ?? false,
  );
}

function isWritable(
  held: HeldScope,
  to: string,
  part: Access,
  { mapping, canWrite }: Around['input'],
): boolean {
  const rules = toRules(held, to, part, mapping);
  return rules.length > 0 && rules.every(canWrite);
}

function createMatcher(
  rules: readonly ProposedRule[],
  { mapping }: Pick<ProposalInput, 'mapping'>,
): (held: HeldScope) => boolean {
  const only = mapping.providers[0] ?? '';
  const matched = new Set(
    rules.map(({ rule: { provider = only, api, scope } }) =>
      scopeText({ provider, scope: { name: scope, ...(api === undefined ? {} : { api }) } }),
    ),
  );
  return (held) => matched.has(scopeText(held));
}

function whyUnused(
  held: HeldScope,
  named: readonly Named[],
  ambiguous: ReadonlyMap<string, readonly string[]>,
  { callers, input }: Pick<Around, 'callers' | 'input'>,
): Pick<UnusedScope, 'reason' | 'detail'> {
  const several = ambiguous.get(scopeText(held));
  if (several !== undefined)
    return {
      reason: 'SeveralDestinations',
      detail: `other scopes have the same services, which are exactly the callers of ${several.toSorted().join(', ')}; write the rule yourself`,
    };
  if (named.length === 0)
    return { reason: 'NoDestination', detail: 'its name is not that of a service that its services call' };
  for (const { destination } of named) {
    const without = held.services.find(
      (serviceName) => actualAt(callers, serviceName, destination) === undefined,
    );
    if (without === undefined) continue;
    return {
      reason: 'WouldOpenMore',
      detail: `a rule would open ${destination} also to ${parseServiceText(without).name}, which Consul does not allow now`,
    };
  }
  const parts = named.flatMap(({ destination }) =>
    held.services.flatMap((serviceName) =>
      partsOf([actualAt(callers, serviceName, destination) ?? { kind: 'deny' }])
        .filter((part) => held.services.every((each) => covers(actualAt(callers, each, destination), part)))
        .map((part) => ({ destination, part })),
    ),
  );
  if (parts.length === 0)
    return {
      reason: 'WouldOpenMore',
      detail: 'the services with this scope share no permission at the destination',
    };
  return parts.some(({ destination, part }) => isWritable(held, destination, part, input))
    ? { reason: 'Redundant', detail: 'other scopes of the same services open all of it' }
    : { reason: 'NotWritable', detail: 'a rule cannot express its name or the permissions' };
}

/** Accesses in the smallest parts that a rule can open: everything, or one method at one path. Each once, sorted. */
function partsOf(accesses: readonly Access[]): readonly Access[] {
  const parts = accesses.flatMap((access): readonly Access[] => {
    if (access.kind === 'deny') return [];
    if (access.kind === 'allow') return [access];
    return access.permissions.flatMap((permission) =>
      (permission.methods ?? [undefined]).map((method) =>
        canonical({
          kind: 'http',
          permissions: [method === undefined ? permission : { ...permission, methods: [method] }],
        }),
      ),
    );
  });
  return [...new Map(parts.map((part) => [digest(part), part])).values()];
}
