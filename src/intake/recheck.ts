import { type Clock, steadyClock } from '../clock.js';
import type { IdentityEvent } from '../identity/source.js';
import { formatKey, providerKey } from '../model/key.js';
import type { Evidence, Trigger } from '../model/trigger.js';
import type { Logger } from '../observe.js';
import type { Queue } from '../queue/queue.js';
import type { Recheck, Rechecks } from '../queue/rechecks.js';
import { repeatSteps } from '../repeat.js';

/** How long after an event the directory is read again: many directories answer with old state for a while. */
const RECHECK_AFTER_MS: readonly number[] = [5_000, 30_000, 120_000];

const TICK_MS = 1_000;
/** Single reads of one provider per tick, so that events do not wait behind rechecks. */
const MAX_PER_TICK = 20;
/** If more are due, one complete read costs less than all single reads. */
const MAX_SINGLE = 100;
const COMPLETE_READ_EVERY_MS = 15_000;
/** Rechecks that one complete read replaces. */
const MAX_MERGED = 10_000;
/** A small write, so that an event need not wait for thousands of rechecks. */
const MAX_PER_WRITE = 500;

/**
 * The rechecks that events ask for. A later event about the same key starts them again, so that ten thousand events about
 * one client lead to three reads and not to thirty thousand. Events with other evidence get rechecks of their own, so that
 * a removal that only a recheck finds is as explicit as it would have been at once.
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
      // A removal that it finds must not wait behind grants.
      ...(urgent === true ? { urgent } : {}),
      ...(fullRead === undefined ? {} : { fullRead }),
      ...(members === undefined ? {} : { members }),
      ...(evidence === undefined ? {} : { evidence }),
    };
    const id = JSON.stringify([formatKey(key), fullRead ?? false, members ?? false, evidence ?? []]);
    found.set(id, { id, trigger, eventAt: now, looks: 0, dueAt: now + (RECHECK_AFTER_MS[0] ?? 0) });
  }
  return [...found.values()];
}

interface RecheckDeps {
  readonly queue: Pick<Queue, 'add'>;
  readonly rechecks: Rechecks;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Queues the due rechecks of one provider until the signal aborts. While the provider is paused, all of them wait. */
export async function runRechecks(
  provider: string,
  isPaused: () => boolean,
  deps: RecheckDeps,
  signal: AbortSignal,
): Promise<void> {
  const clock = steadyClock(deps.clock);
  let completeAt = Number.NEGATIVE_INFINITY;
  const step = async () => {
    if (isPaused()) return TICK_MS;
    const mayReadAll = clock.now() - completeAt >= COMPLETE_READ_EVERY_MS;
    if ((await queueDue(provider, mayReadAll, deps)) === 'complete') completeAt = clock.now();
    return TICK_MS;
  };
  const message = 'rechecks cannot be read from the store; scopemesh tries again';
  await repeatSteps({ message, fields: { provider }, pauseMs: TICK_MS }, step, deps, signal);
}

async function queueDue(
  provider: string,
  mayReadAll: boolean,
  { queue, rechecks, clock }: RecheckDeps,
): Promise<'single' | 'complete'> {
  const now = clock.now();
  const due = await rechecks.due(provider, now, MAX_SINGLE + 1);
  const isMany = due.length > MAX_SINGLE;
  if (isMany && !mayReadAll) return 'single';
  const taken = isMany ? await rechecks.due(provider, now, MAX_MERGED) : due.slice(0, MAX_PER_TICK);
  if (taken.length === 0) return 'single';
  const triggers = taken.map(({ trigger }) => trigger);
  await queue.add(isMany ? [merge(provider, triggers)] : triggers);
  for (let from = 0; from < taken.length; from += MAX_PER_WRITE)
    await rechecks.move(
      provider,
      taken.slice(from, from + MAX_PER_WRITE).map((each) => ({ from: each, to: next(each, now) })),
    );
  return isMany ? 'complete' : 'single';
}

/** One complete comparison with the evidence of all single rechecks. */
function merge(provider: string, triggers: readonly Trigger[]): Trigger {
  const all = triggers.flatMap(({ evidence = [] }) => evidence);
  const clients = [...new Set(all.flatMap((each) => each.clients ?? []))];
  const internalIds = [...new Set(all.flatMap((each) => each.internalIds ?? []))];
  // All clients in one piece of evidence; other evidence is kept once each.
  const others = all.map(({ clients: _, internalIds: __, ...other }): Evidence => other);
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

/** A late recheck keeps the times since its event, but there is always a pause between two rechecks. */
function next(recheck: Recheck, now: number): Recheck | undefined {
  const looks = recheck.looks + 1;
  const afterMs = RECHECK_AFTER_MS[looks];
  if (afterMs === undefined) return undefined;
  return { ...recheck, looks, dueAt: Math.max(recheck.eventAt + afterMs, now + (RECHECK_AFTER_MS[0] ?? 0)) };
}
