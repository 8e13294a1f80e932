import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { type Clock, systemClock } from '../../src/clock.js';
import type { RelayDeps } from '../../src/decisions/relay.js';
import type { Decision } from '../../src/model/decision.js';
import { noMetrics, silentLogger } from '../../src/observe.js';
import { createEmbeddedStore, type EmbeddedStore } from '../../src/queue/embedded/store.js';
import { decisions } from './decisions.js';
import { MemoryDecisionLog } from './memory-decision-log.js';
import { signer } from './signed-log.js';
import { until as untilTrue } from './until.js';

const runtime = { logger: silentLogger, metrics: noMetrics, clock: systemClock };

let directory: string;
export let store: EmbeddedStore;
export let log: MemoryDecisionLog;
export let stop: AbortController;

/** Call it in each file: a store, a log and a signal to stop, new for each of its tests. */
export function useRelayRig(): void {
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'scopemesh-relay-'));
    store = createEmbeddedStore({ directory, ...runtime });
    log = new MemoryDecisionLog();
    stop = new AbortController();
  });
  afterEach(async () => {
    stop.abort();
    await store.close();
    rmSync(directory, { recursive: true, force: true });
  });
}

export const deps = (changes: Partial<RelayDeps> = {}): RelayDeps => ({
  ...runtime,
  owner: 'payments',
  signer: () => signer,
  journal: store.journal,
  keyValues: store.keyValues,
  log,
  settled: { wait: () => new Promise(() => {}) },
  ...changes,
});

export async function settle(count: number, subjects = 3): Promise<Decision[]> {
  const settled = decisions(count, subjects);
  await store.journal.settle('destination/default/default/orders', settled);
  return settled;
}

/** Every wait takes a moment, but for the five seconds that a stop has at most. */
export const hastyClock: Clock = {
  ...systemClock,
  sleep: (ms, signal) => systemClock.sleep(ms === 5_000 ? ms : 1, signal),
};

/** Resolves once the log holds so many. */
export async function holding(count: number): Promise<void> {
  await until(() => log.held.length >= count);
}

export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  await untilTrue('what the relay does', condition);
}

export const emptied = async () => (await store.journal.overview()).outboxLength === 0;
