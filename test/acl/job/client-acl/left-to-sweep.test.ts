import { describe, expect, it } from 'vitest';
import { aclBudget } from '../../../../src/acl/job/acl-budget.js';
import { reconcileClientAcl } from '../../../../src/acl/job/client-acl.js';
import { clientsWithAcl } from '../../../../src/acl/state/acl-owners.js';
import { createSelection } from '../../../../src/plan/selection.js';
import { readAllAcl } from '../../../../src/read/read-acl.js';
import { aclRule, READ_CONFIG } from '../../plan/acl-scene.js';
import { aclWorld, ID, jobOf } from '../acl-world.js';
import { long, orphanedWorld } from '../orphaned-world.js';

const never = new AbortController().signal;

const FAR = {
  providers: ['main', 'far'],
  rules: [aclRule('config:read', READ_CONFIG, { provider: 'main' })],
};

/** The loss of two clients is held by their own jobs, because they were known then and lost a scope. */
async function heldByJobs() {
  const orphans = await orphanedWorld(0, 2);
  const { it: world, clients, run } = orphans;
  world.putClients(...clients.map((each) => ({ ...each, grants: [] })));
  await run(1);
  await run(2);
  world.putClients();
  return orphans;
}

describe('the job of an unknown client that no Description names', () => {
  it('keeps what a person rejected in the comparison, also after the window', async () => {
    const { it: world, remove, run, rule, roles, ownHold } = await orphanedWorld(1);
    await remove();
    for (const at of [1, 2]) expect((await rule(at, 'rejected')).kind).toBe('ruled');
    await remove();
    world.nowMs += 600_001;
    world.forget();
    await run(1);
    expect(roles()).toHaveLength(2);
    expect([world.decided(), await ownHold(1)]).toEqual([[], undefined]);
  });

  it('holds nothing beside the comparison, whose approved hold is made, and only that', async () => {
    const { it: world, remove, run, rule, roles, hold, ownHold, subject } = await orphanedWorld(1);
    await remove();
    await run(1);
    expect(await ownHold(1)).toBeUndefined();
    expect((await rule(1, 'approved')).kind).toBe('ruled');
    await run(1);
    expect(roles()).toHaveLength(2);
    await Promise.all([remove(), run(1), run(2)]);
    expect(roles().map((name) => `acl-role/${name}`)).toEqual([subject(2)]);
    expect(await hold(2)).toBeDefined();
    expect(aclBudget(world.job, world.nowMs)).toEqual({ owned: 1, planned: 1, begun: 0 });
  });

  it('asks for a comparison until that has held the objects, and not where nothing is left', async () => {
    const { remove, run, asked, roles } = await orphanedWorld(1);
    await run(1);
    expect([asked.times, roles().length]).toEqual([1, 2]);
    await remove();
    await run(1);
    expect(asked.times).toBe(1);
    const within = await orphanedWorld(10);
    await within.remove();
    await within.run(1);
    expect([within.asked.times, within.roles()]).toEqual([0, []]);
  });

  it('asks for no comparison where the mapping wants no such objects: one that is refused would lead to the next', async () => {
    const { it: world, run, asked, roles } = await orphanedWorld(1);
    world.setMapping({ rules: [] });
    await run(1);
    expect([asked.times, roles().length]).toEqual([0, 2]);
  });

  it.each(['observe', 'extend'] as const)(
    'adds no decision to those of the comparison in %s',
    async (mode) => {
      const { it: world, remove, run, asked, ownHolds } = await orphanedWorld(10);
      world.setMapping({ mode });
      await run(1);
      expect([asked.times, world.decided()]).toEqual([1, []]);
      await remove();
      const decided = world.decided().length;
      await run(1);
      expect([asked.times, world.decided().length, (await ownHolds(1)).size]).toEqual([1, decided, 0]);
    },
  );

  it('ends its other holds', async () => {
    const { it: world, clients, run, ownHolds } = await orphanedWorld(10);
    world.setMapping({ mode: 'observe' });
    world.putClients(...clients.map((each) => ({ ...each, grants: [] })));
    await run(1);
    expect((await ownHolds(1)).size).toBeGreaterThan(0);
    world.putClients();
    await run(1);
    expect((await ownHolds(1)).size).toBe(0);
  });

  it('makes what the identity provider itself reported', async () => {
    const { remove, run, roles, subject, asked } = await orphanedWorld(1);
    await remove();
    await run(1, { evidence: [{ provider: 'main', clients: [long(1)] }] });
    expect(roles().map((name) => `acl-role/${name}`)).toEqual([subject(2)]);
    expect(asked.times).toBe(0);
  });

  it('closes a client in quarantine', async () => {
    const { it: world, run, roles, subject } = await orphanedWorld(1);
    world.world.setClientBlock({ provider: 'main', clientId: long(1) }, 'ClientQuarantined');
    await run(1);
    expect(roles().map((name) => `acl-role/${name}`)).toEqual([subject(2)]);
  });

  it.each([1, 10])('closes a client in quarantine alone and once, with a limit of %i', async (limit) => {
    const { it: world, remove, run, roles, subject, hold } = await orphanedWorld(limit, 1);
    const id = { provider: 'main', clientId: long(1) };
    world.world.setClientBlock(id, 'ClientQuarantined');
    expect(await remove()).toMatchObject({ holds: 0 });
    expect([roles().length, await hold(1), world.decided()]).toEqual([1, undefined, []]);
    // The comparison finds it also without an order, as after a restart.
    expect(clientsWithAcl(world.job)).toEqual([id]);
    await Promise.all([run(1), remove()]);
    expect(roles()).toEqual([]);
    expect(world.decided().map((each) => [each.subject, each.reason])).toContainEqual([
      subject(1),
      'ClientQuarantined',
    ]);
    expect(new Set(world.decided().map(({ reason }) => reason))).toEqual(
      new Set(['ClientQuarantined', 'RemovedWithParent']),
    );
  });

  it('keeps what it holds, which the comparison leaves, and each counts once', async () => {
    const { it: world, remove, run, hold, ownHold, asked } = await heldByJobs();
    expect(await remove()).toMatchObject({ holds: 0 });
    await run(1);
    expect([await hold(1), (await ownHold(1))?.reason, asked.times]).toEqual([
      undefined,
      'RevocationLimit',
      0,
    ]);
    expect(aclBudget(world.job, world.nowMs)).toEqual({ owned: 2, planned: 2, begun: 0 });
  });

  it('leaves to the comparison what that holds, with its ruling, also while other clients are unread', async () => {
    const { it: world, remove, run, roles, hold, ownHold, rule, subject } = await orphanedWorld(1, 2, FAR);
    await remove();
    await rule(1, 'approved');
    await rule(2, 'rejected');
    world.world.forgetDirectory('far');
    world.nowMs += 600_001;
    await run(1);
    expect([roles().length, (await hold(1))?.reason, await ownHold(1)]).toEqual([
      2,
      'RevocationLimit',
      undefined,
    ]);
    await remove();
    expect(roles().map((name) => `acl-role/${name}`)).toEqual([subject(2)]);
  });

  it('does its own work once its client is known', async () => {
    const { it: world, clients, run, asked, roles } = await orphanedWorld(1);
    world.putClients(...clients);
    await run(1);
    expect([asked.times, roles().length, world.decided()]).toEqual([0, 2, []]);
  });

  it('takes what a client lost that is known again, although the comparison held its removal', async () => {
    const { it: world, clients, remove, run, roles, hold, subject, asked } = await orphanedWorld(1);
    await remove();
    world.putClients(...clients.map((each, at) => (at === 0 ? { ...each, grants: [] } : each)));
    asked.times = 0;
    await run(1);
    expect((await hold(1))?.reason).toBe('RevocationLimit');
    expect([roles().map((name) => `acl-role/${name}`), asked.times]).toEqual([[subject(2)], 0]);
  });

  it.each(['observe', 'extend'] as const)(
    'says in %s that an order closed the client, although the comparison held its removal',
    async (mode) => {
      const { it: world, remove, run, ownHolds } = await orphanedWorld(1);
      await remove();
      world.setMapping({ mode });
      world.world.setClientBlock({ provider: 'main', clientId: long(1) }, 'ClientQuarantined');
      world.forget();
      await run(1);
      expect([...(await ownHolds(1)).values()].map(({ reason }) => reason)).toContain('ModeForbids');
      expect(world.decided().length).toBeGreaterThan(0);
    },
  );

  it('removes them where a selection names clients, for then the comparison removes none', async () => {
    const select = createSelection({ clients: ['client 1*'] });
    const { it: world, run, roles, asked } = await orphanedWorld(1, 1, { select });
    await run(1);
    expect([roles(), asked.times]).toEqual([[], 0]);
    expect(world.decided().map(({ reason }) => reason)).toContain('ClientDeleted');
  });

  it('holds them there although the comparison held those of another client', async () => {
    const { it: world, clients, remove, run, hold, ownHold } = await orphanedWorld(0, 2);
    world.putClients(...clients.slice(0, 1));
    await remove();
    expect([await hold(1), (await hold(2))?.reason]).toEqual([undefined, 'RevocationLimit']);
    world.setMapping({ select: createSelection({ clients: ['client 1*'] }) });
    world.putClients();
    await run(1);
    expect((await ownHold(1))?.reason).toBe('RevocationLimit');
  });

  it.each(['observe', 'extend'] as const)(
    'asks for no comparison in %s that held only what is left of them',
    async (mode) => {
      const { it: world, remove, run, asked, roles, ownHolds } = await orphanedWorld(10, 1);
      for (const [id, { kind }] of world.objects) if (kind === 'acl-role') world.objects.delete(id);
      await readAllAcl(world.job, never);
      world.setMapping({ mode });
      await remove();
      asked.times = 0;
      await run(1);
      expect([roles(), asked.times, (await ownHolds(1)).size]).toEqual([[], 0, 0]);
      expect(world.objects.size).toBeGreaterThan(0);
    },
  );
});

it('the job of an unknown client that a Description names removes its objects, which the comparison does not', async () => {
  const world = aclWorld();
  await reconcileClientAcl(ID, jobOf(), world.job, never);
  world.putClients();
  await reconcileClientAcl(ID, jobOf(), world.job, never);
  const left = [...world.objects.values()].map(({ kind }) => kind);
  expect(new Set(left)).toEqual(new Set());
});
