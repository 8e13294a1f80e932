import type { BreakGlass } from '../model/break-glass.js';
import type { ChangeReason } from '../model/decision.js';
import { definedFields } from '../model/defined-fields.js';
import type { Access, IntentionSource, ServiceName } from '../model/intention.js';
import { covers, intersection, union, without } from './access.js';
import { classify, needsHuman } from './actor.js';
import {
  breakGlassAccess,
  breakGlassState,
  breakGlassText,
  CLOCKS_APART_MS,
  endOf,
  isOfEdge,
  parseBreakGlassText,
  toBreakGlassText,
  unionOf,
} from './break-glass.js';
import type { ClaimStatus } from './claim-status.js';
import type { DesiredAccess } from './desired-access.js';
import type { DestinationInput } from './destination-input.js';
import { isRecorded } from './edge-record.js';
import { namesOf, toGrantText } from './grant-text.js';
import type { LastApplied } from './last-applied.js';
import { endOfDescription, hasRoomForEnd, textOfDescription } from './ownership.js';
import {
  type ActualAccess,
  type BreakGlassPart,
  type Hold,
  intentionResource,
  intentionSubject,
  type PlannedClient,
} from './plan.js';
import type { RevocationCause } from './revocation-cause.js';
import { quarantineText } from './stored-block.js';
import { type ClientId, clientText, findClient, isUnreadable, mayOnlyLose } from './world.js';

/** The break-glass grants of one edge. */
export interface EdgeBreakGlass {
  /** They open the edge, with the access of each. */
  readonly opening: readonly { readonly glass: BreakGlass; readonly access: Access }[];
  /** Those of them that opened it before, as far as it is recorded. */
  readonly opened: readonly BreakGlass[];
  /** They opened the edge, as far as it is recorded, and do not any more. */
  readonly closing: readonly BreakGlass[];
  /** Nothing else opened the edge than a grant that is not known any more, as a record or `markedEnd` says. */
  readonly isOrphaned: boolean;
  /** Without a record: the end of a grant in the mark, which is over. */
  readonly markedEnd?: number;
  /** Why grants that are open do not open the edge. */
  readonly holds: readonly Hold[];
}

const NONE: EdgeBreakGlass = { opening: [], opened: [], closing: [], isOrphaned: false, holds: [] };

/** What is refused here is refused for every grant of the edge; without a reason nothing is mentioned. */
type Refusal = { readonly reason: Hold['reason']; readonly detail: string } | 'outside' | undefined;

export function edgeBreakGlass(
  source: ServiceName,
  claimStatus: ClaimStatus,
  lastApplied: LastApplied | undefined,
  input: DestinationInput,
  ours: IntentionSource | undefined,
): EdgeBreakGlass {
  const { destination, mapping, breakGlass } = input;
  const here = breakGlass.grants.filter((each) => isOfEdge(each, source, destination));
  const markedEnd = overByMark(ours, input);
  const isOrphaned =
    (lastApplied !== undefined &&
      lastApplied.grants.length === 0 &&
      lastApplied.breakGlass.some((id) => !here.some((each) => each.id === id))) ||
    markedEnd !== undefined;
  const orphan = { isOrphaned, ...definedFields({ markedEnd }) };
  if (here.length === 0) return { ...NONE, ...orphan };
  const open = here.filter((each) => breakGlassState(each, mapping, breakGlass.now) === 'open');
  const wasApplied = ({ id }: BreakGlass) => lastApplied === undefined || lastApplied.breakGlass.includes(id);
  const kept = ours === undefined || ours.access.kind === 'other' ? undefined : ours.access;
  const opening: { glass: BreakGlass; access: Access }[] = [];
  const holds: Hold[] = [];
  const refused: BreakGlass[] = [];
  for (const glass of open) {
    const access = breakGlassAccess(glass);
    const refusal = refusalOf(glass, claimStatus, access, input) ?? roomRefusal(ours, input);
    const doubt = doubtAbout(glass, claimStatus, input);
    // In doubt nothing opens.
    const part = doubt === undefined ? access : wasApplied(glass) ? intersection(kept, access) : undefined;
    if (refusal === undefined && part !== undefined) opening.push({ glass, access: part });
    // In doubt nothing closes either.
    else if (refusal !== undefined || doubt === undefined) refused.push(glass);
    const why = refusal ?? (covers(part, access) ? undefined : doubt);
    if (why !== undefined && why !== 'outside')
      holds.push({
        subject: intentionSubject(destination, source.name),
        resource: intentionResource(destination, source.name),
        ...why,
        action: 'grant',
        scopes: [],
        after: access,
      });
  }
  const ended = here.filter((each) => breakGlassState(each, mapping, breakGlass.now) === 'ended');
  const opened = opening.map(({ glass }) => glass).filter(wasApplied);
  return { opening, opened, closing: [...ended, ...refused].filter(wasApplied), ...orphan, holds };
}

