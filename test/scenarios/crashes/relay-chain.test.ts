import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { createEmbeddedDecisionLog } from '../../../src/decisions/embedded/embedded-decision-log.js';
import { relay } from '../../../src/decisions/relay.js';
import { type TrailRecord, toTrailRecord } from '../../../src/decisions/trail-record.js';
import type { Decision } from '../../../src/model/decision.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { createEmbeddedStore } from '../../../src/queue/embedded/store.js';
import { decisions, faultsOf } from '../../support/decisions.js';
import { relayWithCrashes } from '../../support/relay-crashes.js';
import { signer } from '../../support/signed-log.js';
import { until } from '../../support/until.js';
import { newDirectory } from '../../support/use-directory.js';
import { verifyTrail } from '../../support/verify-trail.js';

const runtime = { logger: silentLogger, metrics: noMetrics, clock: systemClock };
const ALL = { from: 'start', follow: false } as const;

let directory: string;
beforeEach(() => {
  directory = newDirectory();
});

const openLog = () => createEmbeddedDecisionLog({ directory, ...runtime });

/** Settles so many decisions with a store of its own, and does `then` with it. */
async function settle(
  count: number,
  then: (store: ReturnType<typeof createEmbeddedStore>) => Promise<unknown> = async () => {},
): Promise<readonly Decision[]> {
  const store = createEmbeddedStore({ directory, ...runtime });
  const settled = decisions(count, 3);
  await store.journal.settle('destination/default/default/orders', settled);
  await then(store);
  await store.close();
  return settled;
}

/** Settles so many, and runs a relay until all are published; resolves with everything that the log holds. */
async function publish(count: number): Promise<readonly TrailRecord[]> {
  const log = openLog();
  await settle(count, async (store) => {
    const end = new AbortController();
    const settled = { wait: () => new Promise<void>(() => {}) };
    const running = relay(
      { ...runtime, ...store, owner: 'payments', signer: () => signer, log, settled },
      end.signal,
    );
    await until('all are published', async () => (await store.journal.overview()).outboxLength === 0);
    end.abort();
    await running;
  });
  const records = await recordsOf(log);
  await log.close();
  return records;
}

async function recordsOf(log: ReturnType<typeof openLog>): Promise<readonly TrailRecord[]> {
  const records: TrailRecord[] = [];
  for await (const each of log.readEvents(ALL, AbortSignal.timeout(45_000)))
    records.push(toTrailRecord(each));
  return records;
}

describe('the chain of a log', () => {
  it('is one, and nothing is lost or doubled, when the relay is killed at any step', {
    timeout: 120_000,
  }, async () => {
    const settled = await settle(60);
    await relayWithCrashes({ directory, batch: 4 }, [3, 6, 9, 2, 11]);
    const log = openLog();
    const read: Decision[] = [];
    for await (const each of log.read(ALL, AbortSignal.timeout(45_000))) read.push(each);
    const report = verifyTrail(await recordsOf(log));
    await log.close();
    expect(read.map((each) => each.id)).toEqual(settled.map((each) => each.id));
    expect(faultsOf(read)).toEqual([]);
    expect(report).toMatchObject({ decisions: 60, logs: [{ first: 1, last: 60 }] });
    expect(report.fault).toBeUndefined();
  });

  it.each([
    [
      'the store',
      /^(queue|journal)/,
      [
        [1, 5],
        [1, 3],
      ],
    ],
    ['the log', /^decisions/, [[1, 3]]],
  ])('begins again after %s was lost, and stays intact', async (_, lost, chains) => {
    await publish(5);
    for (const name of readdirSync(directory)) if (lost.test(name)) rmSync(join(directory, name));
    const report = verifyTrail(await publish(3));
    expect(report.fault).toBeUndefined();
    expect(report.logs.map(({ first, last }) => [first, last])).toEqual(chains);
  });
});
