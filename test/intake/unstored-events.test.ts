import { beforeEach, describe, expect, it } from 'vitest';
import { SyncError } from '../../src/errors.js';
import type { IdentityEvent } from '../../src/identity/source.js';
import { type UnstoredDeps, UnstoredEvents } from '../../src/intake/unstored-events.js';
import { clientKey, formatKey } from '../../src/model/key.js';
import type { Trigger } from '../../src/model/trigger.js';
import type { MetricName } from '../../src/observe.js';
import { noMetrics } from '../../src/observe.js';
import { NOW } from '../plan/scene.js';

const AWAY = new SyncError('ERR_QUEUE_UNREACHABLE', 'the disk is full', { retriable: true });
const cause = { kind: 'webhook' as const, receivedAt: new Date(NOW).toISOString() };

const changeOf = (clientId: string): IdentityEvent => ({
  id: `change of ${clientId}`,
  triggers: [{ key: clientKey('main', clientId), cause }],
  orders: [],
});
const orderOn = (clientId: string): IdentityEvent => ({
  id: `order on ${clientId}`,
  triggers: [],
  orders: [{ kind: 'secret-compromised', provider: 'main', clientId, at: cause.receivedAt, cause }],
});

describe('events that the store refused', () => {
  let isFull: boolean;
  let stored: string[];
  let queued: Trigger[];
  let logs: string[];
  let lost: string[];
  let gauges: number[];
  let deps: UnstoredDeps;
  beforeEach(() => {
    isFull = true;
    stored = [];
    queued = [];
    logs = [];
    lost = [];
    gauges = [];
    const note = (_: object, message: string) => logs.push(message);
    deps = {
      inbox: {
        async accept(_, events) {
          if (isFull) throw AWAY;
          const fresh = events.filter(({ id }) => !stored.includes(id));
          stored.push(...fresh.map(({ id }) => id));
          return new Set(fresh.map(({ id }) => id));
        },
      },
      queue: { add: async (triggers) => void queued.push(...triggers) },
      keyValues: { remember: async () => {} },
      activity: { note: async () => {} },
      metrics: {
        ...noMetrics,
        count(name: MetricName, labels) {
          if (name === 'scopemesh_unstored_events_lost_total') lost.push(labels?.kind ?? '');
        },
        gauge: (_, value) => gauges.push(value),
      },
      logger: { debug() {}, info: note, warn: note, error: note },
      clock: { now: () => NOW, sleep: async () => {} },
    };
  });

  /** Runs until the loop has slept so often. */
  async function run(events: UnstoredEvents, times = 1): Promise<void> {
    const end = new AbortController();
    let left = times;
    const sleep = async () => {
      if (--left === 0) end.abort();
    };
    Object.assign(deps.clock, { sleep });
    await events.run(end.signal);
  }

  it('are stored once when there is space, orders first, although the sender does not try again', async () => {
    const events = new UnstoredEvents(deps);
    events.keep('main', [changeOf('a')], 'webhook', AWAY);
    events.keep('main', [orderOn('b')], 'webhook', AWAY);
    events.keep('main', [changeOf('a')], 'webhook', AWAY);
    await run(events, 3);
    expect(stored).toEqual([]);
    expect(gauges.at(-1)).toBe(2);
    isFull = false;
    await run(events);
    expect(stored).toEqual(['order on b', 'change of a']);
    expect(gauges.at(-1)).toBe(0);
    expect(queued).toEqual([]);
    expect(logs.filter((line) => line.startsWith('events cannot be stored'))).toHaveLength(1);
    expect(logs.at(-1)).toBe('events can be stored again');
  });

  it('are bounded: what does not fit is read from the directory, and no change takes the room of an order', async () => {
    const room = 3 * JSON.stringify(changeOf('xx')).length;
    const events = new UnstoredEvents(deps, room);
    for (let at = 10; at < 90; at++) events.keep('main', [changeOf(String(at))], 'webhook', AWAY);
    events.keep('main', [orderOn('b')], 'webhook', AWAY);
    expect(lost).toEqual(Array.from({ length: 77 }, () => 'change'));
    isFull = false;
    await run(events);
    expect(stored).toEqual(['order on b', 'change of 10', 'change of 11', 'change of 12']);
    expect(queued.map(({ key, fullRead }) => [formatKey(key), fullRead])).toEqual([['provider/main', true]]);
  });

  it('count orders that do not fit, because no read shows them', () => {
    const events = new UnstoredEvents(deps, JSON.stringify(orderOn('b')).length);
    events.keep('main', [orderOn('b'), orderOn('c')], 'webhook', AWAY);
    expect(lost).toEqual(['order']);
  });

  it('do not include an event that failed for another reason', async () => {
    const events = new UnstoredEvents(deps);
    events.keep('main', [changeOf('a')], 'webhook', new Error('a fault of ours'));
    isFull = false;
    await run(events);
    expect(stored).toEqual([]);
    expect(logs).toEqual(['an event failed; the sender gets 503']);
  });
});