/**
 * The end of the grant that opened this source, if it is over and nothing but the mark is left of it. Everybody who may write the entry can
 * write that mark, and can close the edge anyway. No grant ends later than the longest one that begins now, so neither a later
 * end nor a clock that is set back keeps anything open.
 */
function overByMark(ours: IntentionSource | undefined, input: DestinationInput): number | undefined {
  if (ours === undefined || ours.access.kind === 'deny' || ours.access.kind === 'other') return undefined;
  const end = endOfDescription(ours.description);
  if (end === undefined || isRecorded(input.destination, ours, input)) return undefined;
  const { breakGlass: limits } = input.mapping;
  const { now } = input.breakGlass;
  const isOver = limits === undefined || end <= now || end - now > limits.longestMs + CLOCKS_APART_MS;
  return isOver ? end : undefined;
}

/** The end of a grant is in the mark of its source, for a leader without the store. */
function roomRefusal(
  ours: IntentionSource | undefined,
  { mapping }: DestinationInput,
): Exclude<Refusal, 'outside'> {
  if (ours === undefined || hasRoomForEnd(mapping.owner, textOfDescription(ours.description)))
    return undefined;
  return refuse(
    'the Description of the intention is too long to take the end of the break-glass grant beside its own text; shorten the text',
  );
}

/** Protected services, quarantines, `select` and the limits of actors come first. */
function refusalOf(
  glass: BreakGlass,
  claimStatus: ClaimStatus,
  access: Access | undefined,
  input: DestinationInput,
): Refusal {
  const { destination, mapping, world, protocol } = input;
  if (claimStatus.kind === 'none' && claimStatus.isOutside) return 'outside';
  if (mapping.select?.hasPlace(claimStatus.service) === false) return 'outside';
  if (mapping.protectedServices.includes(destination.name.toLowerCase()))
    return {
      reason: 'ProtectedDestination',
      detail: 'guards.protected lists this destination, so no break-glass grant opens it',
    };
  if (access === undefined) return refuse('the path of the break-glass grant is not plain');
  if (access.kind === 'http' && protocol === 'tcp')
    return {
      reason: 'ProtocolUnsuitable',
      detail:
        'Consul enforces methods and paths only for HTTP destinations, and this destination uses tcp; ask for a break-glass grant without them, or set Protocol http in its service-defaults',
    };
  const last = lastingRefusal(glass, claimStatus, input);
  if (last !== undefined) return last;
  return clientsOf(glass, claimStatus).some((id) => world.clientBlocks.has(clientText(id)))
    ? refuse('the client of the source is closed until its identity provider can be read again')
    : undefined;
}

function refuse(detail: string): Exclude<Refusal, 'outside'> {
  return { reason: 'BreakGlassRefused', detail };
}

/** The client that the source claims now and the one that it claimed when the grant was asked for. */
function clientsOf({ client }: BreakGlass, claimStatus: ClaimStatus): readonly ClientId[] {
  const now = claimStatus.kind === 'none' ? undefined : claimStatus.client;
  return [now, client].flatMap((id) => (id === undefined || id.clientId === '' ? [] : id));
}

