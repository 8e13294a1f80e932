import type { ChangeReason } from '../model/decision.js';
import type { Access, IntentionSource, ServiceName } from '../model/intention.js';
import { covers, digest, narrows, plainPart, sameAccess, union, widens } from './access.js';
import type { ClaimStatus } from './claim-status.js';
import { DENIED, deniedHolds, denyOf, type EdgeDeny } from './deny.js';
import { type DesiredAccess, desiredAccess, isUnclearButGranted } from './desired-access.js';
import type { DestinationInput } from './destination-input.js';
import {
  closingOf,
  closingPart,
  type EdgeBreakGlass,
  edgeBreakGlass,
  endReason,
  endToMark,
  hasNoBreakGlass,
  hasOtherBreakGlass,
  keptAccess,
  openedBy,
  openingPart,
  recordAfterClosing,
  withBreakGlass,
  withoutBreakGlass,
} from './edge-break-glass.js';
import { formerClient, isKept, statusOfSource } from './edge-claim.js';
import { isRecorded, needsRecord } from './edge-record.js';
import { foreignHold, wasWritten } from './foreign-source.js';
import { namesOf, toGrantText } from './grant-text.js';
import { type LastApplied, parseLastAppliedText, toLastAppliedText } from './last-applied.js';
import { wouldOpen } from './missing-denies.js';
import { policyOf } from './mode.js';
import {
  clientOfDescription,
  denyOfDescription,
  describeDeny,
  describeSource,
  endOfDescription,
  textOfDescription,
} from './ownership.js';
import {
  type ActualAccess,
  type Change,
  type Hold,
  intentionResource,
  intentionSubject,
  type PlannedClient,
} from './plan.js';
import { type RevocationCause, revocationCause } from './revocation-cause.js';

export interface EdgePlan {
  readonly change: Change | undefined;
  readonly holds: readonly Hold[];
  readonly awaits: readonly string[];
  /** The subject and text of the record to make. */
  readonly record?: readonly [string, string];
}

const NOTHING: EdgePlan = { change: undefined, holds: [], awaits: [] };

/** What is known of one source and its edge before anything is decided. */
interface Edge {
  readonly source: ServiceName;
  readonly subject: string;
  /** The owned source. */
  readonly ours: IntentionSource | undefined;
  readonly lastApplied: LastApplied | undefined;
  /** The client that opened the edge. */
  readonly former: PlannedClient | undefined;
  readonly claimStatus: ClaimStatus;
  readonly glass: EdgeBreakGlass;
  readonly input: DestinationInput;
}

/** What an edge should be. */
interface Desired extends DesiredAccess {
  /** The end of the grants that open more of it than scopes do, for its mark. */
  readonly until: number | undefined;
}

/** What an edge becomes. */
interface Outcome {
  /** Undefined: the source is removed. */
  readonly after: Access | undefined;
  readonly description: string;
  /** Only what break-glass grants opened closes. More would go that a guard may hold, so this goes alone and first. */
  readonly isStep: boolean;
  /** Nothing closes but what break-glass grants opened. */
  readonly isExplained: boolean;
  /** A deny stands where a wider intention would let the source in. */
  readonly keepsClosed: boolean;
}

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
 * An edge that a person denies becomes an owned deny, whatever is desired; what is desired is held.
 *
 * `foreign`: a source of that name in any case. `staysInEntry`: the source may lose its access, but must stay in the entry.
 *
 * A marked source without a record is planned in the same way, and its change waits for a person. If it equals the desired
 * one, `records` has the record to make.
 */
