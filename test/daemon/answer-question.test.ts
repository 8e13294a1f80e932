import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { TRAIL_ROUTES } from '../../src/console/answers/past.js';
import { answerQuestion } from '../../src/daemon/answer-question.js';
import { extendSigned } from '../../src/decisions/batch-proof.js';
import { type ChainHead, emptyChain } from '../../src/decisions/chain.js';
import { originOf, signCheckpoint } from '../../src/decisions/checkpoint.js';
import { createEmbeddedDecisionLog } from '../../src/decisions/embedded/embedded-decision-log.js';
import { openEmbeddedTrail } from '../../src/decisions/embedded/embedded-trail.js';
import type { DecisionLog } from '../../src/decisions/log.js';
import { proveInclusion, verifyInclusion } from '../../src/decisions/proofs.js';
import { silentLogger } from '../../src/observe.js';
import { decisions } from '../support/decisions.js';
import { signer, verifier } from '../support/signed-log.js';

const never = new AbortController().signal;
/** Three checkpoints, and two decisions that none covers. */
const ALL = decisions(35);
const PARTS = [
  [0, 13],
  [13, 14],
  [14, 33],
  [33, 35],
] as const;

let directory: string;
let log: DecisionLog;
const openTrail = () => openEmbeddedTrail({ directory, logger: silentLogger, clock: systemClock });

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'scopemesh-questions-'));
  log = createEmbeddedDecisionLog({ directory, logger: silentLogger, clock: systemClock });
  let head: ChainHead = emptyChain('one');
  for (const [from, to] of PARTS) {
    const next = extendSigned(head, ALL.slice(from, to), signer);
    head = next.head;
    await log.append(next.chained);
    if (to === ALL.length) continue;
    const note = signCheckpoint(signer, originOf('payments', 'one'), head);
    const { tree } = head;
    await log.appendCheckpoint({
      id: `c${to}`,
      time: ALL[0]?.time ?? '',
      source: 's',
      log: 'one',
      note,
      tree,
    });
  }
});
afterAll(async () => {
  await log.close();
  rmSync(directory, { recursive: true });
});

const ask = (kind: 'proof' | 'who-can-call' | 'what-can' | 'access-diff' | 'explain', query: object) =>
  answerQuestion(openTrail, { kind, query, now: Date.now(), protectedServices: [] });

it('the proof of a decision is what the command prints, whichever checkpoint covers it', async () => {
  for (const { id } of ALL.slice(0, 33)) {
    const answer = await ask('proof', { id });
    const events = log.readEvents({ from: 'start', follow: false }, never);
    expect(JSON.parse(answer)).toEqual(await proveInclusion(events, id));
    expect(verifyInclusion(answer, [verifier])?.id).toBe(id);
  }
});

it('no proof is given of a decision that is not signed yet, or not there', async () => {
  await expect(ask('proof', { id: ALL[34]?.id ?? '' })).rejects.toMatchObject({
    code: 'ERR_CONFIG',
    message: expect.stringContaining('no checkpoint signs decision'),
  });
  expect(await ask('proof', { id: 'nobody' })).toBe('null');
});

it('the questions that the page asks have the answers that it expects', async () => {
  const { callers, holdings, call, diff } = TRAIL_ROUTES;
  const { resource } = ALL[0] ?? {};
  const [source, destination] = [resource?.source ?? '', resource?.destination ?? ''];
  const parsed = [
    callers.answer.parse(JSON.parse(await ask('who-can-call', { service: destination }))),
    holdings.answer.parse(JSON.parse(await ask('what-can', { name: source }))),
    call.answer.parse(JSON.parse(await ask('explain', { source, destination, path: '/' }))),
    diff.answer.parse(JSON.parse(await ask('access-diff', { from: '2020-01-01T00:00:00Z' }))),
  ];
  expect(parsed.map(({ unknown }) => unknown.length > 0)).toEqual([true, true, true, true]);
});
