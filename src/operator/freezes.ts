import { z } from 'zod';
import { holdTriggers } from '../apply/record-holds.js';
import { isoInstant } from '../clock.js';
import { type Cause, type Principal, principalText } from '../model/cause.js';
import { FREEZE_KINDS, type Freeze } from '../model/freeze.js';
import { plainDecision } from '../model/plain-decision.js';
import type { RulingEnd } from '../model/ruling.js';
import { isOver, longestFreeze } from '../plan/freeze.js';
import { commandOf, stampOf } from './deps.js';
import {
  follow,
  inTurn,
  type RulingDeps,
  type RulingKind,
  readRulings,
  recordRuling,
} from './ruling-store.js';
import { StoredPrincipal } from './stored-principal.js';

/** What a person asks for. */
export interface FreezeRequest {
  readonly reason?: string | undefined;
  /** Undefined: until a person ends it. */
  readonly forMs?: number | undefined;
}

export const NO_FREEZE = 'no freeze is in effect';
export const SCHEDULED_FREEZE =
  'the freeze in effect is one of guards.freeze; to end it, change the file and reload it';

const Stored = z.object({
  kind: z.enum(FREEZE_KINDS),
  since: z.number(),
  until: z.number().exactOptional(),
  reason: z.string().exactOptional(),
  by: StoredPrincipal.exactOptional(),
});

/** The freezes of the schedule follow from the clock. The record only notes that their begin has a decision. */
export const FREEZES: RulingKind<Freeze> = {
  name: 'freeze',
  // Without a freeze that a person started everything would open, so a text that is not valid is an error.
  parse: (text) => Stored.parse(JSON.parse(text)),
  recordOf: ({ kind }) => `freeze/${kind}`,
  knownTo: ({ freezes }) => freezes,
  replan: async ({ before }, why, deps) => {
    const { world, clock } = deps;
    if (before.some(isStarted) && world.freezes.at(clock.now()) === undefined) await thaw(why, deps);
  },
};

function isStarted({ kind }: Freeze): boolean {
  return kind === 'started';
}

/** The freeze in effect by the store, for a process that may not lead. */
export async function readFreeze(
  deps: Pick<RulingDeps, 'journal' | 'world' | 'clock'>,
): Promise<Freeze | undefined> {
  const now = deps.clock.now();
  const started = (await readRulings(FREEZES, deps)).filter((each) => isStarted(each) && !isOver(each, now));
  return longestFreeze([deps.world.freezes.scheduledAt(now), ...started]);
}

/** In effect for every plan after it resolves. It takes the place of one that a person started before. */
export async function startFreeze(
  { reason, forMs }: FreezeRequest,
  by: Principal,
  deps: RulingDeps,
): Promise<Freeze> {
  return inTurn(FREEZES, 'command', deps, async (since) => {
    const until = forMs === undefined ? {} : { until: since + forMs };
    const why = reason === undefined ? {} : { reason };
    const freeze: Freeze = { kind: 'started', since, ...until, ...why, by };
    const before = deps.world.freezes.all.find(isStarted);
    await settle(freeze, { before, after: freeze, ...why, cause: commandOf(by, deps) }, deps);
    await follow(FREEZES, 'command', deps);
    return freeze;
  });
}

/**
 * Ends the freeze that a person started, and lets everything that it held be planned. Resolves with the freeze of the schedule
 * that goes on: only the configuration ends that.
 */
export async function endFreeze(
  reason: string | undefined,
  by: Principal,
  deps: RulingDeps,
): Promise<RulingEnd<Freeze | undefined>> {
  return inTurn(FREEZES, 'command', deps, async (now) => {
    const { freezes } = deps.world;
    const scheduled = freezes.scheduledAt(now);
    const before = freezes.all.find(isStarted);
    if (before === undefined)
      return { kind: 'refused', why: scheduled === undefined ? NO_FREEZE : SCHEDULED_FREEZE };
    await settle(before, { before, after: undefined, reason, cause: commandOf(by, deps) }, deps);
    await follow(FREEZES, 'command', deps);
    return { kind: 'done', ruling: scheduled };
  });
}

/** Records what the clock began and ended since the last call, and lets everything that a freeze held be planned. */
export async function followFreezes(deps: RulingDeps): Promise<void> {
  await inTurn(FREEZES, 'resync', deps, async (now) => {
    const { freezes } = deps.world;
    const cause: Cause = { kind: 'resync', receivedAt: new Date(now).toISOString() };
    const scheduled = freezes.scheduledAt(now);
    const begins = scheduled !== undefined && freezes.all.every(isStarted);
    const ended = freezes.all.filter((each) =>
      isStarted(each) ? isOver(each, now) : scheduled === undefined,
    );
    if (begins) await settle(scheduled, { before: undefined, after: scheduled, cause }, deps);
    // Before the record of the end: if that fails, both are made again.
    if (ended.length > 0 && freezes.at(now) === undefined) await thaw('resync', deps);
    for (const each of ended) await settle(each, { before: each, after: undefined, cause }, deps);
    if (begins || ended.length > 0) freezes.set(await readRulings(FREEZES, deps));
  });
}

/** Every key with a hold is planned at once, and the comparison finds what has none. */
async function thaw(kind: 'command' | 'resync', deps: RulingDeps): Promise<void> {
  deps.askForSweep();
  const cause = { kind, receivedAt: isoInstant(deps.clock) };
  await deps.queue.add(await holdTriggers(cause, deps));
}

async function settle(
  freeze: Freeze,
  change: {
    readonly before: Freeze | undefined;
    readonly after: Freeze | undefined;
    readonly reason?: string | undefined;
    readonly cause: Cause;
  },
  deps: RulingDeps,
): Promise<void> {
  const { owner } = deps.world.mapping;
  const { before, after, reason, cause } = change;
  const { kind } = freeze;
  const decision = plainDecision(
    {
      resource: { kind: 'config', name: owner },
      verb: 'updated',
      subject: kind === 'started' ? `freeze/${owner}` : `freeze/${owner}/schedule`,
      outcome: 'applied',
      reason: after === undefined ? 'FreezeEnded' : 'FreezeStarted',
      cause,
      ...(reason === undefined ? {} : { detail: reason }),
      before: toFreezeView(before),
      after: toFreezeView(after),
    },
    stampOf(deps),
  );
  await recordRuling(FREEZES, freeze, { decision, isForgotten: after === undefined }, deps);
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
