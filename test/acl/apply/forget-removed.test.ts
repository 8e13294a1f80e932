import { describe, expect, it } from 'vitest';
import { forgetGone, writersOfAcl } from '../../../src/acl/apply/forget-removed.js';
import { clientKey, formatKey } from '../../../src/model/key.js';
import type { KeyRecord } from '../../../src/queue/journal.js';
import { readAllAcl } from '../../../src/read/read-acl.js';
import { restoreRecords } from '../../../src/reconcile/restore.js';
import { NEVER } from '../../apply/apply-rig.js';
import type { AclWorld } from '../job/acl-world.js';
import { long, orphanedWorld } from '../job/orphaned-world.js';
import { failed } from './memory-acl.js';

const KEY = formatKey(clientKey('main', long(1)));
const down = failed('ERR_QUEUE_UNREACHABLE');

const forget = async ({ job }: AclWorld) => forgetGone(await writersOfAcl(job), job);

async function removing({ isComplete = true } = {}) {
  const orphans = await orphanedWorld(10, 1);
  const { it: world } = orphans;
  if (isComplete) await readAllAcl(world.job, NEVER);
  const { journal } = world.job;
  return {
    ...orphans,
    record: () => journal.read(KEY),
    /** The reasons of what the client gains when it comes back. */
    gained: async () => {
      world.putClients(...orphans.clients);
      world.forget();
      await orphans.run(1);
      return [...new Set(world.decided().map(({ reason }) => reason))];
    },
    /** The journal gives no such answer for the client's key. Call the result to end that. */
    failing(what: 'read' | 'settle', isMeant: (world: AclWorld) => boolean = () => true) {
      const answer = async <T>(key: string, work: () => Promise<T>): Promise<T> => {
        if (key === KEY && isMeant(world)) throw down;
        return work();
      };
      const { read, settle } = journal;
      Object.assign(world.job, {
        journal:
          what === 'read'
            ? { ...journal, read: (key: string) => answer(key, () => read(key)) }
            : {
                ...journal,
                settle: (...args: Parameters<typeof settle>) => answer(args[0], () => settle(...args)),
              },
      });
      return () => Object.assign(world.job, { journal });
    },
  };
}

describe('what the job of a client wrote and the comparison removed', () => {
  it('is forgotten also if the job failed before it remembered what it wrote', async () => {
    const { it: world, remove, run, gained, failing, clients } = await removing();
    await remove();
    world.putClients(...clients);
    const heal = failing('read', ({ objects }) => objects.size > 1);
    await expect(run(1)).rejects.toThrow(down);
    heal();
    world.putClients();
    await readAllAcl(world.job, NEVER);
    await remove();
    expect(await gained()).toEqual(['ScopeGranted']);
  });

  it('is forgotten by the next comparison if the record of that failed', async () => {
    const { remove, roles, record, gained, failing } = await removing();
    const heal = failing('settle');
    await expect(remove()).rejects.toThrow(down);
    heal();
    expect([roles(), (await record()).lastApplied.size > 0]).toEqual([[], true]);
    await remove();
    expect((await record()).lastApplied.size).toBe(0);
    expect(await gained()).toEqual(['ScopeGranted']);
  });

  it('is forgotten by the comparison after a crash', async () => {
    const { it: world, remove, gained, failing } = await removing();
    const heal = failing('settle');
    await expect(remove()).rejects.toThrow(down);
    heal();
    world.world.rememberWritten(KEY, new Map());
    await restoreRecords(world.job);
    await remove();
    expect(await gained()).toEqual(['ScopeGranted']);
  });

  it('is remembered while the client is known, may be known, or has an object', async () => {
    const { it: world, remove, clients, record, gained, failing } = await removing();
    const before = (await record()).lastApplied;
    await forget(world);
    expect((await record()).lastApplied).toEqual(before);
    const heal = failing('settle');
    await expect(remove()).rejects.toThrow(down);
    heal();
    world.world.forgetDirectory('main');
    await forget(world);
    expect((await record()).lastApplied.size).toBeGreaterThan(0);
    world.putClients(...clients);
    await forget(world);
    expect(await gained()).toEqual(['DriftCorrected']);
  });

  it('is remembered while the objects in Consul are not read completely', async () => {
    const { it: world, remove, record, failing } = await removing({ isComplete: false });
    const heal = failing('settle');
    await expect(remove()).rejects.toThrow(down);
    heal();
    expect(world.job.acl.cache.isComplete).toBe(false);
    await forget(world);
    expect((await record()).lastApplied.size).toBeGreaterThan(0);
  });

  it('is remembered where the client comes back while its job has the turn', async () => {
    const { it: world, remove, clients, record, subject, failing } = await removing();
    const heal = failing('settle');
    await expect(remove()).rejects.toThrow(down);
    heal();
    const name = subject(1).slice('acl-role/'.length);
    let forgetting: Promise<void> | undefined;
    await world.job.acl.objectsMutex.run(name, async () => {
      forgetting = forget(world);
      await new Promise(setImmediate);
      world.putClients(...clients);
    });
    await forgetting;
    expect((await record()).lastApplied.size).toBeGreaterThan(0);
  });

  it('is found among many records without a wait of other work for all of them', async () => {
    const { it: world } = await removing();
    const { journal } = world.job;
    const known = await journal.readAll();
    const empty: KeyRecord = { pending: [], lastApplied: new Map(), holds: new Map() };
    const many = Array.from({ length: 1_000 }, (_, at) => [`client/main/c${at}`, empty] as const);
    let isOtherDone = false;
    setImmediate(() => {
      isOtherDone = true;
    });
    const readAll = async () => new Map([...many, ...known]);
    const writers = await writersOfAcl({ world: world.world, journal: { readAll } });
    expect([[...writers.values()], isOtherDone]).toEqual([[{ provider: 'main', clientId: long(1) }], true]);
    isOtherDone = false;
    setImmediate(() => {
      isOtherDone = true;
    });
    const id = { provider: 'main', clientId: long(1) };
    await forgetGone(new Map(many.map(([name]) => [name, id])), world.job);
    expect(isOtherDone).toBe(true);
  });
});
