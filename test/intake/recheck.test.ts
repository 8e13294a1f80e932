import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { IdentityEvent } from '../../src/identity/source.js';
import { runRechecks, toRechecks } from '../../src/intake/recheck.js';
import { clientKey, formatKey, type Key, providerKey } from '../../src/model/key.js';
import type { Evidence, Trigger } from '../../src/model/trigger.js';
import { noMetrics, silentLogger } from '../../src/observe.js';
import { createEmbeddedStore, type EmbeddedStore } from '../../src/queue/embedded/store.js';
import { createMovableClock, type MovableClock } from '../support/movable-clock.js';
import { until } from '../support/until.js';
import { newDirectory } from '../support/use-directory.js';

let clock: MovableClock;
let directory: string;
let store: EmbeddedStore;
let queued: Trigger[];
let stop: AbortController;
let running: Promise<void>;
let isPaused: boolean;

beforeEach(() => {
  clock = createMovableClock();
  clock.freeze();
  directory = newDirectory();
  store = createEmbeddedStore({ directory, clock, logger: silentLogger, metrics: noMetrics });
  queued = [];
  isPaused = false;
  stop = new AbortController();
  const queue = {
    async add(triggers: readonly Trigger[]) {
      queued.push(...triggers);
    },
  };
  const deps = { queue, rechecks: store.rechecks, clock, logger: silentLogger };
  running = runRechecks('main', () => isPaused, deps, stop.signal);
});
afterEach(async () => {
  stop.abort();
  await running;
  await store.close();
});

let count = 0;
function event(key: Key, evidence?: readonly Evidence[], changes: Partial<Trigger> = {}): IdentityEvent {
  const id = `event-${++count}`;
  const cause = { kind: 'webhook', eventId: id, receivedAt: new Date(clock.now()).toISOString() } as const;
  return {
    id,
    orders: [],
    triggers: [{ key, cause, urgent: true, ...(evidence && { evidence }), ...changes }],
  };
}
const web = clientKey('main', 'web');
const happened = (...events: readonly IdentityEvent[]) =>
  store.rechecks.put('main', toRechecks(events, clock.now()));
/** Goes on second by second; at each, what was due before has been queued. */
async function pass(seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    clock.advance(1_000);
    await until('the worker has looked', async () => {
      const late = await store.rechecks.due('main', clock.now() - 1_000, 1);
      return isPaused || late.length === 0;
    });
  }
}

describe('After an event its client is read again', () => {
  it('three times, 5, 30 and 120 s later, however many events there were', async () => {
    for (let part = 0; part < 10; part++) await happened(...Array.from({ length: 1_000 }, () => event(web)));
    expect(await store.rechecks.count('main')).toBe(1);
    await pass(4);
    expect(queued).toHaveLength(0);
    await pass(3);
    expect(queued).toHaveLength(1);
    await pass(22);
    expect(queued).toHaveLength(1);
    await pass(3);
    expect(queued).toHaveLength(2);
    await pass(87);
    expect(queued).toHaveLength(2);
    await pass(4);
    expect(queued).toHaveLength(3);
    expect(await store.rechecks.count('main')).toBe(0);
    expect(queued[2]).toMatchObject({
      key: web,
      isRecheck: true,
      cause: { kind: 'webhook', eventId: 'event-10000' },
    });
  });

  it('before all grants if it may find a removal late, and otherwise after them', async () => {
    await happened(event(web), event(clientKey('main', 'new'), undefined, { urgent: false }));
    await pass(7);
    const haste = queued.map(({ key, urgent }) => [formatKey(key), urgent]);
    expect(haste.toSorted()).toEqual([
      [formatKey(clientKey('main', 'new')), undefined],
      [formatKey(web), true],
    ]);
  });

  it('from the start if another event follows', async () => {
    await happened(event(web));
    await pass(4);
    await happened(event(web));
    await pass(4);
    expect(queued).toHaveLength(0);
    await pass(3);
    expect(queued).toHaveLength(1);
  });

  it('with all evidence of the events', async () => {
    const named = [{ provider: 'main', clients: ['web'] }];
    await happened(event(web, named), event(web), event(web, named));
    await pass(7);
    expect(queued.map(({ evidence }) => evidence)).toEqual(expect.arrayContaining([named, undefined]));
    expect(queued).toHaveLength(2);
  });

  it('and the whole directory, if an event asked for it', async () => {
    await happened(event(providerKey('main'), [{ provider: 'main', scopes: ['a'] }], { fullRead: true }));
    await pass(7);
    expect(queued).toMatchObject([
      { key: providerKey('main'), fullRead: true, evidence: [{ scopes: ['a'] }] },
    ]);
  });

  it('but its order is not queued again', () => {
    const order = {
      kind: 'client-disabled',
      provider: 'main',
      clientId: 'web',
      at: '2026-01-01T00:00:00Z',
      cause: { kind: 'order', receivedAt: '2026-01-01T00:00:00Z' },
    } as const;
    const [recheck] = toRechecks([{ ...event(web, undefined, { order }), orders: [order] }], 0);
    expect(recheck?.trigger).not.toHaveProperty('order');
  });
});

describe('If more rechecks are due than single reads are possible', () => {
  const many = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, at) => {
      const clientId = `client-${from + at}`;
      return event(clientKey('main', clientId), [{ provider: 'main', clients: [clientId] }]);
    });

  it('one complete read replaces all, with all evidence', async () => {
    await happened(...many(0, 1_000));
    await pass(7);
    expect(queued).toMatchObject([
      { key: providerKey('main'), fullRead: true, isRecheck: true, urgent: true },
    ]);
    expect(queued[0]?.evidence?.[0]?.clients).toHaveLength(1_000);
  });

  it('the next complete read waits 15 s, and no recheck is lost', async () => {
    await happened(...many(0, 500));
    await pass(7);
    await happened(...many(500, 1_000));
    clock.advance(7_000);
    clock.advance(1_000);
    expect(queued).toHaveLength(1);
    clock.advance(8_000);
    await until('the second complete read', async () => (queued.length > 1 ? true : undefined));
    expect(queued[1]?.evidence?.[0]?.clients).toContain('client-999');
  });

  it('up to 20 clients a second are read one by one', async () => {
    await happened(...many(0, 50));
    clock.advance(6_000);
    await until('the first', async () => (queued.length > 0 ? true : undefined));
    expect(queued.length).toBeLessThanOrEqual(20);
    await pass(4);
    expect(new Set(queued.map(({ key }) => formatKey(key))).size).toBe(50);
  });
});

it('No client is read again while the provider is paused, and all are read after the pause', async () => {
  isPaused = true;
  await happened(event(web));
  await pass(40);
  expect(queued).toHaveLength(0);
  isPaused = false;
  await pass(2);
  expect(queued).toHaveLength(1);
});
