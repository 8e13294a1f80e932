import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { noMetrics, silentLogger } from '../../src/observe.js';
import { endFreeze, followFreezes, NO_FREEZE, startFreeze } from '../../src/operator/freezes.js';
import type { RulingDeps } from '../../src/operator/ruling-store.js';
import { createEmbeddedStore, type EmbeddedStore } from '../../src/queue/embedded/store.js';
import { createJournalMemory } from '../../src/queue/journal-memory.js';
import { NOW } from '../plan/scene.js';
import { depsOf, worldWithTwo } from '../reconcile/deps.js';
import { newDirectory } from '../support/use-directory.js';

const ALICE = { id: 'os:alice' };
const REQUEST = { reason: 'release 42' };

let directory: string;
let store: EmbeddedStore;
let deps: RulingDeps;
const askForSweep = vi.fn();
const add = vi.fn(async () => {});
beforeEach(() => {
  add.mockReset();
  askForSweep.mockReset();
  const clock = { now: () => NOW, sleep: async () => {} };
  directory = newDirectory();
  store = createEmbeddedStore({
    directory,
    logger: silentLogger,
    metrics: noMetrics,
    clock,
  });
  deps = {
    ...depsOf(worldWithTwo(), {}).deps,
    clock,
    journal: createJournalMemory(store.journal),
    queue: { add },
    askForSweep,
  };
});
afterEach(() => store.close());

const inEffect = () => deps.world.freezes.at(NOW);
const start = () => startFreeze(REQUEST, ALICE, deps);
const end = () => endFreeze('released', ALICE, deps);

/** The store makes the next write, and its answer does not arrive. */
function loseAnswer(): void {
  const { journal } = store;
  const settle = journal.settle.bind(journal);
  vi.spyOn(journal, 'settle').mockImplementationOnce(async (...args) => {
    await settle(...args);
    throw new Error('the answer was lost');
  });
}

describe('a freeze whose answer from the store was lost', () => {
  it('is heeded a second later, if that was its start', async () => {
    loseAnswer();
    await expect(start()).rejects.toThrow('the answer was lost');
    await followFreezes(deps);
    expect(inEffect()).toMatchObject(REQUEST);
    expect(await end()).toEqual({ kind: 'done', ruling: undefined });
    expect(inEffect()).toBeUndefined();
    expect(add).toHaveBeenCalledTimes(1);
  });

  it.each([
    ['a second later', () => followFreezes(deps)],
    [
      'when a person asks again',
      async () => expect(await end()).toEqual({ kind: 'refused', why: NO_FREEZE }),
    ],
  ])('ends %s, if that was its end, and lets go what it held', async (_, next) => {
    await start();
    loseAnswer();
    await expect(end()).rejects.toThrow('the answer was lost');
    await next();
    expect(inEffect()).toBeUndefined();
    expect(add).toHaveBeenCalledTimes(1);
    await followFreezes(deps);
    expect(askForSweep).toHaveBeenCalledTimes(1);
  });
});

it('lets go later what a freeze held, if the queue takes nothing at its end', async () => {
  await start();
  add.mockRejectedValueOnce(new Error('the queue is full'));
  await expect(end()).rejects.toThrow('the queue is full');
  await followFreezes(deps);
  expect(inEffect()).toBeUndefined();
  expect(add).toHaveBeenCalledTimes(2);
});
