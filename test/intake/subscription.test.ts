import { afterEach, describe, expect, it } from 'vitest';
import { SyncError } from '../../src/errors.js';
import type { SubscriptionState } from '../../src/identity/source.js';
import { runSubscription } from '../../src/intake/subscription.js';
import type { Trigger } from '../../src/model/trigger.js';
import { createNotifier } from '../../src/notifier.js';
import { noMetrics } from '../../src/observe.js';
import { createMovableClock } from '../support/movable-clock.js';
import { until } from '../support/until.js';
import { createFacts } from '../support/worker-facts.js';

let stop: AbortController;
let running: Promise<void>;
afterEach(async () => {
  stop.abort();
  await running;
});

type Said = Partial<SubscriptionState> | SyncError;

/** A subscription that says these things one after the other, and then the last again and again. */
function subscribed(...said: readonly [Said, ...Said[]]) {
  stop = new AbortController();
  const clock = createMovableClock();
  const keyValues = createFacts();
  const calls: (string | undefined)[] = [];
  const seen: boolean[] = [];
  const queued: Trigger[] = [];
  const logs: string[] = [];
  /** What the store says next, if not that all is well. */
  const ills: Error[] = [];
  const changed = createNotifier();
  const subscription = {
    provider: 'main',
    nextWakeup: changed.wait,
    async renew(
      stored: string | undefined,
      _signal: AbortSignal,
      hasSeen: (eventId: string) => Promise<boolean>,
    ): Promise<SubscriptionState> {
      calls.push(stored);
      seen.push(await hasSeen('proof'));
      const next = said[Math.min(calls.length, said.length) - 1] ?? said[0];
      if (next instanceof SyncError) throw next;
      return { stored: `after ${calls.length}`, renewAfterMs: 3_600_000, gap: false, ...next };
    },
  };
  const log = (_fields: object, message: string) => void logs.push(message);
  const deps = {
    queue: {
      async add(triggers: readonly Trigger[]) {
        const ill = ills.shift();
        if (ill !== undefined) throw ill;
        queued.push(...triggers);
      },
    },
    keyValues,
    clock,
    metrics: noMetrics,
    logger: { debug: log, info: log, warn: log, error: log },
  };
  running = runSubscription(subscription, 'main', deps, stop.signal);
  const called = (times: number) => until(`${times} calls`, () => calls.length >= times);
  return { clock, changed, keyValues, calls, seen, queued, ills, logs, called };
}

describe('A subscription', () => {
  it('is renewed at once when the provider says that it changed, once a second at most', async () => {
    const { clock, changed, calls, called } = subscribed({});
    await called(1);
    for (let times = 2; times <= 4; times++) {
      for (let at = 0; at < 100; at++) changed.notify();
      await until('the next renewal', () => {
        clock.advance(500);
        return calls.length === times;
      });
    }
    clock.advance(100_000);
    await new Promise(setImmediate);
    // What was reported during the last wait counts once.
    expect(calls.length).toBeLessThanOrEqual(5);
  });

  it('is renewed when its adapter requests it, with the state of the adapter', async () => {
    const { clock, keyValues, calls, called } = subscribed({ expiresAt: '2027-01-01T00:00:00Z' });
    await called(1);
    await until('it is stored', () => keyValues.values.get('subscription/main'));
    clock.advance(3_599_000);
    expect(calls).toEqual([undefined]);
    clock.advance(1_001);
    await called(2);
    expect(calls).toEqual([undefined, 'after 1']);
    expect(JSON.parse(keyValues.values.get('subscription/main') ?? '')).toMatchObject({
      expiresAt: '2027-01-01T00:00:00Z',
    });
  });

  it('that had expired or was silent leads to a complete comparison', async () => {
    const { queued, called } = subscribed({ gap: true });
    await called(1);
    await until('a comparison', () => queued.length > 0);
    expect(queued).toMatchObject([{ key: { kind: 'provider', name: 'main' }, fullRead: true }]);
  });

  it('leads to a complete comparison later if the store failed when it reported the gap', async () => {
    const { clock, queued, ills, called } = subscribed({ gap: true }, { gap: false });
    ills.push(new Error('the store is away'));
    await called(1);
    clock.advance(2_000);
    await called(2);
    await until('a comparison', () => queued.length > 0);
    clock.advance(3_600_001);
    await called(3);
    expect(queued).toHaveLength(1);
  });

  it('can ask whether its proof arrived', async () => {
    const { keyValues, clock, seen, called } = subscribed({});
    await called(1);
    await keyValues.remember('event/main', ['proof'], 1_000);
    clock.advance(3_600_001);
    await called(2);
    expect(seen).toEqual([false, true]);
  });

  it('that fails is renewed soon, then less often, and is logged once', async () => {
    const failure = new SyncError('ERR_DIRECTORY_UNREACHABLE', 'away', { retriable: true });
    const { clock, logs, calls, called } = subscribed(failure, failure, failure, {});
    await called(1);
    for (let times = 2; times <= 4; times++) {
      clock.advance(1_000 * 2 ** times);
      await called(times);
    }
    expect(calls).toEqual([undefined, undefined, undefined, undefined]);
    await until('its end is logged', () => logs.length >= 2);
    expect(logs).toEqual([
      'a subscription cannot be renewed; scopemesh tries again',
      'a subscription is active again',
    ]);
  });

  it('waits for as long as the provider states', async () => {
    const limited = new SyncError('ERR_DIRECTORY_RATE_LIMITED', '429', {
      retriable: true,
      retryAfterMs: 120_000,
    });
    const { clock, calls, called } = subscribed(limited, {});
    await called(1);
    clock.advance(119_000);
    expect(calls).toHaveLength(1);
    clock.advance(1_001);
    await called(2);
  });
});
