import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parseCheckpointEvent } from '../../../src/decisions/checkpoint.js';
import { Checkpoints } from '../../../src/decisions/checkpoints.js';
import { createEmbeddedDecisionLog } from '../../../src/decisions/embedded/embedded-decision-log.js';
import { proveExtension } from '../../../src/decisions/proofs.js';
import { Publication } from '../../../src/decisions/publication.js';
import { openSigningKey, publicKeyPath } from '../../../src/decisions/signing-key.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { createEmbeddedStore } from '../../../src/queue/embedded/store.js';
import { decisions } from '../../support/decisions.js';
import { createMovableClock } from '../../support/movable-clock.js';

const SOURCE = fileURLToPath(new URL('../../stack/tlog', import.meta.url));

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

const check = (input: readonly string[], ...files: readonly string[]) =>
  spawnSync(join(directory, 'tlog'), [publicKeyPath(directory), ...files], {
    input: input.join('\n'),
    encoding: 'utf8',
  });

it("Go's implementation of notes and Merkle trees accepts every checkpoint and every extension, and refuses changed ones", async () => {
  const runtime = { logger: silentLogger, metrics: noMetrics, clock: createMovableClock() };
  const store = createEmbeddedStore({ directory, ...runtime });
  const log = createEmbeddedDecisionLog({ directory, ...runtime });
  const signer = openSigningKey({ owner: 'payments', directory, file: undefined, logger: silentLogger });
  const { keyValues, journal } = store;
  const deps = { ...runtime, keyValues, journal, log, owner: 'payments', signer: () => signer };
  const publication = new Publication(deps);
  const checkpoints = new Checkpoints(deps);
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
  expect(check(events)).toMatchObject({ status: 0, stdout: '735 decisions, 8 checkpoints\n' });
  const { hash } = JSON.parse(events[11] ?? '').data.chain;
  const changed = events.with(11, (events[11] ?? '').replaceAll(hash, 'f'.repeat(64)));
  expect(check(changed)).toMatchObject({ status: 1, stderr: expect.stringContaining('computed') });

  const signed = events.flatMap((event) => parseCheckpointEvent(JSON.parse(event)) ?? []);
  const notes = signed.flatMap(({ note, tree }) => (tree.size > 0 ? [note] : []));
  expect(notes).toHaveLength(7);
  const kept = join(directory, 'checkpoint.txt');
  for (const note of notes) {
    writeFileSync(kept, note);
    const proof = await proveExtension(events, note);
    const { size } = proof.extends;
    expect(check([JSON.stringify(proof)], kept)).toMatchObject({ stdout: `735 decisions extend ${size}\n` });
    const wrong = { ...proof, hashes: [...proof.hashes, proof.hashes[0] ?? hash] };
    expect(check([JSON.stringify(wrong)], kept)).toMatchObject({ status: 1 });
  }
});
