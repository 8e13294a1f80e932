import { expect, test } from 'vitest';
import { applyOnce } from '../../src/cli/apply-once.js';
import type { ClaimRecord } from '../../src/model/catalog.js';
import { planEverything } from '../../src/reconcile/fleet-plan.js';
import { CAUSE, NEVER } from '../apply/apply-rig.js';
import { claiming, NOW, named } from '../plan/scene.js';
import { depsOf, worldWithTwo } from '../reconcile/deps.js';

const record = (clientId: string, service: string): ClaimRecord => ({
  provider: 'main',
  clientId,
  service: named(service),
  modifyIndex: 7,
});
const catalogOf = (...services: readonly (readonly [string, string])[]) => ({
  services: services.map(([service, clientId]) => claiming(service, clientId)),
  protocols: new Map(),
  defaultProtocol: 'http' as const,
});

/** Services `web` and `api`; `written` are the writes of claims. */
function firstClaims(...records: readonly ClaimRecord[]) {
  const world = worldWithTwo();
  world.setMapping({ ...world.mapping, claims: 'first', rules: [] });
  world.putClaimRecords(records);
  const { deps } = depsOf(world, {});
  const kept = new Map(records.map((each) => [each.clientId, each]));
  const written: string[] = [];
  const claims = {
    list: async () => [...kept.values()],
    write: async (writes: Parameters<typeof deps.consul.claims.write>[0]) =>
      writes.map(({ do: what, record: { clientId, service } }) => {
        written.push(`${what} ${clientId} ${service.name}`);
        if (what === 'delete') kept.delete(clientId);
        else kept.set(clientId, record(clientId, service.name));
        return { kind: 'written' as const };
      }),
  };
  const limit = {
    overloaded: () => {},
    async forEach<T>(items: readonly T[], work: (item: T) => Promise<void>) {
      for (const item of items) await work(item);
    },
  };
  return {
    world,
    kept,
    written,
    plan: () => ({ ...planEverything(world, deps.window, NOW), changes: [], holds: [] }),
    apply: (plan: ReturnType<typeof planEverything>) =>
      applyOnce(plan, CAUSE, { ...deps, consul: { ...deps.consul, claims } }, limit, () => {}, NEVER),
  };
}

test('apply gives a client that its plan frees to no other service', async () => {
  const it = firstClaims(record('web', 'web'), record('api', 'api'));
  it.world.putCatalog(catalogOf(['web', ''], ['other', 'web'], ['api', 'api']), NOW);
  const plan = it.plan();
  expect(plan.claims).toMatchObject([{ verb: 'deleted', service: named('web') }]);
  expect(await it.apply(plan)).toEqual([]);
  expect(it.written).toEqual(['delete web web']);
  expect(it.plan().claims).toMatchObject([{ verb: 'created', service: named('other') }]);
});

test('apply writes no claim that it could make only since its plan was shown', async () => {
  const it = firstClaims(record('web', 'web'));
  const plan = it.plan();
  expect(plan.claims).toMatchObject([{ verb: 'created', client: { clientId: 'api' } }]);
  // The list that is read after the write shows it.
  it.kept.delete('web');
  expect(await it.apply(plan)).toEqual([]);
  expect(it.written).toEqual(['create api api']);
  expect(it.plan().claims).toMatchObject([{ verb: 'created', client: { clientId: 'web' } }]);
});
