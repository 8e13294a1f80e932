import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { clientKey, formatKey } from '../../../src/model/key.js';
import type { Trigger } from '../../../src/model/trigger.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { Agenda } from '../../../src/queue/agenda.js';
import { createEmbeddedStore, type EmbeddedStore } from '../../../src/queue/embedded/store.js';
import type { JobResult } from '../../../src/queue/queue.js';
import { WriteLimit } from '../../../src/queue/write-limit.js';
import { until } from '../../support/until.js';
import { newDirectory } from '../../support/use-directory.js';

let directory: string;
let store: EmbeddedStore;
beforeEach(() => {
  directory = newDirectory();
  store = createEmbeddedStore({ directory, logger: silentLogger, metrics: noMetrics, clock: systemClock });
});
afterEach(() => store.close());

const event = (provider: string, id: string, more: Partial<Trigger> = {}): Trigger => ({
  key: clientKey(provider, id),
  cause: { kind: 'webhook', eventId: id, receivedAt: new Date().toISOString() },
  urgent: true,
  ...more,
});

/** An agenda at work on the store, as in the daemon. Reads of the provider `slow` hang until they are let go. */
function work() {
  let letGo = () => {};
  const answered = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const ran: string[] = [];
  const writes = new WriteLimit({ least: 8, first: 96, most: 256 }, systemClock);
  const backoff = { firstMs: 1, capMs: 2, attempts: 3, parkedMs: 4 };
  const agenda = new Agenda(
    { writes, reads: 64, urgent: 16 },
    { logger: silentLogger, metrics: noMetrics, clock: systemClock, backoff },
  );
  const stop = new AbortController();
  const handler = async ({ key, triggers }: { key: Trigger['key']; triggers: readonly Trigger[] }) => {
    const isOrder = triggers.some(({ order }) => order !== undefined);
    ran.push(`${formatKey(key)}${isOrder ? ' with an order' : ''}`);
    if (key.kind === 'client' && key.provider === 'slow' && !isOrder) await answered;
    return { kind: 'done' } satisfies JobResult;
  };
  const jobs = agenda.work(handler, stop.signal);
  const working = Promise.all([jobs, store.queue.work(agenda, stop.signal, jobs)]);
  return {
    ran,
    agenda,
    letGo,
    add: (...triggers: readonly Trigger[]) => store.queue.add(triggers),
    async end() {
      letGo();
      stop.abort();
      await working;
    },
  };
}

describe('600 keys that wait for a provider that does not answer', () => {
  const hanging = Array.from({ length: 600 }, (_, at) => event('slow', `c${at}`));

  it('keep no urgent trigger of another provider from running', async () => {
    const { ran, agenda, add, letGo, end } = work();
    await add(...hanging);
    await until('the waiting jobs', () => agenda.state().waiting > 400);
    await add(event('main', 'web'));
    await until('the other provider', () => ran.includes(formatKey(clientKey('main', 'web'))));
    letGo();
    await until('every key', async () => {
      const { waiting, active } = await store.queue.state();
      return waiting + active === 0;
    });
    await end();
    expect(new Set(ran).size).toBe(601);
  });

  it('keep no order about one of them waiting', async () => {
    const { ran, agenda, add, end } = work();
    await add(...hanging);
    await until('the waiting jobs', () => agenda.state().waiting > 400);
    for (const { key, cause } of [hanging[400], hanging[599]].flatMap((each) => each ?? [])) {
      if (key.kind !== 'client') continue;
      const order = {
        kind: 'client-disabled' as const,
        provider: key.provider,
        clientId: key.value,
        at: cause.receivedAt,
        cause,
      };
      await add(event(key.provider, key.value, { order, cause: { ...cause, eventId: 'an order' } }));
      await until('the order', () => ran.includes(`${formatKey(key)} with an order`));
    }
    await end();
  });
});
