import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Checkpoints } from '../../src/decisions/checkpoints.js';
import { createEmbeddedDecisionLog } from '../../src/decisions/embedded/embedded-decision-log.js';
import { Publication } from '../../src/decisions/publication.js';
import { openSigningKey, publicKeyPath } from '../../src/decisions/signing-key.js';
import { noMetrics, silentLogger } from '../../src/observe.js';
import { createEmbeddedStore } from '../../src/queue/embedded/store.js';
import { decisions } from '../support/decisions.js';
import { createMovableClock } from '../support/movable-clock.js';

const SOURCE = fileURLToPath(new URL('../stack/tlog', import.meta.url));

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'scopemesh-tlog-'));
  const built = spawnSync('go', ['build', '-mod=readonly', '-o', join(directory, 'tlog'), '.'], {
    cwd: SOURCE,
    encoding: 'utf8',
  });
  if (built.status !== 0) throw new Error(`go build: ${built.stderr}${built.error?.message ?? ''}`);
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const check = (events: readonly string[]) =>
  spawnSync(join(directory, 'tlog'), [publicKeyPath(directory)], {
    input: events.join('\n'),
    encoding: 'utf8',
  });

it("Go's implementation of notes and Merkle trees accepts every checkpoint of a log, and refuses a changed one", async () => {
  const runtime = { logger: silentLogger, metrics: noMetrics, clock: createMovableClock() };
  const store = createEmbeddedStore({ directory, ...runtime });
  const log = createEmbeddedDecisionLog({ directory, ...runtime });
  const signer = openSigningKey({ owner: 'payments', directory, file: undefined, logger: silentLogger });
  const { keyValues, journal } = store;
  const publication = new Publication({ ...runtime, keyValues, journal, log });
  if (signer === undefined) throw new Error('no key');
  const checkpoints = new Checkpoints({ ...runtime, keyValues, log, signer, owner: 'payments' });
  for (const count of [1, 1, 5, 9, 16, 700, 3]) {
    await journal.settle('destination/default/default/orders', decisions(count));
    while ((await publication.moveBatch()) > 0);
    await checkpoints.sign(publication.head);
  }
  const events: string[] = [];
  for await (const event of log.readEvents({ from: 'start', follow: false }, AbortSignal.timeout(60_000)))
    events.push(event);
  await log.close();
  await store.close();
  expect(check(events)).toMatchObject({ status: 0, stdout: '735 decisions, 7 checkpoints\n' });
  const { hash } = JSON.parse(events[10] ?? '').data.chain;
  const changed = events.with(10, (events[10] ?? '').replaceAll(hash, 'f'.repeat(64)));
  expect(check(changed)).toMatchObject({ status: 1, stderr: expect.stringContaining('computed') });
});
