import { expect, it } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { recordLeaderChange } from '../../src/daemon/leader-change.js';
import { silentLogger } from '../../src/observe.js';
import type { Journal, SettledDecision } from '../../src/queue/journal.js';
import type { ReconcilerDeps } from '../../src/reconcile/deps.js';

const never = new AbortController().signal;
const leaderOf = (replica: string, epoch: number) => ({
  replica,
  host: 'a',
  since: '2026-03-01T10:00:00.000Z',
  storeId: 's',
  epoch,
});

function depsOf(failures: number) {
  const settled: SettledDecision[] = [];
  let left = failures;
  const journal = {
    async settle(_: string, decisions: readonly SettledDecision[]) {
      if (left-- > 0) throw new Error('the store is away');
      settled.push(...decisions);
    },
  } as unknown as Journal;
  const deps = {
    journal,
    clock: { ...systemClock, sleep: async () => {} },
    logger: silentLogger,
    newId: () => 'id',
    onSettled: () => {},
    source: 'scopemesh/payments/a',
    world: { mapping: { owner: 'payments', revision: 'r' } } as unknown as ReconcilerDeps['world'],
  };
  return { deps, settled };
}

it('another process that leads is a decision with both, recorded once the store takes it', async () => {
  const { deps, settled } = depsOf(2);
  await recordLeaderChange({ leader: leaderOf('a/2', 7), before: leaderOf('a/1', 4) }, deps, never);
  expect(settled).toEqual([
    expect.objectContaining({
      type: 'dev.scopemesh.leader.changed',
      subject: 'leader/payments',
      action: 'none',
      outcome: 'observed',
      reason: 'LeaderChanged',
      before: { replica: 'a/1', host: 'a', since: '2026-03-01T10:00:00.000Z', epoch: 4 },
      after: { replica: 'a/2', host: 'a', since: '2026-03-01T10:00:00.000Z', epoch: 7 },
    }),
  ]);
});

it('the first leader, and one that leads again, make no decision', async () => {
  const { deps, settled } = depsOf(0);
  await recordLeaderChange({ leader: leaderOf('a/1', 1), before: undefined }, deps, never);
  await recordLeaderChange({ leader: leaderOf('a/1', 2), before: leaderOf('a/1', 1) }, deps, never);
  expect(settled).toEqual([]);
});
