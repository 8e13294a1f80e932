import { expect, it } from 'vitest';
import { emptyChain, extendChain } from '../../src/decisions/chain.js';
import { Checkpoints } from '../../src/decisions/checkpoints.js';
import { noMetrics, silentLogger } from '../../src/observe.js';
import { decisions } from '../support/decisions.js';
import { MemoryDecisionLog } from '../support/memory-decision-log.js';
import { createMovableClock } from '../support/movable-clock.js';
import { signer } from '../support/signed-log.js';
import { createFacts } from '../support/worker-facts.js';

const headOf = (count: number) => extendChain(emptyChain('one'), decisions(count)).head;

/** Checkpoints of one log, by as many leaders as one likes. */
function leaders() {
  const clock = createMovableClock();
  const log = new MemoryDecisionLog();
  const deps = {
    clock,
    logger: silentLogger,
    metrics: noMetrics,
    log,
    keyValues: createFacts(),
    signer: () => signer,
  };
  const sizes = () => log.checkpoints.map(({ tree }) => tree.size);
  return { clock, sizes, next: () => new Checkpoints({ ...deps, owner: 'payments' }) };
}

it('Leaders that change more often than once a minute leave checkpoints all the same', async () => {
  const { sizes, next } = leaders();
  for (const size of [1, 2, 2, 3]) await next().signIfDue(headOf(size));
  expect(sizes()).toEqual([1, 2, 3]);
});

it('One that cannot be written is counted, said once, and written a minute later', async () => {
  const clock = createMovableClock();
  const log = new MemoryDecisionLog();
  const said: string[] = [];
  const note = (_: object, message: string) => void said.push(message);
  const logger = { ...silentLogger, warn: note, info: note };
  const count = (name: string) => void said.push(name);
  const deps = { clock, logger, metrics: { ...noMetrics, count }, log, keyValues: createFacts() };
  const checkpoints = new Checkpoints({ ...deps, signer: () => signer, owner: 'payments' });
  const append = log.appendCheckpoint.bind(log);
  log.appendCheckpoint = async () => Promise.reject(new Error('full'));
  for (let times = 0; times < 2; times++) await checkpoints.sign(headOf(1));
  log.appendCheckpoint = append;
  await checkpoints.sign(emptyChain('one'));
  for (const size of [1, 2]) await checkpoints.sign(headOf(size));
  expect(said).toEqual([
    'scopemesh_checkpoint_failures_total',
    'the checkpoint of the decision log could not be written; scopemesh tries again in a minute',
    'scopemesh_checkpoint_failures_total',
    'checkpoints of the decision log are written again',
  ]);
  expect(log.checkpoints.map(({ source, tree }) => [source, tree.size])).toEqual([
    ['scopemesh/payments', 1],
    ['scopemesh/payments', 2],
  ]);
});

it('One leader signs once a minute, and only an end that moved', async () => {
  const { clock, sizes, next } = leaders();
  const leader = next();
  await leader.signIfDue(undefined);
  await leader.signIfDue(headOf(1));
  await leader.signIfDue(headOf(2));
  expect(sizes()).toEqual([1]);
  clock.advance(60_000);
  await leader.signIfDue(headOf(3));
  clock.advance(60_000);
  await leader.signIfDue(headOf(3));
  expect(sizes()).toEqual([1, 3]);
});