/**
 * What ends a grant for good: a source that was compromised must not open its edge again by another claim, or by none.
 */
export function lastingRefusal(
  glass: BreakGlass,
  claimStatus: ClaimStatus,
  { mapping, world }: Pick<DestinationInput, 'mapping' | 'world'>,
): Exclude<Refusal, 'outside'> {
  for (const id of clientsOf(glass, claimStatus)) {
    const block = world.clientBlocks.get(clientText(id));
    if (block === 'ClientQuarantined') return { reason: block, detail: quarantineText(id) };
    const isRead = world.directories.has(id.provider) || mayOnlyLose(world, id);
    if (!isRead || isUnreadable(world, id)) continue;
    const client = findClient(world, id);
    if (client === undefined || !client.enabled)
      return refuse(
        'the identity provider has disabled or deleted the client of the source, and a break-glass grant does not undo that',
      );
    if (needsHuman(classify(client, mapping), mapping))
      return refuse(
        'the client of the source may act only for a human, and a break-glass grant carries no token of a user',
      );
  }
  return undefined;
}

/** Why it is unknown whether the client of the source is disabled or quarantined. */
function doubtAbout(glass: BreakGlass, claimStatus: ClaimStatus, { world }: DestinationInput): Refusal {
  if (world.catalog === undefined) return refuse('the catalog has not been read, so nothing opens');
  const isInDoubt =
    claimStatus.kind === 'unknown' ||
    clientsOf(glass, claimStatus).some(
      (id) => !world.directories.has(id.provider) || isUnreadable(world, id),
    );
  return isInDoubt
    ? refuse(
        'the client of the source has not been read at its identity provider, so the edge stays as it is and nothing opens',
      )
    : undefined;
}

/** What scopes may keep of an edge that they must not widen: nothing that only a grant opened. */
export function withoutBreakGlass(
  ours: IntentionSource | undefined,
  { opened, closing, isOrphaned }: EdgeBreakGlass,
): IntentionSource | undefined {
  const grants = [...opened, ...closing];
  if (ours === undefined || ours.access.kind === 'other' || (grants.length === 0 && !isOrphaned)) return ours;
  const access = isOrphaned ? undefined : without(ours.access, unionOf(grants));
  return access === undefined ? undefined : { ...ours, access };
}

/** Whether no grant opens or closes the edge. */
export function hasNoBreakGlass({ opening, closing, isOrphaned }: EdgeBreakGlass): boolean {
  return opening.length + closing.length === 0 && !isOrphaned;
}

/**
 * The end to write into the mark: the first one of the grants that open more than scopes do. `scopes`: what those open;
 * undefined if unknown. An end that is there stays as long as its grant.
 */
export function endToMark(
  { opening }: EdgeBreakGlass,
  scopes: Access | undefined,
  ours: IntentionSource | undefined,
  { mapping }: DestinationInput,
): number | undefined {
  const limits = mapping.breakGlass ?? { longestMs: 0 };
  const ends = opening.flatMap(({ glass, access }) => (covers(scopes, access) ? [] : endOf(glass, limits)));
  if (ends.length > 0) return Math.min(...ends);
  const marked = endOfDescription(ours?.description ?? '');
  return opening.some(({ glass }) => endOf(glass, limits) === marked) ? marked : undefined;
}

/** The desired access with what the grants open. */
export function withBreakGlass(
  regular: DesiredAccess,
  { opening, holds }: Pick<EdgeBreakGlass, 'opening' | 'holds'>,
): DesiredAccess {
  if (opening.length + holds.length === 0) return regular;
  const opensBy = [...regular.opensBy, ...opening.map(({ glass }) => toBreakGlassText(glass.id))];
  return {
    ...regular,
    access: opening.reduce<Access | undefined>((sum, { access }) => union(sum, access), regular.access),
    opensBy: opensBy.toSorted(),
    holds: [...regular.holds, ...holds],
  };
}

