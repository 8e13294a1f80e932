import { compareText } from '../model/compare-text.js';
import type { ChangeReason } from '../model/decision.js';
import type { Access, IntentionSource, ServiceName } from '../model/intention.js';
import { destinationKey } from '../model/key.js';
import { covers, digest, narrows, plainPart, sameAccess, union, widens } from './access.js';
import type { ClaimStatus } from './claim-status.js';
import { desiredAccess, isUnclearButGranted } from './desired-access.js';
import type { DestinationInput } from './destination-input.js';
import {
  closingOf,
  closingPart,
  edgeBreakGlass,
  endReason,
  hasNoBreakGlass,
  hasOtherBreakGlass,
  isOfStore,
  keptAccess,
  openedBy,
  openingPart,
  recordAfterClosing,
  withBreakGlass,
  withoutBreakGlass,
} from './edge-break-glass.js';
import { isRecorded, needsRecord } from './edge-record.js';
import { edgeSources } from './edge-sources.js';
import { entryBlock } from './entry-block.js';
import { foreignHold, wasWritten } from './foreign-source.js';
import { extendOnly } from './guards/extend.js';
import { parseLastAppliedText, toLastAppliedText } from './last-applied.js';
import { wouldOpen } from './missing-denies.js';
import { policyOf } from './mode.js';
import {
  caselessText,
  clientOfDescription,
  describeSource,
  hasFieldsOfOthers,
  isOwnedHere,
  textOfDescription,
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

interface EdgePlan {
  readonly change: Change | undefined;
  readonly holds: readonly Hold[];
  readonly awaits: readonly string[];
  /** The subject and text of the record to make. */
  readonly record?: readonly [string, string];
}

/**
 * `foreign`: a source of that name in any case. `staysInEntry`: the source may lose its access, but must stay in the entry.
 */
function planEdge(
  source: ServiceName,
  { ours, foreign }: Record<'ours' | 'foreign', IntentionSource | undefined>,
  input: DestinationInput,
  staysInEntry: boolean,
): EdgePlan {
  const { destination, mapping, entry, wildcard } = input;
  const subject = intentionSubject(destination, source.name);
  const lastApplied = parseLastAppliedText(input.lastApplied.get(subject));
  const former = formerClient(ours, input);
  const claimStatus = statusOfSource(source, former, input);
  // The mark names no client, so the client outside may have opened it.
  const mayBeOutside = claimStatus.kind === 'none' && claimStatus.isOutside && former === undefined;
  const glass = edgeBreakGlass(source, claimStatus, lastApplied, input, ours);
  const isUnknown = isKept(claimStatus, ours, former, input);
  const isLeft = isUnknown && (hasNoBreakGlass(glass) || ours?.access.kind === 'other');
  if (mayBeOutside || isLeft || isUnclearButGranted(source, claimStatus, input, ours))
    return { change: undefined, holds: glass.holds, awaits: [] };
  const regular =
    isUnknown && ours !== undefined
      ? keptAccess(ours, former, lastApplied, glass)
      : desiredAccess(source, claimStatus, input, withoutBreakGlass(ours, glass));
  const desired = withBreakGlass(regular, glass);

  if (foreign !== undefined && ours === undefined) {
    return {
      change: undefined,
      holds: [...desired.holds, ...foreignHold(source, desired, foreign, lastApplied, input)],
      awaits: [],
    };
  }

  const before: ActualAccess = ours?.access;
  const lacksEdge = ours === undefined && wasWritten(lastApplied);
  const scopeLoss = () =>
    revocationCause({
      claimStatus,
      lastApplied,
      former,
      desiredScopes: desired.scopes,
      current: before,
      input,
    });
  // What a break-glass grant opened closes with it. If more would go that a guard may hold, this goes alone and first.
  const closing = closingOf(glass, before);
  const isExplained = closing !== undefined && covers(desired.access, closing.left);
  const isStep =
    closing !== undefined &&
    !covers(closing.left, closing.before) &&
    (isExplained
      ? widens(closing.before, desired.access) && !policyOf(mapping).plansNarrowing
      : scopeLoss().isInferred || !isRecordedHere(ours, input) || !policyOf(mapping).plansNarrowing);
  const next = isStep ? closing.left : desired.access;
  const goes = next === undefined && (ours !== undefined || lacksEdge);
  const keepsClosed = goes && wouldOpen(source, entry, wildcard);
  const after: Access | undefined = keepsClosed || (goes && staysInEntry) ? { kind: 'deny' } : next;
  const description = descriptionFor(after, desired.client, ours, mapping.owner);
  const record =
    ours !== undefined &&
    isSame(before, after) &&
    (needsRecord(destination, ours, input) || hasOtherBreakGlass(lastApplied, desired.opensBy))
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
  const endsBreakGlass = narrowing && (isStep || isExplained);
  const loss = isNormalised
    ? { reason: 'PathNormalised' as const, scopes: [], isInferred: false }
    : endsBreakGlass
      ? { reason: endReason(scopeLoss()), scopes: [], isInferred: false }
      : scopeLoss();
  const opened = union(before?.kind === 'other' ? undefined : before, openedBy(glass));
  const opensBreakGlass = widening && glass.opening.length > 0 && covers(opened, after);
  const breakGlass =
    opensBreakGlass && !narrowing
      ? openingPart(glass.opening, input)
      : endsBreakGlass && !widening
        ? closingPart(glass.closing, input)
        : undefined;
  const isDrift = lastApplied?.digest === digest(after);
  const reason = reasonOf({
    subject,
    keepsClosed,
    loses: narrowing || after === undefined,
    isDrift,
    loss,
    opensBreakGlass,
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
      opensBy: isStep ? recordAfterClosing(lastApplied, glass) : desired.opensBy,
      isInferred: narrowing && !isDrift && !wasRemoved && !isUnrecorded && loss.isInferred,
      ...(isUnrecorded && !(endsBreakGlass && isOfStore(glass)) ? { isUnrecorded } : {}),
      ...(breakGlass === undefined ? {} : { breakGlass }),
      narrows: narrowing,
      widens: widening,
    },
  };
}

function isRecordedHere(ours: IntentionSource | undefined, input: DestinationInput): boolean {
  return ours === undefined || isRecorded(input.destination, ours, input);
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

/** A deny keeps its Description. The Description of an access names the client, and keeps the text of an adopted source. */
function descriptionFor(
  after: Access | undefined,
  client: PlannedClient | undefined,
  ours: IntentionSource | undefined,
  owner: string,
): string {
  if (ours !== undefined && (client === undefined || after === undefined || after.kind === 'deny'))
    return ours.description;
  if (client === undefined) return `scopemesh:${owner}`;
  return describeSource(owner, client, ours === undefined ? '' : textOfDescription(ours.description));
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
  return { actorKind: input.openings.get(clientText(id))?.actorKind ?? 'unknown', ...id };
}

function reasonOf(facts: {
  subject: string;
  keepsClosed: boolean;
  loses: boolean;
  isDrift: boolean;
  loss: RevocationCause;
  opensBreakGlass: boolean;
  input: DestinationInput;
}): ChangeReason {
  if (facts.isDrift) return 'DriftCorrected';
  if (facts.keepsClosed) return 'WildcardWouldAllow';
  if (facts.loses) return facts.loss.reason;
  if (facts.opensBreakGlass) return 'BreakGlass';
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
