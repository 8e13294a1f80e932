import { expect, test } from 'vitest';
import { WritePlaces } from '../../src/acl/apply/write-places.js';
import { applyOnce } from '../../src/cli/apply-once.js';
import type { ClaimRecord } from '../../src/model/catalog.js';
import { WriteLimit } from '../../src/queue/write-limit.js';
import { readAllAcl } from '../../src/read/read-acl.js';
import { NO_FOLLOW_UPS } from '../../src/reconcile/deps.js';
import { planEverything } from '../../src/reconcile/fleet-plan.js';
import { failed, POLICY, policy, role } from '../acl/apply/memory-acl.js';
import { type AclWorld, aclWorld, denied, ID } from '../acl/job/acl-world.js';
import { READ_CONFIG } from '../acl/plan/acl-scene.js';
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
  return {
    world,
    kept,
    written,
    plan: () => ({ ...planEverything(world, deps.window, NOW), changes: [], holds: [] }),
    apply: (plan: ReturnType<typeof planEverything>) =>
      applyOnce(plan, CAUSE, { ...deps, consul: { ...deps.consul, claims } }, LIMIT, () => {}, NEVER),
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

const LIMIT = {
  failed: () => {},
  async forEach<T>(items: readonly T[], work: (item: T) => Promise<void>) {
    for (const item of items) await work(item);
  },
};
const WITH_PEOPLE = { settings: { groups: [{ group: 'oncall', acl: READ_CONFIG }] } };

/** Applies a plan of ACL objects; the configuration is loaded again after the first `reloads` records of a draft. */
async function applyWhileReloaded(reloads: number, { groups }: { readonly groups: boolean }) {
  const it = aclWorld(groups ? { ...WITH_PEOPLE, clients: [] } : {});
  it.state.members = () => new Map([['oncall', ['ann']]]);
  let left = reloads;
  const { journal } = it.job;
  const learning = {
    ...it.job,
    queue: NO_FOLLOW_UPS,
    journal: {
      ...journal,
      async record(...[key, drafts, replaced]: Parameters<typeof journal.record>) {
        await journal.record(key, drafts, replaced);
        if (drafts.length > 0 && left-- > 0) it.setMapping({});
      },
    },
  };
  const acl = { clients: groups ? [] : [ID], people: groups ? ['main'] : [] };
  const none = { changes: [], holds: [], claims: [], jwtProviders: [] };
  const plan = { ...planEverything(it.world, it.job.window, NOW), ...none };
  const failures = await applyOnce(
    { ...plan, acl: { ...plan.acl, ...acl } },
    CAUSE,
    learning,
    LIMIT,
    () => {},
    NEVER,
  );
  return { failures, made: it.objects.size };
}

test.each([
  ['a client', false],
  ['people', true],
])(
  'apply plans the ACL objects of %s again if the configuration changes before their write',
  async (_whose, groups) => {
    const { failures, made } = await applyWhileReloaded(2, { groups });
    expect(failures).toEqual([]);
    expect(made).toBeGreaterThan(0);
  },
);

test.each([
  ['a client', false],
  ['people', true],
])('apply says that the plan of %s changed if it does so before every write', async (_whose, groups) => {
  const { failures, made } = await applyWhileReloaded(100, { groups });
  expect(failures.map(({ error }) => error)).toEqual([
    'its plan changed while it was applied; run apply again',
  ]);
  expect(made).toBe(0);
});

test('apply says that what no client needs changed while it was removed', async () => {
  const it = aclWorld({ clients: [] });
  it.put(policy());
  await readAllAcl(it.job, NEVER);
  const { journal } = it.job;
  const learning = {
    ...it.job,
    journal: {
      ...journal,
      async record(...args: Parameters<typeof journal.record>) {
        await journal.record(...args);
        it.put(role(POLICY));
        await readAllAcl(it.job, NEVER);
      },
    },
  };
  const failures = await applyNothing(it, learning);
  expect(failures).toEqual([{ key: 'acl', error: expect.stringMatching(/run apply again$/) }]);
  expect([...it.objects.values()].map(({ kind }) => kind)).toContain('acl-policy');
});

test('a write of ACL objects that finds Consul overloaded halves the limit of apply once', async () => {
  const it = aclWorld();
  it.before = async (line) => {
    if (line.startsWith('create')) throw failed('ERR_CONSUL_UNREACHABLE');
  };
  const limit = new WriteLimit({ least: 1, first: 8, most: 8 }, it.job.clock);
  const deps = { ...it.job, queue: NO_FOLLOW_UPS, writePlaces: new WritePlaces(limit, 1) };
  const none = { changes: [], holds: [], claims: [], jwtProviders: [] };
  const plan = planEverything(it.world, it.job.window, NOW);
  const shown = { ...plan, ...none, acl: { ...plan.acl, clients: [ID] } };
  const failures = await applyOnce(shown, CAUSE, deps, limit, () => {}, NEVER);
  expect(failures).toEqual([{ key: 'client/main/web', error: 'no' }]);
  expect(limit.now).toBe(4);
});

test('apply says that Consul refuses to remove what no client needs', async () => {
  const it = aclWorld({ clients: [] });
  it.put(policy());
  await readAllAcl(it.job, NEVER);
  it.before = async (line) => {
    if (line.startsWith('delete')) throw denied;
  };
  expect(await applyNothing(it)).toEqual([{ key: 'acl', error: 'no permission' }]);
});

/** Applies a plan in which no key has anything to do. */
function applyNothing(it: AclWorld, deps = it.job) {
  const none = { changes: [], holds: [], claims: [], jwtProviders: [] };
  const plan = { ...planEverything(it.world, it.job.window, NOW), ...none };
  return applyOnce(plan, CAUSE, deps, LIMIT, () => {}, NEVER);
}

test('a plan in observe shows no record of a claim, and no hold of one', () => {
  const it = firstClaims(record('web', 'web'));
  it.world.setMapping({ ...it.world.mapping, mode: 'observe' });
  const { claims, holds } = planEverything(it.world, depsOf(it.world, {}).deps.window, NOW);
  expect([claims, holds.filter(({ resource }) => resource.kind === 'claim')]).toEqual([[], []]);
});
