import type { Clock } from '../clock.js';
import { messageOf } from '../errors.js';
import type { IdentityEvent } from '../identity/source.js';
import { formatKey, providerKey } from '../model/key.js';
import type { Evidence, Trigger } from '../model/trigger.js';
import type { Logger } from '../observe.js';
import type { Queue } from '../queue/queue.js';
import type { Recheck, Rechecks } from '../queue/rechecks.js';
import { Outage } from '../repeat.js';

/** How long after an event a directory is asked again: many answer with old state for a while. */
const LOOK_AFTER_MS: readonly number[] = [5_000, 30_000, 120_000];

const TICK_MS = 1_000;
/** Single reads of one provider a tick, so that no event waits behind them. */
const MOST_A_TICK = 20;
/** Where more than this is due, one complete read costs less than all the single ones. */
const MOST_SINGLE = 100;
const COMPLETE_READ_EVERY_MS = 15_000;
/** What one complete read answers for. */
const MOST_TOGETHER = 10_000;
/** So that an event that comes meanwhile need not wait for thousands of them. */
const MOST_A_WRITE = 500;

/**
 * What events ask to be looked at again. A later event about the same key begins anew, so that ten thousand about one
 * client give three looks and not thirty thousand; events that know of other removals stand beside each other, so
 * that what is seen only at a recheck is as explicit as it would have been at once.
 */
export function toRechecks(events: readonly IdentityEvent[], now: number): readonly Recheck[] {
  const found = new Map<string, Recheck>();
  for (const { key, cause, urgent, fullRead, members, evidence } of events.flatMap(
    ({ triggers }) => triggers,
  )) {
    if (key.kind === 'destination') continue;
    const trigger: Trigger = {
      key,
      cause,
      isRecheck: true,
      // What it finds taken away at last must not have waited behind grants.
      ...(urgent === true ? { urgent } : {}),
      ...(fullRead === undefined ? {} : { fullRead }),
      ...(members === undefined ? {} : { members }),
      ...(evidence === undefined ? {} : { evidence }),
    };
    const id = JSON.stringify([formatKey(key), fullRead ?? false, members ?? false, evidence ?? []]);
    found.set(id, { id, trigger, eventAt: now, looks: 0, dueAt: now + (LOOK_AFTER_MS[0] ?? 0) });
  }
  return [...found.values()];
}

export interface RecheckDeps {
  readonly queue: Pick<Queue, 'add'>;
  readonly rechecks: Rechecks;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Queues what is due of one provider, until the signal aborts. While the provider asks for patience, all of it waits. */
export async function runRechecks(
  provider: string,
  isPaused: () => boolean,
  deps: RecheckDeps,
  signal: AbortSignal,
): Promise<void> {
  const { clock, logger } = deps;
  const outage = new Outage();
  let completeAt = Number.NEGATIVE_INFINITY;
  while (!signal.aborted) {
    try {
      if (!isPaused()) {
        const elapsedMs = clock.now() - completeAt;
        // Negative where the clock was set back.
        const mayReadAll = elapsedMs < 0 || elapsedMs >= COMPLETE_READ_EVERY_MS;
        if ((await lookAgain(provider, mayReadAll, deps)) === 'complete') completeAt = clock.now();
      }
      outage.ends(clock.now());
    } catch (error) {
      if (outage.begins(clock.now()))
        logger.warn({ provider, error: messageOf(error) }, 'rechecks wait for the store');
    }
    await clock.sleep(TICK_MS, signal).catch(() => {});
  }
}

async function lookAgain(
  provider: string,
  mayReadAll: boolean,
  { queue, rechecks, clock }: RecheckDeps,
): Promise<'single' | 'complete'> {
  const now = clock.now();
  const due = await rechecks.due(provider, now, MOST_SINGLE + 1);
  const isMany = due.length > MOST_SINGLE;
  if (isMany && !mayReadAll) return 'single';
  const taken = isMany ? await rechecks.due(provider, now, MOST_TOGETHER) : due.slice(0, MOST_A_TICK);
  if (taken.length === 0) return 'single';
  const triggers = taken.map(({ trigger }) => trigger);
  await queue.add(isMany ? [together(provider, triggers)] : triggers);
  for (let from = 0; from < taken.length; from += MOST_A_WRITE)
    await rechecks.move(
      provider,
      taken.slice(from, from + MOST_A_WRITE).map((each) => ({ from: each, to: next(each, now) })),
    );
  return isMany ? 'complete' : 'single';
}

/** One complete comparison that knows of every removal of which the single ones knew. */
function together(provider: string, triggers: readonly Trigger[]): Trigger {
  const told = triggers.flatMap(({ evidence = [] }) => evidence);
  const clients = [...new Set(told.flatMap((each) => each.clients ?? []))];
  const internalIds = [...new Set(told.flatMap((each) => each.internalIds ?? []))];
  // All clients in one piece; what else was told stands beside it, each once.
  const others = told.map(({ clients: _, internalIds: __, ...other }): Evidence => other);
  const rest = new Map(
    others.filter((other) => Object.keys(other).length > 1).map((other) => [JSON.stringify(other), other]),
  );
  const evidence: readonly Evidence[] = [{ provider, clients, internalIds }, ...rest.values()];
  const cause = triggers.at(-1)?.cause ?? { kind: 'full-read', receivedAt: '' };
  const members = triggers.some((trigger) => trigger.members === true);
  const urgent = triggers.some((trigger) => trigger.urgent === true);
  return {
    key: providerKey(provider),
    cause,
    isRecheck: true,
    fullRead: true,
    ...(urgent ? { urgent } : {}),
    ...(members ? { members } : {}),
    evidence,
  };
}

/** What was due late goes on from its event all the same, but never looks twice at one moment. */
function next(recheck: Recheck, now: number): Recheck | undefined {
  const looks = recheck.looks + 1;
  const afterMs = LOOK_AFTER_MS[looks];
  if (afterMs === undefined) return undefined;
  return { ...recheck, looks, dueAt: Math.max(recheck.eventAt + afterMs, now + (LOOK_AFTER_MS[0] ?? 0)) };
}