export function planEdge(
  source: ServiceName,
  { ours, foreign }: Record<'ours' | 'foreign', IntentionSource | undefined>,
  input: DestinationInput,
  staysInEntry: boolean,
): EdgePlan {
  const subject = intentionSubject(input.destination, source.name);
  const lastApplied = parseLastAppliedText(input.lastApplied.get(subject));
  const former = formerClient(ours, input);
  const claimStatus = statusOfSource(source, former, input);
  const glass = edgeBreakGlass(source, claimStatus, lastApplied, input, ours);
  const edge: Edge = { source, subject, ours, lastApplied, former, claimStatus, glass, input };

  const deny = denyOf(source, ours, input);
  if (deny !== undefined) return planDenied(edge, deny, foreign);
  const desired = desiredOf(edge);
  if (desired === undefined) return { change: undefined, holds: glass.holds, awaits: [] };
  if (foreign !== undefined && ours === undefined) {
    const held = foreignHold(source, desired, foreign, lastApplied, input);
    return { change: undefined, holds: [...desired.holds, ...held], awaits: [] };
  }
  const outcome = outcomeOf(edge, desired, staysInEntry);
  const record = recordOf(edge, desired, outcome);
  return {
    holds: desired.holds,
    awaits: desired.awaits,
    ...(record === undefined ? {} : { record }),
    change: isSettled(edge, outcome) ? undefined : changeOf(edge, desired, outcome, record !== undefined),
  };
}

/** A denied edge has an owned deny, whatever is known of its client. What would be open is held. */
function planDenied(edge: Edge, deny: EdgeDeny, foreign: IntentionSource | undefined): EdgePlan {
  const { source, subject, ours, lastApplied, former, claimStatus, glass, input } = edge;
  if (claimStatus.kind === 'none' && claimStatus.isOutside && former === undefined) return NOTHING;
  const open = withBreakGlass(desiredAccess(source, claimStatus, input, undefined), glass);
  const holds = deniedHolds(source, open, deny, input);
  if (foreign !== undefined && ours === undefined) {
    const denied = { ...open, access: DENIED };
    return { ...NOTHING, holds: [...holds, ...foreignHold(source, denied, foreign, lastApplied, input)] };
  }
  const client = former ?? open.client;
  const isNew = ours === undefined ? !wasWritten(lastApplied) : (markedDeny(ours)?.isNew ?? false);
  const text = ours === undefined ? '' : textOfDescription(ours.description);
  const description = describeDeny(input.mapping.owner, client, { until: deny.until, isNew }, text);
  const grants = lastApplied?.grants ?? [];
  const opensBy = grants.map(toGrantText);
  if (ours !== undefined && isSame(ours.access, DENIED) && ours.description === description) {
    const isMissing = needsRecord(input.destination, ours, input);
    const record = [subject, toLastAppliedText(DENIED, opensBy)] as const;
    return { ...NOTHING, holds, ...(isMissing ? { record } : {}) };
  }
  const change: Change = {
    subject,
    resource: intentionResource(input.destination, source.name),
    source,
    action: 'revoke',
    verb: ours === undefined ? 'created' : 'updated',
    reason: 'PersonDenied',
    before: ours?.access,
    after: DENIED,
    description,
    ...(client === undefined ? {} : { client }),
    scopes: namesOf(grants),
    opensBy,
    isInferred: false,
    ruling: deny.part,
    narrows: true,
    widens: false,
  };
  return { ...NOTHING, change, holds };
}

/** The deny that an owned source was written for, in effect or not. */
function markedDeny(ours: IntentionSource | undefined) {
  return ours?.access.kind === 'deny' ? denyOfDescription(ours.description) : undefined;
}

/** What the edge should be; undefined if it stays as it is. */
function desiredOf(edge: Edge): Desired | undefined {
  const { source, ours, lastApplied, former, claimStatus, glass, input } = edge;
  // The mark names no client, so the client outside may have opened it.
  const mayBeOutside = claimStatus.kind === 'none' && claimStatus.isOutside && former === undefined;
  const isUnknown = isKept(claimStatus, ours, former, input);
  const isLeft =
    (isUnknown && (hasNoBreakGlass(glass) || ours?.access.kind === 'other')) ||
    (hasNoBreakGlass(glass) && isOpenForCommands(edge));
  if (mayBeOutside || isLeft || isUnclearButGranted(source, claimStatus, input, ours)) return undefined;
  const regular =
    isUnknown && ours !== undefined
      ? keptAccess(ours, former, lastApplied, glass)
      : desiredAccess(source, claimStatus, input, withoutBreakGlass(ours, glass));
  // What scopes open of it is unknown, so the mark says whether it was more.
  const scopes =
    isUnknown && ours !== undefined && endOfDescription(ours.description) !== undefined
      ? undefined
      : regular.access;
  return { ...withBreakGlass(regular, glass), until: endToMark(glass, scopes, ours, input) };
}

