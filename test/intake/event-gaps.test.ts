import { beforeEach, describe, expect, it } from 'vitest';
import type { IdentityEvent } from '../../src/identity/source.js';
import { acceptEvents } from '../../src/intake/accept-events.js';
import { type Channel, ChannelActivity } from '../../src/intake/channel-activity.js';
import { EventGaps } from '../../src/intake/event-gaps.js';
import { clientKey } from '../../src/model/key.js';
import { noMetrics, silentLogger } from '../../src/observe.js';
import type { KeyValueStore } from '../../src/queue/key-value-store.js';
import { createFacts, createInbox } from '../support/worker-facts.js';

const MINUTE = 60_000;
let now: number;
let keyValues: KeyValueStore;
let activity: ChannelActivity;
let gaps: EventGaps;
const clock = { now: () => now, sleep: async () => {} };

beforeEach(() => {
  now = Date.parse('2026-11-25T00:00:00Z');
  keyValues = createFacts();
  activity = new ChannelActivity(keyValues, clock);
  gaps = new EventGaps('main', ['webhook', 'poll'], { keyValues, activity, clock });
});

function event(id: string, isSignalled?: boolean): IdentityEvent {
  const cause = { kind: 'poll', eventId: id, receivedAt: '2026-11-25T00:00:00Z' } as const;
  const signalled = isSignalled === undefined ? {} : { isSignalled };
  return { id, triggers: [{ key: clientKey('main', 'web'), cause }], orders: [], ...signalled };
}
const deps = () => ({
  inbox: createInbox(keyValues),
  keyValues,
  activity,
  logger: silentLogger,
  metrics: noMetrics,
  clock,
});
const arrives = (channel: Channel, ...events: readonly IdentityEvent[]) =>
  acceptEvents('main', events, channel, deps());
const polled = async (...events: readonly IdentityEvent[]) => gaps.check(await arrives('poll', ...events));

describe('A signal is missed', () => {
  it('if the webhook did not deliver an event of the poll that it should deliver', async () => {
    expect(await polled(event('a', true))).toEqual({ missed: 0, newGaps: [] });
    now += MINUTE;
    expect(await polled()).toEqual({ missed: 1, newGaps: ['missed'] });
    now += MINUTE;
    expect(await polled()).toEqual({ missed: 0, newGaps: [] });
  });

  it('but not if the webhook was only slower than the poll', async () => {
    await polled(event('a', true));
    now += 30_000;
    await arrives('webhook', event('a'));
    now += 30_000;
    expect(await polled()).toEqual({ missed: 0, newGaps: [] });
  });

  it('but not if the webhook was first, or does not deliver such events', async () => {
    await arrives('webhook', event('a'));
    await polled(event('a', true), event('b', false), event('c'));
    now += 2 * MINUTE;
    expect(await polled()).toEqual({ missed: 0, newGaps: [] });
  });

  it('but not without a webhook', async () => {
    gaps = new EventGaps('main', ['poll'], { keyValues, activity, clock });
    await polled(event('a', true));
    now += 2 * MINUTE;
    expect(await polled()).toEqual({ missed: 0, newGaps: [] });
  });

  it('and is reported again only after the webhook has delivered an event', async () => {
    await polled(event('a', true), event('b', true));
    now += MINUTE;
    expect(await polled(event('c', true))).toEqual({ missed: 2, newGaps: ['missed'] });
    now += MINUTE;
    expect(await polled(event('d', true))).toEqual({ missed: 1, newGaps: [] });
    now += 1_000;
    await arrives('webhook', event('e'));
    now += MINUTE;
    expect(await polled()).toEqual({ missed: 1, newGaps: ['missed'] });
  });
});

describe('A channel with an event every few minutes', () => {
  beforeEach(async () => {
    for (let at = 0; at < 12; at++) {
      now += (at % 2 === 0 ? 4 : 6) * MINUTE;
      await arrives('webhook', event(`event-${at}`));
    }
  });

  it('is silent after twice its longest pause, which is reported once', async () => {
    now += 11 * MINUTE;
    expect(await polled()).toEqual({ missed: 0, newGaps: [] });
    now += 2 * MINUTE;
    expect(await polled()).toEqual({ missed: 0, newGaps: ['silence'] });
    now += 60 * MINUTE;
    expect(await polled()).toEqual({ missed: 0, newGaps: [] });
    await arrives('webhook', event('back'));
    expect(await polled()).toEqual({ missed: 0, newGaps: [] });
  });

  it('is silent for the polling process although another process received its events', async () => {
    const elsewhere = new EventGaps('main', ['webhook', 'poll'], {
      keyValues,
      activity: new ChannelActivity(keyValues, clock),
      clock,
    });
    now += 13 * MINUTE;
    expect(await elsewhere.check([])).toEqual({ missed: 0, newGaps: ['silence'] });
  });
});

describe('Silence does not matter', () => {
  it('for a channel with few events', async () => {
    for (let at = 0; at < 5; at++) {
      now += 2 * MINUTE;
      await arrives('webhook', event(`event-${at}`));
    }
    now += 24 * 60 * MINUTE;
    expect(await polled()).toEqual({ missed: 0, newGaps: [] });
  });

  it('after a burst, which counts as one event', async () => {
    for (let at = 0; at < 1_000; at++) {
      now += 5;
      await arrives('webhook', event(`event-${at}`));
    }
    now += 24 * 60 * MINUTE;
    expect(await polled()).toEqual({ missed: 0, newGaps: [] });
  });
});
