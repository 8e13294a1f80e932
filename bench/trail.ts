import { createWriteStream, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../src/clock.js';
import { extendSigned } from '../src/decisions/batch-proof.js';
import { type ChainHead, emptyChain, toStoredText } from '../src/decisions/chain.js';
import { createEmbeddedDecisionLog } from '../src/decisions/embedded/embedded-decision-log.js';
import { Publication } from '../src/decisions/publication.js';
import { readLines } from '../src/decisions/read-lines.js';
import { createNoteVerifier } from '../src/decisions/signed-note.js';
import { toTrailRecord } from '../src/decisions/trail-record.js';
import { TrailVerification } from '../src/decisions/verify-trail.js';
import { noMetrics, silentLogger } from '../src/observe.js';
import { createEmbeddedStore } from '../src/queue/embedded/store.js';
import { decisions } from '../test/support/decisions.js';
import { beginningOf, signer, verifier } from '../test/support/signed-log.js';
import { writeTrail } from './support/trail-file.js';

/*
 * How fast the decision trail is: `npx tsx bench/trail.ts [VERIFIED] [APPENDED]`. Verifies an export and an embedded log of so
 * many decisions, and settles and publishes so many through the embedded store and log. Prints one JSON line for each.
 */

const [verified = 1_000_000, appended = 50_000] = process.argv.slice(2).map(Number);
const BATCH = 500;
const directory = mkdtempSync(join(tmpdir(), 'scopemesh-bench-trail-'));
try {
  await verifyExport(verified);
  await verifyLog(verified);
  await append(appended);
} finally {
  rmSync(directory, { recursive: true, force: true });
}

async function verifyExport(count: number): Promise<void> {
  const path = join(directory, 'decisions.jsonl');
  const file = createWriteStream(path);
  let head: ChainHead = emptyChain('01JABCDEFGHJKMNPQRSTVWXYZ0');
  file.write(`${beginningOf(head.log)}\n`);
  for (let at = 0; at < count; at += BATCH) {
    const next = extendSigned(head, decisions(Math.min(BATCH, count - at), 97), signer);
    head = next.head;
    const text = next.chained.map((each) => `${toStoredText(each)}\n`).join('');
    if (!file.write(text)) await new Promise<void>((resolve) => file.once('drain', () => resolve()));
  }
  await new Promise<void>((resolve) => file.end(() => resolve()));
  const [began, cpu] = [performance.now(), process.cpuUsage()];
  const verification = new TrailVerification([verifier]);
  const input = await open(path);
  for await (const lines of readLines(input.createReadStream({ autoClose: false })))
    for (const line of lines) verification.add(toTrailRecord(line));
  await input.close();
  const report = verification.report();
  if (report.fault !== undefined || report.decisions !== count) throw new Error('the log does not verify');
  print('verify', count, began, cpu);
}

async function verifyLog(count: number): Promise<void> {
  const place = join(directory, 'log');
  mkdirSync(place);
  await writeTrail(place, { decisions: count, services: 2_000, callers: 20 }, () => {});
  const verifiers = [createNoteVerifier(readFileSync(join(place, 'trail-key.pub'), 'utf8').trim())];
  const log = createEmbeddedDecisionLog({ directory: place, logger: silentLogger, clock: systemClock });
  const [began, cpu] = [performance.now(), process.cpuUsage()];
  const verification = new TrailVerification(verifiers);
  const signal = new AbortController().signal;
  for await (const event of log.readEvents({ from: 'start', follow: false }, signal))
    verification.add(toTrailRecord(event));
  const { fault, decisions: found } = verification.report();
  if (fault !== undefined || found !== count) throw new Error('the log does not verify');
  print('verify embedded', count, began, cpu);
  await log.close();
}

async function append(count: number): Promise<void> {
  const runtime = { logger: silentLogger, metrics: noMetrics, clock: systemClock };
  const { journal, keyValues, close } = createEmbeddedStore({ directory, ...runtime });
  const log = createEmbeddedDecisionLog({ directory, ...runtime });
  const publication = new Publication({
    ...runtime,
    owner: 'payments',
    signer: () => signer,
    journal,
    keyValues,
    log,
  });
  for (let at = 0; at < count; at += BATCH)
    await journal.settle('destination/default/default/orders', decisions(BATCH, 97));
  const [began, cpu] = [performance.now(), process.cpuUsage()];
  while ((await publication.moveBatch()) > 0);
  print('publish', count, began, cpu);
  await log.close();
  await close();
}

function print(what: string, count: number, began: number, cpu: NodeJS.CpuUsage): void {
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  console.log(
    JSON.stringify({
      what,
      count,
      seconds: Number(seconds.toFixed(2)),
      perSecond: Math.round(count / seconds),
      cpuSeconds: Number(((user + system) / 1e6).toFixed(2)),
      megabytes: Math.round(process.memoryUsage().rss / 2 ** 20),
    }),
  );
}
