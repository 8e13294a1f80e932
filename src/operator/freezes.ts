import { z } from 'zod';
import { holdTriggers } from '../apply/record-holds.js';
import { isoInstant } from '../clock.js';
import { type Cause, type Principal, principalText } from '../model/cause.js';
import type { Freeze } from '../model/freeze.js';
import { plainDecision } from '../model/plain-decision.js';
import { isOver, longestFreeze } from '../plan/freeze.js';
import { commandOf, type OperatorDeps, stampOf } from './deps.js';
import { StoredPrincipal } from './stored-principal.js';

/*
 * A freeze is kept in the journal, in one step with its decision: no crash separates them, and each leader reads it before
 * its first plan. The freezes of the schedule follow from the clock. The journal only notes that their begin has a decision.
 */

export type FreezeDeps = Pick<
  OperatorDeps,
  'journal' | 'world' | 'clock' | 'source' | 'newId' | 'logger' | 'onSettled' | 'askForSweep' | 'queue'
>;

/** What a person asks for. */
export interface FreezeRequest {
  readonly reason?: string | undefined;
  /** Undefined: until a person ends it. */
  readonly forMs?: number | undefined;
}

export type FreezeEnd =
  /** `left`: a freeze of the schedule that goes on. */
  | { readonly kind: 'ended'; readonly left: Freeze | undefined }
  /** Only the configuration ends a freeze of the schedule. */
  | { readonly kind: 'scheduled'; readonly freeze: Freeze }
  | { readonly kind: 'none' };

export const NO_FREEZE = 'no freeze is in effect';
export const SCHEDULED_FREEZE =
  'the freeze in effect is one of guards.freeze; to end it, change the file and reload it';

type Kind = Freeze['kind'];

const Stored = z.object({
  since: z.number(),
  until: z.number().exactOptional(),
  reason: z.string().exactOptional(),
  by: StoredPrincipal.exactOptional(),
});

/** Before the first plan of a process. */
export async function restoreFreeze(deps: Pick<FreezeDeps, 'journal' | 'world'>): Promise<void> {
  deps.world.freezes.start(await storedFreeze('started', deps));
}

/** The freeze in effect by the store, for a process that may not lead. */
export async function readFreeze(
  deps: Pick<FreezeDeps, 'journal' | 'world' | 'clock'>,
): Promise<Freeze | undefined> {
  const now = deps.clock.now();
  const { freezes } = deps.world;
  const started = await storedFreeze('started', deps);
  const inEffect = started !== undefined && isOver(started, now) ? undefined : started;
  return longestFreeze([freezes.scheduledAt(now), inEffect]);
}

/** In effect for every plan after it resolves. It takes the place of one that a person started before. */
export async function startFreeze(
  { reason, forMs }: FreezeRequest,
  by: Principal,
  deps: FreezeDeps,
): Promise<Freeze> {
  const { freezes } = deps.world;
  return freezes.mutex.run(async () => {
    const since = deps.clock.now();
    const until = forMs === undefined ? {} : { until: since + forMs };
    const why = reason === undefined ? {} : { reason };
    const freeze: Freeze = { kind: 'started', since, ...until, ...why, by };
    const before = await storedFreeze('started', deps);
    await settle(freeze, { before, after: freeze, ...why, cause: commandOf(by, deps) }, deps);
    freezes.start(freeze);
    return freeze;
  });
}

/** Ends the freeze that a person started, and lets everything that it held be planned. */
export async function endFreeze(
  reason: string | undefined,
  by: Principal,
  deps: FreezeDeps,
): Promise<FreezeEnd> {
  const { freezes } = deps.world;
  return freezes.mutex.run(async () => {
    const now = deps.clock.now();
    const scheduled = freezes.scheduledAt(now);
    const before = await storedFreeze('started', deps);
    await followRecord(before, 'command', deps);
    if (before === undefined)
      return scheduled === undefined ? { kind: 'none' } : { kind: 'scheduled', freeze: scheduled };
    await settle(before, { before, after: undefined, reason, cause: commandOf(by, deps) }, deps);
    await followRecord(undefined, 'command', deps);
    return { kind: 'ended', left: scheduled };
  });
}

