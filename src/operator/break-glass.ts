import type { BreakGlass } from '../model/break-glass.js';
import { type Cause, isSamePerson, type Principal, principalText } from '../model/cause.js';
import type { Outcome, Reason, Verb } from '../model/decision.js';
import { definedFields } from '../model/defined-fields.js';
import { plainDecision } from '../model/plain-decision.js';
import { destinationOf, type RulingEnd } from '../model/ruling.js';
import { breakGlassState } from '../plan/break-glass.js';
import { toBreakGlassView } from '../plan/break-glass-view.js';
import { freezeText } from '../plan/freeze.js';
import { serviceText } from '../plan/world.js';
import { type BreakGlassRequest, refusalOf } from './break-glass-request.js';
import { commandOf, stampOf } from './deps.js';
import { follow, inTurn, type RulingDeps, type RulingKind, recordRuling, replan } from './ruling-store.js';
import { parseStoredText } from './stored-break-glass.js';

export type BreakGlassEnd = Exclude<RulingEnd<BreakGlass>, { kind: 'first' }>;

const UNKNOWN = 'no break-glass grant has this ID; it may be over';

/** The mark of the source in Consul says the end of a grant too, for the case that the store is lost. */
export const GRANTS: RulingKind<BreakGlass> = {
  name: 'break-glass',
  parse: parseStoredText,
  recordOf: ({ id }) => subjectOf(id),
  knownTo: ({ breakGlass }) => breakGlass,
  replan: ({ before, after }, why, deps) => replan([...before, ...after].map(destinationOf), why, deps),
};

/** Opens the edge, or records that a second person must approve it. The grant is in every plan after it resolves. */
export function requestBreakGlass(
  request: BreakGlassRequest,
  by: Principal,
  deps: RulingDeps,
): Promise<BreakGlassEnd> {
  return decideInTurn(deps, async (now) => {
    const { duringFreeze = false, ...requested } = request;
    const asked: BreakGlass = {
      ...requested,
      ...definedFields({ client: clientOf(requested, deps) }),
      ...{ id: deps.newId(), duringFreeze, askedAt: now, askedBy: by },
    };
    const why = refusalOf(asked, deps);
    if (why !== undefined) return { kind: 'refused', why };
    const isAlone = deps.world.mapping.approvers === 1;
    const glass: BreakGlass = isAlone ? { ...asked, openedAt: now, remindedAt: now } : asked;
    const act = isAlone ? OPENED : ASKED;
    await settle(glass, { ...act, after: glass, cause: commandOf(by, deps), detail: glass.reason }, deps);
    return { kind: 'done', ruling: glass };
  });
}

/** The second person opens the edge. */
export function approveBreakGlass(id: string, by: Principal, deps: RulingDeps): Promise<BreakGlassEnd> {
  return inTurnOf(id, deps, async (found, now) => {
    const why = whyNotApproved(found, by, now, deps);
    if (why !== undefined) return { kind: 'refused', why };
    const client = found.client ?? clientOf(found, deps);
    const glass: BreakGlass = {
      ...found,
      ...definedFields({ client }),
      ...{ openedAt: now, remindedAt: now, approvedBy: by },
    };
    const detail = `${principalText(found.askedBy)} asked, ${principalText(by)} approved: ${found.reason}`;
    await settle(glass, { ...OPENED, before: found, after: glass, cause: commandOf(by, deps), detail }, deps);
    return { kind: 'done', ruling: glass };
  });
}

function whyNotApproved(found: BreakGlass, by: Principal, now: number, deps: RulingDeps): string | undefined {
  const state = breakGlassState(found, deps.world.mapping, now);
  if (state === 'open') return 'this break-glass grant is open already';
  if (state !== 'asked') return 'this break-glass grant is over; ask again';
  if (isSamePerson(found.askedBy, by))
    return `${principalText(found.askedBy)} asked for this break-glass grant, so another person must approve it`;
  return refusalOf(found, deps);
}

/** Closes the edge, or drops the request. */
export function endBreakGlass(
  id: string,
  reason: string,
  by: Principal,
  deps: RulingDeps,
): Promise<BreakGlassEnd> {
  return inTurnOf(id, deps, async (found, now) => {
    if (breakGlassState(found, deps.world.mapping, now) === 'ended')
      return { kind: 'refused', why: 'this break-glass grant is over already' };
    const why = { cause: commandOf(by, deps), detail: `${principalText(by)}: ${reason}` };
    return { kind: 'done', ruling: await settleEnd(found, now, why, deps) };
  });
}

