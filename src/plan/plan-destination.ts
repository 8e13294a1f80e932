import type { ChangeReason } from '../model/decision.js';
import type { Access, IntentionEntry, IntentionSource, ServiceName } from '../model/intention.js';
import { destinationKey } from '../model/key.js';
import { covers, digest, narrows, plainPart, sameAccess, widens } from './access.js';
import type { ClaimStatus } from './claims.js';
import { compareText } from './compare.js';
import { desiredAccess } from './desired-access.js';
import type { DestinationInput } from './destination-input.js';
import { isRecorded, needsRecord } from './edge-record.js';
import { foreignHold, wasWritten } from './foreign-source.js';
import { extendOnly } from './guards/extend.js';
import { parseLastAppliedText, toLastAppliedText } from './last-applied.js';
import { missingDenies, wouldOpen } from './missing-denies.js';
import { policyOf } from './mode.js';
import {
  clientOfDescription,
  describeSource,
  hasFieldsOfOthers,
  isManagedElsewhere,
  isOwned,
  isOwnedHere,
  isSourceOf,
  sameSource,
} from './ownership.js';
import {
  type ActualAccess,
  type Change,
  type Hold,
  intentionResource,
  intentionSubject,
  type Plan,
  type PlannedClient,
  toHold,
} from './plan.js';
import { type RevocationCause, revocationCause } from './revocation-cause.js';
import { clientText, mayOnlyLose, serviceText } from './world.js';

/**
 * Desired and actual state of one source ("ours" is the owned source):
 *
 * | desired | ours: equal | ours: differs | foreign source | absent |
 * |---|---|---|---|---|
 * | access | nothing | update | hold `ForeignSource` or `MarkLost` | create |
 * | nothing, and no wider intention applies | | delete | nothing | nothing |
 * | nothing, but a wider foreign allow would apply | | update to deny | nothing | nothing |
 * | nothing, the last source of an entry with foreign fields | a deny: keep | update to deny | nothing | nothing |
 * | nothing, but a wider foreign allow would apply, and the edge was written | | | | create a deny |
 * | unknown (unread directory or catalog, unreadable client) | keep | keep | nothing | nothing |
 * | unknown, but an order closed the client, or the service claims another | delete | delete | nothing | nothing |
 * | may only narrow (disagreeing instances, unrecorded claim) | keep | update if narrower | nothing | nothing |
 *
 * A marked source without a record is planned in the same way, and its change waits for a person. If it equals the desired
 * one, `records` has the record to make.
 */
export function planDestination(input: DestinationInput): Plan {
  const { destination, entry, mapping } = input;
  const key = destinationKey(destination.name, destination.namespace, destination.partition);
  // No opening reaches a wildcard, and scopemesh owns nothing there.
  if (destination.name === '*') return { key, changes: [], holds: [] };
  if (mapping.select?.hasService(destination) === false) return { key, changes: [], holds: [] };
  const edges = planEdges(input);
  const changes = edges.flatMap((edge) => (edge.change === undefined ? [] : [edge.change]));
  const holds = edges.flatMap((edge) => edge.holds);
  const block = entry === undefined ? undefined : blockOf(entry);
  if (block !== undefined) {
    return {
      key,
      changes: [],
      holds: sortHolds([
        // Such an entry is foreign as a whole: it is no use to remove one source of it, or to adopt it.
        ...holds.map((hold) => (hold.reason === 'ForeignSource' ? { ...hold, ...block } : hold)),
        ...changes.map((change) => toHold(change, block.reason, block.detail)),
      ]),
    };
  }
  const records = edges.flatMap(({ record }) => (record === undefined ? [] : [record]));
  const awaits = [...new Set(edges.flatMap((edge) => edge.awaits))].toSorted(compareText);
  const allowed = policyOf(mapping).plansNarrowing
    ? changes.map((change) => ({ change, held: undefined }))
    : changes.map((change) => extendOnly(change, input));
  return {
    key,
    changes: allowed.flatMap(({ change }) => (change === undefined ? [] : [change])).toSorted(byOrder),
    holds: sortHolds([...holds, ...allowed.flatMap(({ held }) => (held === undefined ? [] : [held]))]),
    ...(awaits.length === 0 ? {} : { awaits }),
    ...(records.length === 0 ? {} : { records: new Map(records) }),
  };
}

function blockOf(
  entry: IntentionEntry,
): { readonly reason: 'ManagedElsewhere' | 'LegacyEntry'; readonly detail: string } | undefined {
  if (isManagedElsewhere(entry)) {
    return {
      reason: 'ManagedElsewhere',
      detail:
        'another tool manages this entry, as its Meta shows; remove the intention from that tool, or add the destination to guards.protected',
    };
  }
  if (entry.sources.some((source) => source.isLegacy)) {
    return {
      reason: 'LegacyEntry',
      detail:
        "the entry has sources that Consul's old intentions API created, and they cannot be written back unchanged; create them again as a config entry",
    };
  }
  return undefined;
}

