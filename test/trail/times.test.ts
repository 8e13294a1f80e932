import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Latency } from '../../src/console/answers.js';
import type { Trail } from '../../src/decisions/trail.js';
import type { Decision } from '../../src/model/decision.js';
import { timesOf } from '../../src/trail/times.js';
import { decision } from '../support/decisions.js';
import { trailOf } from '../support/trail-history.js';

const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString();
/** Some are not caused by an event, some are not made. */
const HISTORY: readonly Decision[] = Array.from({ length: 600 }, (_, index) =>
  decision({
    id: `id-${String(index).padStart(3, '0')}`,
    time: at(index),
    latencyMs: (index * 7919) % 1_009,
    ...(index % 11 === 0 ? { cause: { kind: 'resync', receivedAt: at(index) } } : {}),
    ...(index % 13 === 0 ? { outcome: 'failed' } : {}),
    ...(index === 300 ? { reason: 'LeaderChanged' } : {}),
  }),
);
const COUNTED = HISTORY.filter((_, index) => index % 11 !== 0 && index % 13 !== 0);
/** The smallest number that so many are not above, by counting. */
const exact = (all: readonly Decision[], share: number) => {
  const numbers = all.map(({ latencyMs = 0 }) => latencyMs);
  return Math.min(
    ...numbers.filter((one) => numbers.filter((other) => other <= one).length >= share * all.length),
  );
};

let directory: string;
let trail: Trail;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'scopemesh-times-'));
  trail = await trailOf(directory, HISTORY);
});
afterAll(async () => {
  await trail.close();
  rmSync(directory, { recursive: true, force: true });
});

it('the times of a range and of each part of it are exactly those of the log', async () => {
  const range = { from: at(50), to: at(549) };
  const times = await timesOf(trail, range, { buckets: 7 });
  expect(Latency.parse(times)).toEqual(times);
  const inside = (from: string, to: string) => COUNTED.filter(({ time }) => time >= from && time < to);
  for (const { from, to, count, p50Ms, p95Ms, p99Ms, maxMs } of [
    { ...times.all, from: at(50), to: at(550) },
    ...times.buckets,
  ]) {
    const all = inside(from, [to, at(550)].toSorted()[0] ?? to);
    expect({ count, p50Ms, p95Ms, p99Ms, maxMs }).toEqual({
      count: all.length,
      ...{ p50Ms: exact(all, 0.5), p95Ms: exact(all, 0.95), p99Ms: exact(all, 0.99), maxMs: exact(all, 1) },
    });
  }
  expect(times.buckets).toHaveLength(7);
  expect(times.completeSince).toBe(null);
  const [slowest] = times.slowest;
  expect(slowest?.ms).toBe(times.all.maxMs);
  expect(times.marks).toEqual([{ id: 'id-300', time: at(300), reason: 'LeaderChanged' }]);
});

it('if more decisions are there than it reads, it says since when it is complete', async () => {
  const times = await timesOf(trail, { from: at(0), to: at(599) }, { most: 100 });
  const since = times.completeSince ?? '';
  expect(since > at(500) && since < at(501)).toBe(true);
  expect(times.all.count).toBe(COUNTED.filter(({ time }) => time >= since).length);
});

it('an empty range has no times, and says where the log begins', async () => {
  const times = await timesOf(trail, { from: '2025-01-01T00:00:00.000Z', to: '2025-01-02T00:00:00.000Z' });
  expect(times).toMatchObject({ all: { count: 0, p50Ms: null }, buckets: [] });
  expect(times.unknown).toEqual([`The log begins at ${at(0)}.`]);
});

it('a range that is older than the log begins with the log, and says so', async () => {
  const times = await timesOf(trail, { from: '2025-01-01T00:00:00.000Z', to: at(599) }, { buckets: 4 });
  expect(times).toMatchObject({ from: at(0), unknown: [`The log begins at ${at(0)}.`] });
  expect(times.buckets).toHaveLength(4);
});