/** A command without a daemon knows no grants and no records, so it believes the mark. */
function isOpenForCommands({ subject, ours, input }: Edge): boolean {
  const end = ours?.access.kind === 'deny' ? undefined : endOfDescription(ours?.description ?? '');
  return input.unrecorded?.has(subject) === false && end !== undefined && end > input.breakGlass.now;
}

function outcomeOf(edge: Edge, desired: Desired, staysInEntry: boolean): Outcome {
  const { source, ours, glass, input } = edge;
  const { plansNarrowing } = policyOf(input.mapping);
  const closing = closingOf(glass, ours?.access);
  const isExplained = closing !== undefined && covers(desired.access, closing.left);
  // A mark without a record may close what it says, and opens nothing beside that.
  const isByMark = glass.markedEnd !== undefined && !covers(desired.access, closing?.before);
  const mayOnlyClose = !plansNarrowing || isByMark;
  const isStep =
    closing !== undefined &&
    !covers(closing.left, closing.before) &&
    (isExplained
      ? widens(closing.before, desired.access) && mayOnlyClose
      : lossOf(edge, desired).isInferred || !isRecordedHere(edge) || !plansNarrowing);
  const next = isStep ? closing.left : desired.access;
  const goes = next === undefined && (ours !== undefined || lacksWritten(edge));
  // Where a deny took away what only a wider intention gives, its end gives that back.
  const isNewDeny = markedDeny(ours)?.isNew === true && isRecordedHere(edge);
  const keepsClosed = goes && !isNewDeny && wouldOpen(source, input.entry, input.wildcard);
  const after: Access | undefined = keepsClosed || (goes && staysInEntry) ? { kind: 'deny' } : next;
  const description = descriptionFor(after, desired, ours, input.mapping.owner);
  return { after, description, isStep, isExplained, keepsClosed };
}

/** The record that an edge lacks which stays as it is. */
function recordOf(
  { subject, ours, lastApplied, input }: Edge,
  { opensBy }: DesiredAccess,
  { after }: Outcome,
): EdgePlan['record'] {
  if (ours === undefined || !isSame(ours.access, after)) return undefined;
  const isMissing = needsRecord(input.destination, ours, input) || hasOtherBreakGlass(lastApplied, opensBy);
  return isMissing ? [subject, toLastAppliedText(after, opensBy)] : undefined;
}

function changeOf(edge: Edge, desired: DesiredAccess, outcome: Outcome, getsRecord: boolean): Change {
  const { source, subject, ours, lastApplied, former, glass, input } = edge;
  const { after, description, isStep, isExplained, keepsClosed } = outcome;
  const before: ActualAccess = ours?.access;
  // A deny where the edge is gone takes away what the wider intention allows.
  const narrowing = before?.kind === 'other' || narrows(before, after) || (keepsClosed && lacksWritten(edge));
  const widening =
    before?.kind === 'other'
      ? after !== undefined && after.kind !== 'deny'
      : widens(before, after) ||
        (before?.kind === 'deny' && after === undefined && wouldOpen(source, input.entry, input.wildcard));
  const isNormalised = losesOnlyRawPaths(before, after);
  // What differs from the desired edge in the form of its paths alone was written before that form.
  const isUnrecorded = !getsRecord && !isNormalised && !isRecordedHere(edge);
  // Somebody restored what scopemesh removed, so no read decides about it.
  const wasRemoved = lastApplied !== undefined && !wasWritten(lastApplied);
  const endsBreakGlass = narrowing && (isStep || isExplained);
  const loss = isNormalised
    ? { reason: 'PathNormalised' as const, scopes: [], isInferred: false }
    : endsBreakGlass
      ? { reason: endReason(lossOf(edge, desired)), scopes: [], isInferred: false }
      : lossOf(edge, desired);
  const opened = union(before?.kind === 'other' ? undefined : before, openedBy(glass));
  const opensBreakGlass = widening && glass.opening.length > 0 && covers(opened, after);
  const breakGlass =
    opensBreakGlass && !narrowing
      ? openingPart(glass.opening, input)
      : endsBreakGlass && !widening
        ? closingPart(glass, input)
        : undefined;
  const endsMark = isSame(before, after) && isMarkOver(edge, description);
  const isDrift = lastApplied?.digest === digest(after) && !endsMark;
  const loses = narrowing || after === undefined;
  const endsDeny = markedDeny(ours) !== undefined;
  const reason = reasonOf({
    subject,
    keepsClosed,
    loses,
    isDrift,
    loss,
    opensBreakGlass,
    endsDeny,
    endsMark,
    input,
  });
  const client = desired.client ?? former;
  return {
    subject,
    resource: intentionResource(input.destination, source.name),
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
    ...(isUnrecorded && !endsBreakGlass ? { isUnrecorded } : {}),
    ...(breakGlass === undefined ? {} : { breakGlass }),
    narrows: narrowing,
    widens: widening,
  };
}

