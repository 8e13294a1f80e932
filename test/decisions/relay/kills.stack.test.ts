import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { createEmbeddedDecisionLog } from '../../../src/decisions/embedded/embedded-decision-log.js';
import { parseLogEvent } from '../../../src/decisions/log.js';
import { createNoteVerifier } from '../../../src/decisions/signed-note.js';
import { publicKeyPath } from '../../../src/decisions/signing-key.js';
import { toTrailRecord } from '../../../src/decisions/trail-record.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { createEmbeddedStore } from '../../../src/queue/embedded/store.js';
import { decisions } from '../../support/decisions.js';
import { relayWithKills } from '../../support/relay-crashes.js';
import { isSoak } from '../../support/soak.js';
import { verifyTrail } from '../../support/verify-trail.js';

const KILLS = isSoak ? 10 : 5;
const COUNT = 300 * KILLS;
/** Longer than most of what the relay does in one process before its end. */
const LATEST_MS = 250;

it('leaves one unbroken, signed chain, with each decision once, when it is killed at random instants', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'scopemesh-kills-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const runtime = { logger: silentLogger, metrics: noMetrics, clock: systemClock };
  const store = createEmbeddedStore({ directory, ...runtime });
  const settled = decisions(COUNT, 7);
  await store.journal.settle('destination/default/default/orders', settled);
  await store.close();

  const instants = Array.from({ length: KILLS }, () => Math.floor(Math.random() * LATEST_MS));
  const killed = await relayWithKills({ directory, batch: 5 }, instants);
  console.log(`killed ${killed} of ${KILLS} processes, after ${instants.join(', ')} ms`);

  const log = createEmbeddedDecisionLog({ directory, ...runtime });
  onTestFinished(() => log.close());
  const events: string[] = [];
  for await (const event of log.readEvents({ from: 'start', follow: false }, AbortSignal.timeout(60_000)))
    events.push(event);
  expect(events.flatMap((event) => parseLogEvent(event)?.id ?? [])).toEqual(settled.map(({ id }) => id));
  const verifiers = [createNoteVerifier(readFileSync(publicKeyPath(directory), 'utf8'))];
  const report = verifyTrail(events.map(toTrailRecord), { verifiers });
  expect(report.fault).toBeUndefined();
  expect(report).toMatchObject({ decisions: COUNT, logs: [{ first: 1, last: COUNT }] });
  expect(report.checkpoints).toBeGreaterThan(KILLS);
  expect(killed).toBeGreaterThan(0);
});
