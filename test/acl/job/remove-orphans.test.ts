import { describe, expect, it } from 'vitest';
import { aclDraftOf } from '../../../src/acl/apply/acl-request.js';
import { removeLeft } from '../../../src/acl/job/remove-left.js';
import { clientKey, formatKey, leftObjectsKey } from '../../../src/model/key.js';
import { readAllAcl } from '../../../src/read/read-acl.js';
import { CAUSE } from '../../apply/apply-rig.js';
import { aclToken, failed, loss, policy, role, WEB } from '../apply/memory-acl.js';
import { type AclWorld, aclWorld, denied } from './acl-world.js';
import { long, type OrphanedWorld, orphanedWorld } from './orphaned-world.js';

const never = new AbortController().signal;

describe('the removal of one unknown client’s objects', () => {
  const subjectsOf = (world: AclWorld) =>
    world.decided().flatMap(({ subject, outcome }) => (outcome === 'applied' ? subject : []));

  it.each(['the comparison', 'the job of the client, which has evidence'])(
    'has one decision for each object, although %s began before the other',
    async (first) => {
      const { it: world, remove, run, roles } = await orphanedWorld(10);
      const evidence = [{ provider: 'main', clients: [long(1)] }];
      const compare = () => remove();
      const settle = () => run(1, { evidence });
      const [one, other] = first === 'the comparison' ? [compare, settle] : [settle, compare];
      let later: Promise<unknown> | undefined;
      world.before = async (line) => {
        if (!line.startsWith('delete') || later !== undefined) return;
        later = other();
        // As far as it gets before the first one ends.
        for (let turns = 0; turns < 100; turns++) await new Promise(setImmediate);
      };
      await one();
      await later;
      expect(later).toBeDefined();
      expect(roles()).toEqual([]);
      expect(subjectsOf(world)).toEqual([...new Set(subjectsOf(world))]);
      expect(new Set(world.decided().map(({ outcome }) => outcome))).toEqual(new Set(['applied']));
    },
  );

  it('that Consul refuses leaves all others, and keeps its approval for the next comparison', async () => {
    const { it: world, remove, roles, hold, rule, subject } = await orphanedWorld(0, 3);
    world.put(policy({ name: 'scopemesh-pay-_rules-unlinked' }));
    await readAllAcl(world.job, never);
    await remove();
    for (const at of [1, 2, 3]) await rule(at, 'approved');
    const refused = subject(2).slice('acl-role/'.length);
    world.before = async (line) => {
      if (line.startsWith('delete') && line.includes(refused)) throw denied;
    };
    world.forget();
    const { refusals } = await remove();
    expect(refusals).toEqual([denied]);
    expect(roles()).toEqual([refused]);
    expect([...world.objects.keys()]).not.toContain('acl-policy-scopemesh-pay-_rules-unlinked');
    expect([await hold(1), (await hold(2))?.reason, await hold(3)]).toEqual([
      undefined,
      'RevocationLimit',
      undefined,
    ]);
    expect(world.decided()).toContainEqual(
      expect.objectContaining({ subject: subject(2), outcome: 'failed', reason: 'ConsulRefused' }),
    );
    world.before = async () => {};
    expect((await remove()).refusals).toEqual([]);
    expect([roles(), await hold(2)]).toEqual([[], undefined]);
  });

  it('is forgotten by the client, which gains its access again when it comes back', async () => {
    const { it: world, clients, remove, run, roles } = await orphanedWorld(10);
    await remove();
    expect(roles()).toEqual([]);
    world.putClients(...clients);
    world.forget();
    await run(1);
    expect(roles()).toHaveLength(1);
    expect(world.decided().map(({ subject, reason }) => `${subject.split('/')[0]} ${reason}`)).toContain(
      'acl-role ScopeGranted',
    );
    expect(world.decided().map(({ reason }) => reason)).not.toContain('DriftCorrected');
    world.forget();
    await run(1);
    expect(world.decided()).toEqual([]);
  });

  it('is made although an earlier one left tokens that Consul does not let it end', async () => {
    const { it: world, remove, roles } = await orphanedWorld(10);
    const ended = loss.endTokens(role(), { role: WEB });
    await world.job.journal.record(leftObjectsKey('pay'), [aclDraftOf(ended, CAUSE, world.job)]);
    world.tokens = [aclToken('t')];
    world.before = async (line) => {
      if (line.startsWith('end ')) throw denied;
    };
    expect((await remove()).refusals).toEqual([denied]);
    expect([roles(), world.tokens.length]).toEqual([[], 1]);
    world.before = async () => {};
    expect((await remove()).refusals).toEqual([]);
    expect(world.tokens).toEqual([]);
  });

  it('leaves what the job of the client wrote and a rejection keeps', async () => {
    const { it: world, remove, rule, roles, subject, clients, run } = await orphanedWorld(0);
    await remove();
    await rule(1, 'approved');
    await rule(2, 'rejected');
    const key = formatKey(clientKey('main', long(2)));
    const { lastApplied } = await world.job.journal.read(key);
    expect(lastApplied.size).toBeGreaterThan(0);
    await remove();
    expect(roles().map((name) => `acl-role/${name}`)).toEqual([subject(2)]);
    expect((await world.job.journal.read(key)).lastApplied).toEqual(lastApplied);
    expect(world.world.records.of(key)).toEqual(lastApplied);
    // A read of this client alone takes its scopes, before the directory is read again.
    const id = { provider: 'main', clientId: long(2) };
    world.world.forgetDirectory('main');
    for (const client of clients.slice(1))
      world.world.putClient(id, { ...client, grants: [] }, world.world.beginRead());
    await run(2, { evidence: [{ provider: 'main', clients: [long(2)] }] });
    expect(roles()).toEqual([]);
  });

  it('leaves what the job of the client wrote, and the approval, while an object stays', async () => {
    const { it: world, remove, rule, roles, hold, subject } = await orphanedWorld(0);
    await remove();
    for (const at of [1, 2]) await rule(at, 'approved');
    const { mode } = world.world.mapping;
    world.before = async (line) => {
      if (line.startsWith('delete')) world.setMapping({ mode: 'extend' });
    };
    await remove();
    const [left = ''] = roles().slice(-1);
    const at = subject(1) === `acl-role/${left}` ? 1 : 2;
    const { lastApplied } = await world.job.journal.read(formatKey(clientKey('main', long(at))));
    expect([lastApplied.size > 0, (await hold(at))?.reason]).toEqual([true, 'RevocationLimit']);
    world.before = async () => {};
    world.setMapping({ mode });
    await remove();
    expect(roles()).toEqual([]);
  });

  it.each([true, false])(
    'has one decision although its job lost the answer, with the removal made: %s',
    async (isMade) => {
      const { it: world, remove, run, roles } = await orphanedWorld(10, 1);
      const evidence = [{ provider: 'main', clients: [long(1)] }];
      world.before = async (line) => {
        if (!line.startsWith('delete')) return;
        const id = line.slice('delete '.length);
        // Consul deletes the rules of a method with it.
        for (const [each, { kind, object }] of isMade ? [...world.objects] : [])
          if (each === id || (kind === 'acl-binding-rule' && object.authMethod === id))
            world.objects.delete(each);
        throw failed('ERR_CONSUL_UNREACHABLE');
      };
      await expect(run(1, { evidence })).rejects.toThrow();
      world.before = async () => {};
      await readAllAcl(world.job, never);
      await remove();
      await run(1, { evidence });
      expect(roles()).toEqual([]);
      expect(subjectsOf(world)).toEqual([...new Set(subjectsOf(world))]);
      expect(subjectsOf(world).map((subject) => subject.split('/')[0])).toContain('acl-role');
    },
  );

  it('leaves an object that replaced the planned one to the next comparison', async () => {
    const { it: world, remove, rule, roles, hold, subject, asked } = await orphanedWorld(0);
    await remove();
    for (const at of [1, 2]) await rule(at, 'approved');
    const replaced: string[] = [];
    world.before = async (line) => {
      if (!line.startsWith('delete') || replaced.length > 0) return;
      const other = roles().find((name) => !line.includes(name)) ?? '';
      replaced.push(other);
      const { cache } = world.job.acl;
      const role = cache.of(other).role;
      if (role === undefined) throw new Error('no role');
      const object = { kind: 'acl-role', object: role.object } as const;
      cache.wrote(object, { ...role, id: 'new' }, world.world.beginRead());
    };
    asked.times = 0;
    expect((await remove()).isStale).toBe(true);
    expect([roles(), asked.times]).toEqual([replaced, 1]);
    const at = subject(1) === `acl-role/${replaced[0]}` ? 1 : 2;
    expect((await hold(at))?.reason).toBe('RevocationLimit');
  });

  it('is made although its job left tokens that Consul does not let it end', async () => {
    const { it: world, remove, roles } = await orphanedWorld(10, 1);
    const key = formatKey(clientKey('main', long(1)));
    const ended = loss.endTokens(role(), { role: WEB });
    await world.job.journal.record(key, [aclDraftOf(ended, CAUSE, world.job)]);
    world.tokens = [aclToken('t')];
    world.before = async (line) => {
      if (line.startsWith('end ')) throw denied;
    };
    expect((await remove()).refusals).toEqual([denied]);
    expect([roles(), world.tokens.length]).toEqual([[], 1]);
  });

  it('does not count where the count cannot be stored, and nothing is removed', async () => {
    const { it: world, remove, roles } = await orphanedWorld(3, 3);
    const { keyValues } = world.job;
    const set = () => Promise.reject(failed('ERR_QUEUE_UNREACHABLE'));
    Object.assign(world.job, { keyValues: { ...keyValues, set } });
    await expect(remove()).rejects.toThrow();
    const { window } = world.job;
    expect([roles().length, window.used(world.nowMs), window.underWay(world.nowMs)]).toEqual([3, 0, 0]);
    Object.assign(world.job, { keyValues });
    await remove();
    expect([roles().length, window.used(world.nowMs)]).toEqual([0, 3]);
  });

  it('counts although the job of its client gives its own count back meanwhile', async () => {
    const { it: world, remove, subject, roles } = await orphanedWorld(1, 1);
    const { keyValues, window } = world.job;
    const set: typeof keyValues.set = async (name, value) => {
      await keyValues.set(name, value);
      window.releaseEdge(subject(1));
    };
    Object.assign(world.job, { keyValues: { ...keyValues, set } });
    await remove();
    expect([roles(), window.used(world.nowMs)]).toEqual([[], 1]);
  });

  it('counts although its client is back, whose job may have counted the same loss', async () => {
    const { it: world, remove, clients } = await orphanedWorld(3, 3);
    world.before = async (line) => {
      if (line.startsWith('delete')) world.putClients(...clients);
    };
    await remove();
    expect(world.job.window.used(world.nowMs)).toBe(3);
  });

  it('is not made, counted or asked for while not all objects are read, and what is held stays', async () => {
    const world = aclWorld();
    const key = leftObjectsKey('pay');
    const hold = { subject: 'acl-role/x', reason: 'RevocationLimit', decisionId: 'd', since: '' } as const;
    const holds = new Map([['x', { ...hold, detail: '', fingerprint: '' }]]);
    await world.job.journal.settle(key, [], { holds });
    let asked = 0;
    const deps = { ...world.job, askForSweep: () => asked++ };
    expect(await removeLeft([], CAUSE, deps, never)).toEqual({ holds: 0, isStale: false, refusals: [] });
    expect([(await world.job.journal.read(key)).holds.size, asked]).toEqual([1, 0]);
  });

  it('is not counted in observe, which makes none', async () => {
    const { it: world, remove, roles } = await orphanedWorld(10);
    world.setMapping({ mode: 'observe' });
    await remove();
    expect([roles().length, world.job.window.used(world.nowMs)]).toEqual([2, 0]);
  });

  it.each<[string, (of: OrphanedWorld) => void]>([
    ['its client is read', ({ it: world, clients }) => world.putClients(...clients)],
    ['the mode removes nothing', ({ it: world }) => world.setMapping({ mode: 'extend' })],
  ])('is not sent, and is asked for again, if %s while it is being recorded', async (_, happen) => {
    const of = await orphanedWorld(10, 1);
    const { it: world, remove, roles, asked } = of;
    const { record } = world.job.journal;
    world.job.journal.record = async (...args) => {
      await record(...args);
      happen(of);
    };
    asked.times = 0;
    expect(await remove()).toMatchObject({ isStale: true });
    expect([roles().length, asked.times]).toEqual([1, 1]);
    expect(world.requests().filter((line) => line.startsWith('delete'))).toEqual([]);
    expect((await world.job.journal.read(leftObjectsKey('pay'))).pending).toEqual([]);
  });
});