/** Of an edge about whose client nothing is known: what is there, without what closes. */
export function keptAccess(
  { access }: IntentionSource,
  client: PlannedClient | undefined,
  lastApplied: LastApplied | undefined,
  { closing, isOrphaned }: EdgeBreakGlass,
): DesiredAccess {
  const grants = lastApplied?.grants ?? [];
  return {
    access: access.kind === 'other' || isOrphaned ? undefined : without(access, unionOf(closing)),
    scopes: namesOf(grants),
    opensBy: grants.map(toGrantText),
    client,
    holds: [],
    awaits: [],
  };
}

export function openingPart(
  opening: EdgeBreakGlass['opening'],
  { mapping }: DestinationInput,
): BreakGlassPart {
  const limits = mapping.breakGlass ?? { longestMs: 0 };
  return {
    detail: opening.map(({ glass }) => breakGlassText(glass, endOf(glass, limits))).join('; '),
    by: opening[0]?.glass.approvedBy ?? opening[0]?.glass.askedBy,
    does: 'open',
    passesFreeze: opening.every(({ glass }) => glass.duringFreeze),
  };
}

export function closingPart(
  { closing, markedEnd }: Pick<EdgeBreakGlass, 'closing' | 'markedEnd'>,
  { mapping }: DestinationInput,
): BreakGlassPart {
  const limits = mapping.breakGlass ?? { longestMs: 0 };
  const part = { by: undefined, does: 'close', passesFreeze: true } as const;
  if (closing.length > 0) {
    const texts = closing.map((each) => breakGlassText(each, each.endedAt ?? endOf(each, limits)));
    return { ...part, detail: texts.join('; ') };
  }
  if (markedEnd === undefined) return { ...part, detail: 'a break-glass grant that is over opened it' };
  const until = new Date(markedEnd).toISOString();
  const detail = `only the mark of the source says that a break-glass grant opened it, until ${until}; no record of scopemesh names the grant`;
  return { ...part, detail, isByMark: true };
}

/** What an edge keeps when its break-glass grants close; undefined if none closes here. */
export function closingOf(
  { closing, opening, isOrphaned }: EdgeBreakGlass,
  before: ActualAccess,
): { readonly before: Access; readonly left: Access | undefined } | undefined {
  if ((closing.length === 0 && !isOrphaned) || before === undefined || before.kind === 'other')
    return undefined;
  const left = isOrphaned ? undefined : without(before, unionOf(closing));
  const still = intersection(before, openedBy({ opening }));
  return { before, left: union(left, still) };
}

export function openedBy({ opening }: Pick<EdgeBreakGlass, 'opening'>): Access | undefined {
  return opening.reduce<Access | undefined>((sum, { access }) => union(sum, access), undefined);
}

/** A cause that no read decides says more than the end of the grant. */
export function endReason({ reason, isInferred }: RevocationCause): ChangeReason {
  const isOwn =
    reason === 'ClientQuarantined' || reason === 'RevocationUnconfirmed' || reason === 'ProtectedService';
  return isOwn && !isInferred ? reason : 'BreakGlassEnded';
}

/** The scopes and grants to record when only the grants close. */
export function recordAfterClosing(
  lastApplied: LastApplied | undefined,
  { opening }: EdgeBreakGlass,
): readonly string[] {
  return [
    ...(lastApplied?.grants ?? []).map(toGrantText),
    ...opening.map(({ glass }) => toBreakGlassText(glass.id)),
  ].toSorted();
}

/** Whether the record names other grants than those that open the edge now. */
export function hasOtherBreakGlass(
  lastApplied: LastApplied | undefined,
  opensBy: readonly string[],
): boolean {
  if (lastApplied === undefined) return false;
  const now = opensBy.flatMap((text) => parseBreakGlassText(text) ?? []);
  return now.toSorted().join() !== lastApplied.breakGlass.toSorted().join();
}
