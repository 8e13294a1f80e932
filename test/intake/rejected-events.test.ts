import { beforeEach, describe, expect, it } from 'vitest';
import { RejectedEvent } from '../../src/errors.js';
import { createRejectedEvents, type RejectedEvents } from '../../src/intake/rejected-events.js';
import { noMetrics } from '../../src/observe.js';
import type { SettledDecision } from '../../src/queue/journal.js';
import { NOW } from '../plan/scene.js';

const DAY_MS = 24 * 3600_000;
const FORGED = new RejectedEvent('ERR_SIGNATURE', 'the signature is wrong', 401);
const FROM = { kind: 'webhook', ip: '192.0.2.1', receivedAt: new Date(NOW).toISOString() } as const;

describe('refused events', () => {
  let now: number;
  let isLow: boolean;
  let recorded: SettledDecision[];
  let lines: string[];
  let suppressed: number;
  let sleep: () => Promise<void>;
  let events: RejectedEvents;
  beforeEach(() => {
    now = NOW;
    isLow = false;
    recorded = [];
    lines = [];
    suppressed = 0;
    const note = (_: object, message: string) => lines.push(message);
    events = createRejectedEvents({
      journal: { settle: async (_key, decisions) => void recorded.push(...decisions) },
      space: { isLow: () => isLow },
      stamp: () => ({ source: 's', mappingRevision: 'm', newId: () => 'id', time: FROM.receivedAt }),
      clock: { now: () => now, sleep: () => sleep() },
      logger: { debug() {}, info: note, warn: note, error: note },
      metrics: { ...noMetrics, count: () => suppressed++ },
      onSettled: () => {},
    });
  });

  it('make less than a megabyte of decisions and log lines a day for a provider, however many come', async () => {
    for (; now < NOW + DAY_MS; now += 500) await events.record('main', FORGED, FROM);
    expect(recorded.length).toBeLessThanOrEqual(388);
    expect(lines).toHaveLength(recorded.length);
    expect(recorded.reduce((sum, each) => sum + JSON.stringify(each).length, 0)).toBeLessThan(1_000_000);
    expect(recorded.length + suppressed).toBe(2 * (DAY_MS / 1000));
  });

  it('are reported as a number when a flood has ended', async () => {
    for (let at = 0; at < 1_000; at++) await events.record('main', FORGED, FROM);
    expect(recorded).toHaveLength(100);
    const end = new AbortController();
    sleep = async () => {
      now += 60_000;
      if (recorded.length > 100) end.abort();
    };
    await events.run(end.signal);
    expect(recorded).toHaveLength(101);
    expect(recorded.at(-1)?.detail).toBe(
      'the signature is wrong; 899 more events were refused and not recorded separately',
    );
  });

  it('hide nothing at another provider', async () => {
    for (let at = 0; at < 1_000; at++) await events.record('main', FORGED, FROM);
    await events.record('other', FORGED, FROM);
    expect(recorded.at(-1)?.resource.name).toBe('other');
  });

  it('use none of the space that the store keeps back for revocations, and are reported later', async () => {
    isLow = true;
    for (let at = 0; at < 3; at++) await events.record('main', FORGED, FROM);
    expect(recorded).toEqual([]);
    isLow = false;
    const end = new AbortController();
    sleep = async () => end.abort();
    await events.run(end.signal);
    expect(recorded.map(({ detail }) => detail)).toEqual([
      'the signature is wrong; 2 more events were refused and not recorded separately',
    ]);
  });

  it('are recorded without a long text of the sender', async () => {
    await events.record('main', new RejectedEvent('ERR_EVENT_INVALID', 'x'.repeat(100_000), 400), FROM);
    expect(recorded[0]?.detail).toHaveLength(500);
  });
});
