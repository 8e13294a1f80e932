import { compareText } from '../model/compare-text.js';
import type { IntentionSource, ServiceName } from '../model/intention.js';
import { destinationKey } from '../model/key.js';
import { sourceOf } from '../model/ruling.js';
import { covers, union } from './access.js';
import { parseBreakGlassText } from './break-glass.js';
import type { DestinationInput } from './destination-input.js';
import { entryBlock } from './entry-block.js';
import { wasWritten } from './foreign-source.js';
import { unwantedEdges } from './gone-edges.js';
import { parseGrantText } from './grant-text.js';
import { parseLastAppliedText } from './last-applied.js';
import { missingDenies } from './missing-denies.js';
import { EXTEND_FORBIDS, policyOf } from './mode.js';
import { caselessText, hasFieldsOfOthers, isOwned, isOwnedHere } from './ownership.js';
import { type Change, type Hold, intentionSubject, type Plan, toHold } from './plan.js';
import { type EdgePlan, planEdge } from './plan-edge.js';
import { fallbackIntention } from './precedence.js';
import { serviceText } from './world.js';

/** The changes and holds of one destination's entry: those of its edges, as far as the entry and the mode permit them. */
export function planDestination(input: DestinationInput): Plan {
  const { destination, entry, mapping } = input;
  const key = destinationKey(destination.name, destination.namespace, destination.partition);
  if (mapping.select?.hasService(destination) === false) return { key, changes: [], holds: [] };
  // scopemesh owns nothing at a wildcard, and a scope that would open it is held.
  if (destination.name === '*')
    return {
      key,
      changes: [],
      holds: sortHolds(planEdges({ ...input, entry: undefined }).flatMap(({ holds }) => holds)),
    };
  const edges = planEdges(input);
  const changes = edges.flatMap((edge) => (edge.change === undefined ? [] : [edge.change]));
  const holds = edges.flatMap((edge) => edge.holds);
  const block = entry === undefined ? undefined : entryBlock(entry);
  if (block !== undefined) {
    return {
      key,
      changes: [],
      holds: sortHolds([
        // Such an entry is foreign as a whole: it is no use to remove one source of it, or to adopt it.
        ...holds.map((hold) => (hold.reason === 'ForeignSource' ? { ...hold, ...block } : hold)),
        ...changes.map((change) => toHold(change, block.reason, block.detail)),
        // What was written may be there, and cannot be taken away.
        ...(block.reason === 'EntryUnreadable'
          ? unwantedEdges(input).map(({ isUncertain: _, ...edge }) => ({
              ...edge,
              ...block,
              action: 'revoke' as const,
            }))
          : []),
      ]),
    };
  }
  const records = edges.flatMap(({ record }) => (record === undefined ? [] : [record]));
  const awaits = [...new Set(edges.flatMap((edge) => edge.awaits))].toSorted(compareText);
  const allowed = policyOf(mapping).plansNarrowing
    ? changes.map((change) => ({ change, held: undefined }))
    : changes.map((change) =>
        // It was opened for some time only.
        change.breakGlass?.does === 'close' ? { change, held: undefined } : extendOnly(change, input),
      );
  return {
    key,
    changes: allowed.flatMap(({ change }) => (change === undefined ? [] : [change])).toSorted(byOrder),
    holds: sortHolds([...holds, ...allowed.flatMap(({ held }) => (held === undefined ? [] : [held]))]),
    ...(awaits.length === 0 ? {} : { awaits }),
    ...(records.length === 0 ? {} : { records: new Map(records) }),
  };
}

/**
 * Consul keeps no entry without a source. An entry with a foreign JWT requirement or Meta would lose them with its last
 * source, and a later source would open without them. So if all sources are owned and all are removed, one stays as a
 * deny. It also stays beside sources that are added later, so that the plan is empty after it was applied.
 */
