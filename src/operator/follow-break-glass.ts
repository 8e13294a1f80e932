import { isoInstant } from '../clock.js';
import type { BreakGlass } from '../model/break-glass.js';
import type { Cause } from '../model/cause.js';
import { destinationOf, sourceOf } from '../model/ruling.js';
import { intersection } from '../plan/access.js';
import { breakGlassAccess, breakGlassState, breakGlassText, endOf, isAhead } from '../plan/break-glass.js';
import { lastingRefusal } from '../plan/edge-break-glass.js';
import { parseLastAppliedText } from '../plan/last-applied.js';
import { isOwnedHere, isSourceOf } from '../plan/ownership.js';
import { intentionSubject } from '../plan/plan.js';
import { serviceText } from '../plan/world.js';
import { inputOf } from '../state/fleet.js';
import { GRANTS, REMINDER, settle, settleEnd } from './break-glass.js';
import { forgetRuling, inTurn, type RulingDeps, replan } from './ruling-store.js';

/** A write that was on its way at the end has an answer by then. */
const KEPT_MS = 60_000;
const REMINDER_MS = 24 * 3_600_000;

/**
 * Closes what is over, reminds of what is open, and forgets what is closed. Calls nothing but the store, so that no slow
 * Consul delays an end. `since`: the time of the last call. Returns the time of this one, and how long it is until the next
 * end, in milliseconds; infinite without an open grant.
 */
export async function followBreakGlass(
  since: number,
  deps: RulingDeps,
): Promise<{ readonly now: number; readonly nextMs: number }> {
  const { world, metrics } = deps;
  return inTurn(GRANTS, 'resync', deps, async (clockNow) => {
    const now = world.breakGlass.advance(clockNow);
    const isDue = (at: number) => since < at && at <= now;
    for (const { destination, ends } of world.markedEnds())
      if (ends.some(isDue)) await replan([destination], 'resync', deps);
    for (const glass of world.breakGlass.all) await followOne(glass, now, deps);
    const open = world.breakGlass.all.filter((each) => breakGlassState(each, world.mapping, now) === 'open');
    metrics.gauge('scopemesh_break_glass_open', open.length);
    await forgetClosed(isDue, now, deps);
    const limits = world.mapping.breakGlass;
    const ends = limits === undefined ? [] : open.map((each) => endOf(each, limits) - now);
    return { now, nextMs: Math.min(Number.POSITIVE_INFINITY, ...ends) };
  });
}

async function followOne(glass: BreakGlass, now: number, deps: RulingDeps): Promise<void> {
  const { mapping } = deps.world;
  const state = breakGlassState(glass, mapping, now);
  const cause: Cause = { kind: 'resync', receivedAt: isoInstant(deps.clock) };
  const isOn = mapping.breakGlass !== undefined;
  const why = state === 'ended' ? endText(glass, isOn, now) : refusedText(glass, deps);
  if (why !== undefined && glass.endedAt === undefined) {
    // First, so that a store that fails does not keep the edge open.
    await replan([destinationOf(glass)], 'resync', deps);
    await settleEnd(glass, now, { cause, detail: `${why}: ${glass.reason}` }, deps);
    return;
  }
  const openedAt = glass.remindedAt ?? glass.openedAt ?? now;
  if (state === 'open' && now - openedAt >= REMINDER_MS) {
    const after = { ...glass, remindedAt: now };
    const detail = breakGlassText(glass, endOf(glass, mapping.breakGlass ?? { longestMs: 0 }));
    await settle(after, { ...REMINDER, before: glass, after, cause, detail }, deps);
    deps.metrics.count('scopemesh_break_glass_reminders_total');
  }
}

/** An ended grant is kept, with a warning, while something such as another manager of the entry keeps its edge open. */
async function forgetClosed(isDue: (at: number) => boolean, now: number, deps: RulingDeps): Promise<void> {
  const { world, logger, metrics } = deps;
  if (!world.hasEntries) return;
  let unclosed = 0;
  for (const glass of world.breakGlass.all) {
    const { id, source, destination, openedAt, endedAt } = glass;
    if (endedAt === undefined || now - endedAt < KEPT_MS) continue;
    if (isClosed(glass, deps)) {
      await forgetRuling(GRANTS, glass, deps);
      continue;
    }
    if (openedAt === undefined) continue;
    unclosed++;
    if (isDue(endedAt + KEPT_MS))
      logger.warn(
        { id, source, destination },
        'a break-glass grant ended, but its edge is still open; scopemesh explain says what holds it',
      );
  }
  metrics.gauge('scopemesh_break_glass_unclosed', unclosed);
}

/** Whether the owned edge does not allow any more what the grant gave, or is recorded as what others opened. */
export function isClosed(glass: BreakGlass, { world, clock }: Pick<RulingDeps, 'world' | 'clock'>): boolean {
  if (!world.hasEntries) return false;
  const { entry, lastApplied, mapping } = inputOf(world, destinationOf(glass), clock.now());
  const from = sourceOf(glass);
  const ours = entry?.sources.find((each) => isOwnedHere(mapping, each) && isSourceOf(each, from));
  if (ours === undefined || ours.access.kind === 'deny') return true;
  const record = parseLastAppliedText(lastApplied.get(intentionSubject(destinationOf(glass), glass.source)));
  if (record !== undefined && !record.breakGlass.includes(glass.id)) return true;
  return ours.access.kind !== 'other' && intersection(ours.access, breakGlassAccess(glass)) === undefined;
}

/** Why a grant ends before its time; undefined while nothing is known. */
function refusedText(
  glass: BreakGlass,
  { world, clock }: Pick<RulingDeps, 'world' | 'clock'>,
): string | undefined {
  const source = sourceOf(glass);
  const now = clock.now();
  const claimStatus = world.claimStatuses(now).get(serviceText(source)) ?? {
    kind: 'none',
    service: source,
    vanished: true,
  };
  return lastingRefusal(glass, claimStatus, { mapping: world.mapping, world: world.view(now) })?.detail;
}

function endText(glass: BreakGlass, isOn: boolean, now: number): string {
  if (!isOn) return 'guards.breakGlass is off';
  if (isAhead(glass, now))
    return 'it was made in the future of this clock, so it is unknown how long it was open';
  return glass.openedAt === undefined ? 'no second person approved it in time' : 'its time is over';
}