/**
 * Every service that should have access here, has a source here that is owned or lost its mark, or lost its source to a wider
 * intention; sorted by name.
 */
function sourcesOf(input: DestinationInput): readonly ServiceName[] {
  const found = new Map<string, ServiceName>();
  const at = { ...input.destination, name: input.destination.name.toLowerCase() };
  for (const [key, service] of input.sourcesByDestination.get(serviceText(at))?.services ?? [])
    found.set(key, service);
  for (const source of input.entry?.sources ?? []) {
    if (isOwnedHere(input.mapping, source) || hasLostMark(source, input)) {
      const name = { partition: source.partition, namespace: source.namespace, name: source.name };
      found.set(serviceText(name), name);
    }
  }
  for (const source of missingDenies(input)) found.set(serviceText(source), source);
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

/**
 * Consul keeps no entry without a source. An entry with a foreign JWT requirement or Meta would lose them with its last
 * source, and a later source would open without them. So if all sources are owned and all are removed, one stays as a
 * deny. It also stays beside sources that are added later, so that the plan is empty after it was applied.
 */
function planEdges(input: DestinationInput): readonly EdgePlan[] {
  const { entry, mapping } = input;
  const sources = entry?.sources ?? [];
  // Indexed, because an entry can have thousands of sources.
  const present = new Map<string, IntentionSource[]>();
  for (const each of sources)
    present.set(inLowerCase(each), [...(present.get(inLowerCase(each)) ?? []), each]);
  const plan = (source: ServiceName, staysInEntry: boolean) =>
    planEdge(source, present.get(inLowerCase(source)) ?? [], input, staysInEntry);
  const edges = sourcesOf(input).map((source) => plan(source, false));
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

function inLowerCase(name: ServiceName): string {
  return serviceText(name).toLowerCase();
}

interface EdgePlan {
  readonly change: Change | undefined;
  readonly holds: readonly Hold[];
  readonly awaits: readonly string[];
  /** The subject and text of the record to make. */
  readonly record?: readonly [string, string];
}

/** `alike`: sources of that name in any case. `staysInEntry`: the source may lose its access, but must stay in the entry. */
function planEdge(
  source: ServiceName,
  alike: readonly IntentionSource[],
  input: DestinationInput,
  staysInEntry: boolean,
): EdgePlan {
  const { destination, mapping, entry, wildcard } = input;
  const subject = intentionSubject(destination, source.name);
  const lastApplied = parseLastAppliedText(input.lastApplied.get(subject));
  const present = alike.filter((each) => each.peer === undefined && sameSource(each, source));
  const ours = present.find((each) => isOwnedHere(mapping, each) && isSourceOf(each, source));
  const foreign = present.find((each) => !isOwnedHere(mapping, each));
  const former = formerClient(ours, input);
  const claimStatus = statusOfSource(source, former, input);
  // The mark names no client, so the client outside may have opened it.
  const mayBeOutside =
    claimStatus.kind === 'none' && claimStatus.isOutside && ours !== undefined && former === undefined;
  if (mayBeOutside || isKept(claimStatus, ours, former, input))
    return { change: undefined, holds: [], awaits: [] };
  const desired = desiredAccess(source, claimStatus, input, ours);

  if (foreign !== undefined && ours === undefined) {
    return {
      change: undefined,
      holds: [...desired.holds, ...foreignHold(source, desired, foreign, lastApplied, input)],
      awaits: [],
    };
  }

  const before: ActualAccess = ours?.access;
  const lacksEdge = ours === undefined && wasWritten(lastApplied);
  const goes = desired.access === undefined && (ours !== undefined || lacksEdge);
  const keepsClosed = goes && wouldOpen(source, entry, wildcard);
  const after: Access | undefined = keepsClosed || (goes && staysInEntry) ? { kind: 'deny' } : desired.access;
  const description = descriptionFor(after, desired.client, ours, mapping.owner);
  const record =
    ours !== undefined && isSame(before, after) && needsRecord(destination, ours, input)
      ? { record: [subject, toLastAppliedText(after, desired.opensBy)] as const }
      : {};
  const isNormalised = losesOnlyRawPaths(before, after);
  // What differs from the desired edge in the form of its paths alone was written before that form.
  const isUnrecorded =
    ours !== undefined &&
    record.record === undefined &&
    !isNormalised &&
    !isRecorded(destination, ours, input);
  if (isSettled(before, after, ours, description))
    return { change: undefined, holds: desired.holds, awaits: desired.awaits, ...record };

  // A deny where the edge is gone takes away what the wider intention allows.
  const narrowing = before?.kind === 'other' || narrows(before, after) || (keepsClosed && lacksEdge);
  const widening =
    before?.kind === 'other' ? after !== undefined && after.kind !== 'deny' : widens(before, after);
  // Somebody restored what scopemesh removed, so no read decides about it.
  const wasRemoved = lastApplied !== undefined && !wasWritten(lastApplied);
  const loss = isNormalised
    ? { reason: 'PathNormalised' as const, scopes: [], isInferred: false }
    : revocationCause({
        claimStatus,
        lastApplied,
        former,
        desiredScopes: desired.scopes,
        current: before,
        input,
      });
  const isDrift = lastApplied?.digest === digest(after);
  const reason = reasonOf({
    subject,
    keepsClosed,
    loses: narrowing || after === undefined,
    isDrift,
    loss,
    input,
  });
  const client = desired.client ?? former;
  return {
    holds: desired.holds,
    awaits: desired.awaits,
    ...record,
    change: {
      subject,
      resource: intentionResource(destination, source.name),
      source,
      action: narrowing && !widening ? 'revoke' : widening && !narrowing ? 'grant' : 'change',
      verb: ours === undefined ? 'created' : after === undefined ? 'deleted' : 'updated',
      reason,
      before,
      after,
      description,
      ...(client === undefined ? {} : { client }),
      scopes: narrowing && !widening && loss.scopes.length > 0 ? loss.scopes : desired.scopes,
      opensBy: desired.opensBy,
      isInferred: narrowing && !isDrift && !wasRemoved && !isUnrecorded && loss.isInferred,
      ...(isUnrecorded ? { isUnrecorded } : {}),
      narrows: narrowing,
      widens: widening,
    },
  };
}

/** Whether every plain path stays open: the rule did so before paths were normalised, or with `rawPath`. */
function losesOnlyRawPaths(before: ActualAccess, after: Access | undefined): boolean {
  return before?.kind === 'http' && after?.kind === 'http' && covers(after, plainPart(before));
}

export function statusOfSource(
  source: ServiceName,
  former: PlannedClient | undefined,
  input: DestinationInput,
): ClaimStatus {
  const known = input.claimStatuses.get(serviceText(source));
  if (known !== undefined) return known;
  if (input.world.catalog !== undefined) return { kind: 'none', service: source, vanished: true };
  return { kind: 'unknown', service: source, client: former ?? { provider: '', clientId: '' } };
}

/**
 * An edge with an unknown claim stays as it is. Two facts need no read: an order closed the client, or the service now
 * claims another client than the one that opened the edge. A client that may only lose has nothing to lose without a source
 * of ours.
 */
export function isKept(
  claimStatus: ClaimStatus,
  ours: IntentionSource | undefined,
  former: PlannedClient | undefined,
  { world }: DestinationInput,
): boolean {
  if (claimStatus.kind === 'none') return false;
  const hasNothing = ours === undefined && mayOnlyLose(world, claimStatus.client);
  if (claimStatus.kind !== 'unknown' && !hasNothing) return false;
  const isClosed = [claimStatus.client, former].some(
    (client) => client !== undefined && world.clientBlocks.has(clientText(client)),
  );
  const hasLeft =
    world.catalog !== undefined &&
    former !== undefined &&
    clientText(former) !== clientText(claimStatus.client);
  return !isClosed && !hasLeft;
}

/** A deny keeps its Description. The Description of an access names the client that the access comes from. */
function descriptionFor(
  after: Access | undefined,
  client: PlannedClient | undefined,
  ours: IntentionSource | undefined,
  owner: string,
): string {
  if (ours !== undefined && (client === undefined || after === undefined || after.kind === 'deny'))
    return ours.description;
  return client === undefined ? `scopemesh:${owner}` : describeSource(owner, client);
}

function isSettled(
  before: ActualAccess,
  after: Access | undefined,
  ours: IntentionSource | undefined,
  description: string,
): boolean {
  if (!isSame(before, after)) return false;
  return ours === undefined || after === undefined || ours.description === description;
}

function isSame(before: ActualAccess, after: Access | undefined): boolean {
  return before?.kind !== 'other' && sameAccess(before, after);
}

function formerClient(ours: IntentionSource | undefined, input: DestinationInput): PlannedClient | undefined {
  if (ours === undefined) return undefined;
  const id = clientOfDescription(ours.description);
  if (id === undefined) return undefined;
  return { ...id, actorKind: input.openings.get(clientText(id))?.actorKind ?? 'unknown' };
}

function reasonOf(facts: {
  subject: string;
  keepsClosed: boolean;
  loses: boolean;
  isDrift: boolean;
  loss: RevocationCause;
  input: DestinationInput;
}): ChangeReason {
  if (facts.isDrift) return 'DriftCorrected';
  if (facts.keepsClosed) return 'WildcardWouldAllow';
  if (facts.loses) return facts.loss.reason;
  return facts.input.quarantined.has(facts.subject) ? 'QuarantineEnded' : facts.input.grantReason;
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