/** Why the edge loses access, apart from break-glass grants. */
function lossOf(
  { ours, claimStatus, lastApplied, former, input }: Edge,
  desired: DesiredAccess,
): RevocationCause {
  const desiredScopes = desired.scopes;
  return revocationCause({ claimStatus, lastApplied, former, desiredScopes, current: ours?.access, input });
}

/** Whether the mark loses the end of a grant that opened the edge. */
function isMarkOver({ ours, lastApplied }: Edge, description: string): boolean {
  const isMarked = endOfDescription(ours?.description ?? '') !== undefined;
  const isLost = endOfDescription(description) === undefined;
  return isMarked && isLost && (lastApplied?.breakGlass.length ?? 0) > 0;
}

/** Whether the edge was written and is gone. */
function lacksWritten({ ours, lastApplied }: Edge): boolean {
  return ours === undefined && wasWritten(lastApplied);
}

function isRecordedHere({ ours, input }: Edge): boolean {
  return ours === undefined || isRecorded(input.destination, ours, input);
}

/** Whether every plain path stays open: the rule did so before paths were normalised, or with `rawPath`. */
function losesOnlyRawPaths(before: ActualAccess, after: Access | undefined): boolean {
  return before?.kind === 'http' && after?.kind === 'http' && covers(after, plainPart(before));
}

/**
 * A deny keeps its Description. The Description of an access names the client and the end of a break-glass grant, and keeps
 * the text of an adopted source.
 */
function descriptionFor(
  after: Access | undefined,
  { client, until }: Desired,
  ours: IntentionSource | undefined,
  owner: string,
): string {
  if (after === undefined || after.kind === 'deny') return ours?.description ?? describeSource(owner, client);
  if (ours === undefined) return describeSource(owner, client, '', until);
  if (client === undefined && endOfDescription(ours.description) === until) return ours.description;
  const named = client ?? clientOfDescription(ours.description);
  return describeSource(owner, named, textOfDescription(ours.description), until);
}

function isSettled({ ours }: Edge, { after, description }: Outcome): boolean {
  if (!isSame(ours?.access, after)) return false;
  return ours === undefined || after === undefined || ours.description === description;
}

function isSame(before: ActualAccess, after: Access | undefined): boolean {
  return before?.kind !== 'other' && sameAccess(before, after);
}

function reasonOf(facts: {
  subject: string;
  keepsClosed: boolean;
  loses: boolean;
  isDrift: boolean;
  loss: RevocationCause;
  opensBreakGlass: boolean;
  endsDeny: boolean;
  endsMark: boolean;
  input: DestinationInput;
}): ChangeReason {
  if (facts.isDrift) return 'DriftCorrected';
  if (facts.endsMark) return 'BreakGlassEnded';
  if (facts.keepsClosed) return 'WildcardWouldAllow';
  if (facts.endsDeny && !facts.opensBreakGlass) return 'DenyEnded';
  if (facts.loses) return facts.loss.reason;
  if (facts.opensBreakGlass) return 'BreakGlass';
  return facts.input.openingReasons.get(facts.subject) ?? facts.input.grantReason;
}