function planEdges(input: DestinationInput): readonly EdgePlan[] {
  const { entry, mapping } = input;
  const sources = entry?.sources ?? [];
  // Indexed, because an entry can have thousands of sources, also of names that differ only in case.
  const owned = new Map<string, IntentionSource>();
  const foreign = new Map<string, IntentionSource>();
  for (const each of sources.filter(({ peer }) => peer === undefined)) {
    const [found, key] = isOwnedHere(mapping, each)
      ? ([owned, serviceText(each)] as const)
      : ([foreign, caselessText(each)] as const);
    if (!found.has(key)) found.set(key, each);
  }
  const plan = (source: ServiceName, staysInEntry: boolean) => {
    const present = { ours: owned.get(serviceText(source)), foreign: foreign.get(caselessText(source)) };
    return planEdge(source, present, input, staysInEntry);
  };
  const edges = edgeSources(input).map((source) => plan(source, false));
  if (entry === undefined || !hasFieldsOfOthers(entry)) return edges;
  if (!sources.every((each) => isOwnedHere(mapping, each))) return edges;
  const going = edges.filter(({ change }) => change !== undefined && change.after === undefined);
  const denies = going.filter(({ change }) => change?.before?.kind === 'deny');
  // Also if other sources are added, because narrowing changes are written first.
  const [stays] = denies.length > 0 ? denies : going.length === sources.length ? going : [];
  if (stays?.change === undefined) return edges;
  const kept = plan(stays.change.source, true);
  return edges.map((edge) => (edge === stays ? kept : edge));
}

function byOrder(a: Change, b: Change): number {
  const rank = (change: Change) => (!change.widens ? 0 : change.narrows ? 1 : 2);
  return rank(a) - rank(b) || compareText(a.subject, b.subject);
}

function sortHolds(holds: readonly Hold[]): readonly Hold[] {
  return holds.toSorted(
    (a, b) =>
      compareText(a.subject, b.subject) ||
      compareText(a.reason, b.reason) ||
      compareText(a.scopes.join(), b.scopes.join()),
  );
}

/**
 * Every service that should have access here, has a source here that is owned or lost its mark, or lost its source to a wider
 * intention; sorted by name.
 */
function edgeSources(input: DestinationInput): readonly ServiceName[] {
  const found = new Map<string, ServiceName>();
  const at = { ...input.destination, name: input.destination.name.toLowerCase() };
  for (const [key, serviceName] of input.sourcesByDestination.get(serviceText(at))?.services ?? [])
    found.set(key, serviceName);
  for (const source of input.entry?.sources ?? []) {
    if (isOwnedHere(input.mapping, source) || hasLostMark(source, input)) {
      const name = { partition: source.partition, namespace: source.namespace, name: source.name };
      found.set(serviceText(name), name);
    }
  }
  for (const source of missingDenies(input)) found.set(serviceText(source), source);
  for (const each of input.breakGlass.grants) found.set(serviceText(sourceOf(each)), sourceOf(each));
  for (const { about } of input.denies.rulings) found.set(serviceText(sourceOf(about)), sourceOf(about));
  return [...found.values()].toSorted((a, b) => compareText(serviceText(a), serviceText(b)));
}

function hasLostMark(
  source: IntentionSource,
  { destination, mapping, lastApplied }: DestinationInput,
): boolean {
  if (source.peer !== undefined || lastApplied.size === 0) return false;
  // The mark is there, and its client is outside the selection.
  if (isOwned(mapping.owner, source)) return false;
  return wasWritten(parseLastAppliedText(lastApplied.get(intentionSubject(destination, source.name))));
}

/** Mode `extend` narrows nothing: the widening part of a change is made and the rest is held. The planner applies it first. */
function extendOnly(
  change: Change,
  input: DestinationInput,
): { readonly change: Change | undefined; readonly held: Hold | undefined } {
  if (change.before === undefined && isNarrowerThanWildcard(change, input)) {
    const detail =
      'mode is extend: an exact intention would take away access that a wider intention gives to this source';
    return { change: undefined, held: toHold(change, 'ModeForbids', detail) };
  }
  if (!change.narrows && change.after !== undefined) return { change, held: undefined };
  const held = toHold(change, 'ModeForbids', EXTEND_FORBIDS);
  if (!change.widens || change.before === undefined || change.before.kind === 'other')
    return { change: undefined, held };
  return {
    held,
    change: {
      ...change,
      after: union(change.before, change.after),
      action: 'grant',
      reason: input.grantReason,
      scopes: [
        ...new Set(
          change.opensBy.flatMap((text) =>
            parseBreakGlassText(text) === undefined ? parseGrantText(text).name : [],
          ),
        ),
      ],
      narrows: false,
      isInferred: false,
    },
  };
}

function isNarrowerThanWildcard(change: Change, { entry, wildcard }: DestinationInput): boolean {
  const wider = fallbackIntention(change.source, entry, wildcard);
  return wider !== undefined && (wider.access.kind === 'other' || !covers(change.after, wider.access));
}
