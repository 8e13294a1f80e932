import { systemClock } from '../../src/clock.js';
import { clientKey, destinationKey } from '../../src/model/key.js';
import type { Job, Trigger } from '../../src/model/trigger.js';
import { noMetrics, silentLogger } from '../../src/observe.js';
import { Agenda } from '../../src/queue/agenda.js';
import type { AgendaHandler } from '../../src/queue/follow-ups.js';
import type { KeyUpdate } from '../../src/queue/inbox.js';
import type { JobResult } from '../../src/queue/queue.js';
import { WriteLimit } from '../../src/queue/write-limit.js';

export const DONE: JobResult = { kind: 'done' };
export const ORDERS = destinationKey('orders');
export const WEB = clientKey('main', 'web-app');

export const trigger = (key: Trigger['key'], id: string, more: Partial<Trigger> = {}): Trigger => ({
  key,
  cause: { kind: 'webhook', eventId: id, receivedAt: '2026-01-01T00:00:00.000Z' },
  evidence: [{ provider: 'main', clients: [id] }],
  ...more,
});
export const idsOf = ({ triggers }: Job) => triggers.map(({ cause }) => cause.eventId);

export function agendaOf(handler: AgendaHandler, writes = 4, lostBefore?: AbortSignal) {
  const limit = new WriteLimit({ least: 1, first: writes, most: writes }, systemClock);
  const backoff = { firstMs: 1, capMs: 2, attempts: 3, parkedMs: 4 };
  const deps = { logger: silentLogger, metrics: noMetrics, clock: systemClock, backoff };
  const agenda = new Agenda({ writes: limit, reads: 4, urgent: 1 }, deps);
  const saved: KeyUpdate[] = [];
  agenda.saveBy((update) => saved.push(update));
  let seq = 0;
  /** As the store gives them; their IDs are those of their events. */
  const take = (...triggers: readonly Trigger[]) =>
    agenda.take(triggers.map((each) => ({ id: each.cause.eventId ?? '', seq: ++seq, trigger: each })));
  const settled = () => saved.flatMap((update) => update.settled);
  const stop = new AbortController();
  const lost = new AbortController();
  const working = agenda.work(handler, stop.signal, lostBefore ?? lost.signal);
  const end = async () => {
    stop.abort();
    await working;
  };
  return { agenda, take, saved, settled, end, lost };
}

export const ORDER: NonNullable<Trigger['order']> = {
  kind: 'client-disabled',
  provider: 'main',
  clientId: 'web-app',
  at: '2026-01-01T00:00:00.000Z',
  cause: trigger(WEB, 'b').cause,
};

export async function until(is: () => boolean): Promise<void> {
  while (!is()) await new Promise(setImmediate);
}

/** Resolves when it is opened. */
export function gate() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, opened };
}