/** The time by which grants end does not go back. */
function decideInTurn(
  deps: RulingDeps,
  decide: (now: number) => Promise<BreakGlassEnd>,
): Promise<BreakGlassEnd> {
  return inTurn(GRANTS, 'command', deps, (now) => decide(deps.world.breakGlass.advance(now)));
}

function inTurnOf(
  id: string,
  deps: RulingDeps,
  decide: (found: BreakGlass, now: number) => Promise<BreakGlassEnd>,
): Promise<BreakGlassEnd> {
  return decideInTurn(deps, async (now) => {
    const found = deps.world.breakGlass.all.find((each) => each.id === id);
    return found === undefined ? { kind: 'unknown', why: UNKNOWN } : decide(found, now);
  });
}

/** Records the end of a grant that is over, and lets its destination be planned. */
export async function settleEnd(
  found: BreakGlass,
  now: number,
  { cause, detail }: { readonly cause: Cause; readonly detail: string },
  deps: RulingDeps,
): Promise<BreakGlass> {
  const glass: BreakGlass = { ...found, endedAt: now };
  await settle(glass, { ...ENDED, before: found, after: glass, cause, detail }, deps);
  return glass;
}

interface Act {
  readonly verb: Verb;
  readonly outcome: Outcome;
  readonly reason: Reason;
}

const ASKED: Act = { verb: 'held', outcome: 'held', reason: 'BreakGlassAsked' };
export const OPENED: Act = { verb: 'created', outcome: 'applied', reason: 'BreakGlass' };
const ENDED: Act = { verb: 'deleted', outcome: 'applied', reason: 'BreakGlassEnded' };
export const REMINDER: Act = { verb: 'updated', outcome: 'observed', reason: 'BreakGlassReminder' };

/** The record and its decision in one step, then the plan. */
export async function settle(
  glass: BreakGlass,
  change: Act & {
    readonly before?: BreakGlass;
    readonly after: BreakGlass;
    readonly cause: Cause;
    readonly detail: string;
  },
  deps: RulingDeps,
): Promise<void> {
  const { world, logger } = deps;
  const { verb, outcome, reason, before, after, cause, detail } = change;
  const { id, source, destination, partition, namespace } = glass;
  const subject = subjectOf(id);
  const view = (each: BreakGlass | undefined) =>
    each === undefined
      ? null
      : toBreakGlassView(each, world.mapping, world.breakGlass.timeAt(deps.clock.now()));
  const stamp = stampOf(deps);
  // `scopemesh approve` takes the ID of the grant, as it takes that of a held decision.
  const isFirst = before === undefined;
  const decision = plainDecision(
    {
      resource: { kind: 'break-glass', name: id, source, destination, namespace, partition },
      verb,
      subject,
      outcome,
      reason,
      cause,
      detail,
      before: view(before),
      after: view(after),
    },
    isFirst ? { ...stamp, newId: () => id } : stamp,
  );
  await recordRuling(GRANTS, after, { decision }, deps);
  const fields = { ...definedFields({ by: cause.principal?.id }), id, source, destination, reason, detail };
  logger.warn(fields, MESSAGES[verb] ?? 'a break-glass grant changed');
  await follow(GRANTS, cause.kind === 'command' ? 'command' : 'resync', deps);
}

const MESSAGES: Partial<Record<Verb, string>> = {
  held: 'a person asks for a break-glass grant; another one must approve it',
  created: 'a break-glass grant opens an edge that the identity provider does not grant',
  updated: 'a break-glass grant is still open',
  deleted: 'a break-glass grant ended; its edge is being closed',
};

/** What keeps the edge closed for now. */
export function heldBy(
  glass: BreakGlass,
  { world, clock }: Pick<RulingDeps, 'world' | 'clock'>,
): string | undefined {
  const freeze = world.freezes.at(clock.now());
  return freeze === undefined || glass.duringFreeze ? undefined : freezeText(freeze);
}

/** What the source claims now. */
function clientOf(
  glass: Pick<BreakGlass, 'source' | 'partition' | 'namespace'>,
  { world, clock }: Pick<RulingDeps, 'world' | 'clock'>,
): BreakGlass['client'] {
  const status = world.claimStatuses(clock.now()).get(serviceText({ ...glass, name: glass.source }));
  if (status === undefined || status.kind === 'none' || status.client.clientId === '') return undefined;
  return { provider: status.client.provider, clientId: status.client.clientId };
}

function subjectOf(id: string): string {
  return `break-glass/${id}`;
}
