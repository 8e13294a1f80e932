import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { noMetrics, silentLogger } from '../../src/observe.js';
import { createEmbeddedStore } from '../../src/queue/embedded/store.js';
import type { ReconcilerDeps } from '../../src/reconcile/deps.js';
import { restoreMemory } from '../../src/reconcile/restore.js';
import { Contention } from '../../src/state/contention.js';
import { NOW } from '../plan/scene.js';
import { makeSparseReserve } from '../support/sparse-reserve.js';
import { depsOf, worldWithTwo } from './deps.js';

const WEB = 'intention/default/default/orders/web';

it('the next leader on the store knows the window of the mass guard and the contended edges', async () => {
  const { clock } = depsOf(worldWithTwo(), {}).deps;
  const runtime = { logger: silentLogger, metrics: noMetrics, clock };
  const directory = mkdtempSync(join(tmpdir(), 'scopemesh-restore-'));
  makeSparseReserve(directory);
  const store = createEmbeddedStore({ ...runtime, directory });
  onTestFinished(async () => {
    await store.close();
    rmSync(directory, { recursive: true });
  });
  const lead = async (replica: string): Promise<ReconcilerDeps> => {
    const self = { replica, host: 'a', since: new Date(NOW).toISOString(), storeId: 's' };
    const { journal, keyValues } = store.lead(
      (await store.fence.raise(self, { above: 0, over: 'any' })) ?? 0,
    );
    const contention = new Contention({ limit: 3, windowMs: 1_000 }, keyValues, clock);
    const deps = { ...depsOf(worldWithTwo(), {}).deps, journal, keyValues, contention };
    await restoreMemory(deps);
    return deps;
  };
  const first = await lead('first');
  for (let at = 0; at < 3; at++) first.contention.corrected(WEB, NOW);
  await first.contention.close();
  first.window.reserveEdge(WEB, NOW);
  first.window.confirmEdge(WEB);
  first.window.addRemovals(2, NOW);
  await first.window.store(first.keyValues);

  const next = await lead('next');
  expect(next.contention.isContended(WEB, NOW)).toBe(true);
  expect(next.window.used(NOW)).toBe(3);

  // Of what the former one still hears, nothing replaces it.
  first.contention.corrected('intention/default/default/orders/api', NOW);
  await first.contention.close();
  await expect(first.window.store(first.keyValues)).rejects.toMatchObject({ code: 'ERR_LEASE_LOST' });
  const third = await lead('third');
  expect(third.contention.isContended(WEB, NOW)).toBe(true);
  expect(third.window.used(NOW)).toBe(3);
});

it('a clock that was set back since the last complete read of a directory prolongs no break-glass grant', async () => {
  const { deps } = depsOf(worldWithTwo(), {});
  const at = new Date(NOW + 3_600_000).toISOString();
  await deps.keyValues.set('directory/main', JSON.stringify({ at, clients: 1, requests: 1 }));
  await restoreMemory(deps);
  expect(deps.world.breakGlass.timeAt(NOW + 5)).toBe(NOW + 3_600_005);
  const { deps: first } = depsOf(worldWithTwo(), {});
  await restoreMemory(first);
  expect(first.world.breakGlass.timeAt(NOW)).toBe(NOW);
});