/** Records what the clock began and ended since the last call, and lets everything that a freeze held be planned. */
export async function followClock(deps: FreezeDeps): Promise<void> {
  const { freezes } = deps.world;
  await freezes.mutex.run(async () => {
    const now = deps.clock.now();
    const cause: Cause = { kind: 'resync', receivedAt: new Date(now).toISOString() };
    const [started, noted] = [await storedFreeze('started', deps), await storedFreeze('scheduled', deps)];
    await followRecord(started, 'resync', deps);
    const scheduled = freezes.scheduledAt(now);
    if (scheduled !== undefined && noted === undefined)
      await settle(scheduled, { before: undefined, after: scheduled, cause }, deps);
    const over = started !== undefined && isOver(started, now) ? started : undefined;
    const ended = [over, scheduled === undefined ? noted : undefined].filter((each) => each !== undefined);
    // Before the record of the end: if that fails, both are made again.
    if (ended.length > 0 && freezes.at(now) === undefined) await thaw('resync', deps);
    for (const each of ended) await settle(each, { before: each, after: undefined, cause }, deps);
    if (over !== undefined) freezes.start(undefined);
  });
}

/** Plans follow the record: a write whose answer was lost may have been made. */
async function followRecord(
  recorded: Freeze | undefined,
  kind: 'command' | 'resync',
  deps: FreezeDeps,
): Promise<void> {
  const { freezes } = deps.world;
  const before = freezes.start(recorded);
  if (before === undefined || recorded !== undefined || freezes.at(deps.clock.now()) !== undefined) return;
  try {
    await thaw(kind, deps);
  } catch (error) {
    // The next call finds the difference again.
    freezes.start(before);
    throw error;
  }
}

/** Every key with a hold is planned at once, and the comparison finds what has none. */
async function thaw(kind: 'command' | 'resync', deps: FreezeDeps): Promise<void> {
  deps.askForSweep();
  const cause = { kind, receivedAt: isoInstant(deps.clock) };
  await deps.queue.add(await holdTriggers(cause, deps));
}

async function settle(
  { kind }: Freeze,
  change: {
    readonly before: Freeze | undefined;
    readonly after: Freeze | undefined;
    readonly reason?: string | undefined;
    readonly cause: Cause;
  },
  deps: FreezeDeps,
): Promise<void> {
  const { owner } = deps.world.mapping;
  const { before, after, reason, cause } = change;
  const subject = subjectOf(kind, owner);
  const decision = plainDecision(
    {
      resource: { kind: 'config', name: owner },
      verb: 'updated',
      subject,
      outcome: 'applied',
      reason: after === undefined ? 'FreezeEnded' : 'FreezeStarted',
      cause,
      ...(reason === undefined ? {} : { detail: reason }),
      before: toFreezeView(before),
      after: toFreezeView(after),
    },
    stampOf(deps),
  );
  const stored = after === undefined ? null : JSON.stringify(after);
  await deps.journal.settle(keyOf(owner), [decision], { lastApplied: new Map([[subject, stored]]) });
  deps.onSettled();
  const by = cause.principal && principalText(cause.principal);
  const fields = { kind, until: toFreezeView(after)?.until, by, reason };
  if (after === undefined) deps.logger.info(fields, 'a freeze ended; what it held is planned now');
  else deps.logger.warn(fields, 'a freeze began: only revocations pass until it ends');
}

/** As decisions and `/statusz` show it. */
export function toFreezeView(freeze: Freeze | undefined) {
  if (freeze === undefined) return null;
  const { kind, since, until, reason, by } = freeze;
  return {
    kind,
    since: new Date(since).toISOString(),
    until: until === undefined ? null : new Date(until).toISOString(),
    reason: reason ?? null,
    by: by === undefined ? null : principalText(by),
  };
}

async function storedFreeze(
  kind: Kind,
  { journal, world }: Pick<FreezeDeps, 'journal' | 'world'>,
): Promise<Freeze | undefined> {
  const { owner } = world.mapping;
  const text = (await journal.read(keyOf(owner))).lastApplied.get(subjectOf(kind, owner));
  return text === undefined ? undefined : { kind, ...Stored.parse(JSON.parse(text)) };
}

function keyOf(owner: string): string {
  return `freeze/${owner}`;
}

function subjectOf(kind: Kind, owner: string): string {
  return kind === 'started' ? keyOf(owner) : `${keyOf(owner)}/schedule`;
}
