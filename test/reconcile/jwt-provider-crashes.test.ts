import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Consul } from '../../src/consul/consul.js';
import { SyncError } from '../../src/errors.js';
import { sweep } from '../../src/reconcile/sweep.js';
import type { Rig } from '../support/daemon.js';
import { isClosed, isOpen } from '../support/orders-rig.js';
import { startWorker, type Worker } from '../support/reconcile-rig.js';
import { until } from '../support/until.js';
import { hasJwtProvider, jwtProviders, told, usersRig, WITH_USER, writes } from '../support/users-rig.js';

const never = new AbortController().signal;

let rig: Rig;
let worker: Worker;
beforeEach(async () => {
  rig = await usersRig();
});
afterEach(async () => {
  await worker.stop();
  await rig.close();
});

describe('a process that is killed at any write', () => {
  /** Dies at the nth write to Consul of any kind: before it reaches Consul, or after. */
  const dying =
    (nth: number, when: 'before' | 'after', spent: { writes: number }) =>
    (consul: Consul): Consul => {
      const die = async <T>(write: () => Promise<T>): Promise<T> => {
        spent.writes += 1;
        if (spent.writes < nth) return write();
        if (spent.writes === nth && when === 'after') await write();
        throw new SyncError('ERR_CONSUL_UNREACHABLE', 'killed', { retriable: true });
      };
      const { intentions, jwtProviders: providers } = consul;
      return {
        ...consul,
        intentions: {
          ...intentions,
          write: (...args) => die(() => intentions.write(...args)),
          delete: (...args) => die(() => intentions.delete(...args)),
        },
        jwtProviders: {
          ...providers,
          write: (...args) => die(() => providers.write(...args)),
          delete: (...args) => die(() => providers.delete(...args)),
        },
      };
    };

  const refused = async () => (await worker.settled()).filter(({ reason }) => reason === 'ConsulRefused');

  it.each([
    [1, 'before'],
    [1, 'after'],
    [2, 'before'],
    [2, 'after'],
  ] as const)(
    'on the way open (%i, %s), never has an intention without its jwt-provider',
    async (nth, when) => {
      const spent = { writes: 0 };
      worker = await startWorker(rig, dying(nth, when, spent));
      await until('the kill', async () => (spent.writes >= nth ? true : undefined));
      const names = (await rig.mesh.access('orders')) !== undefined;
      expect(names && (await jwtProviders(rig)).length === 0).toBe(false);
      await worker.stop();
      worker = await startWorker(rig);
      await worker.idle();
      await isOpen(rig, WITH_USER);
      await until('no open decision', async () =>
        (await worker.store.journal.overview()).pendingKeys.length === 0 ? true : undefined,
      );
      await worker.idle();
      expect(await refused()).toEqual([]);
      expect(writes(rig)).toEqual(['jwt-provider', 'service-intentions']);
      const applied = (await told(worker)).filter((each) => each.includes('applied'));
      expect(applied.toSorted()).toEqual([
        'intention.created applied ScopeGranted',
        'jwt-provider.created applied ScopeGranted',
      ]);
    },
  );

  it.each([
    [1, 'before'],
    [1, 'after'],
    [2, 'before'],
    [2, 'after'],
  ] as const)(
    'on the way shut (%i, %s), never has an intention without its jwt-provider',
    async (nth, when) => {
      worker = await startWorker(rig);
      await isOpen(rig, WITH_USER);
      await worker.idle();
      await worker.stop();
      rig.idp.put('web-app');
      const spent = { writes: 0 };
      worker = await startWorker(rig, dying(nth, when, spent));
      await until('the kill', async () => (spent.writes >= nth ? true : undefined));
      const names = (await rig.mesh.access('orders')) !== undefined;
      expect(names && (await jwtProviders(rig)).length === 0).toBe(false);
      await worker.stop();
      worker = await startWorker(rig);
      await worker.idle();
      await isClosed(rig);
      await until('no open decision', async () =>
        (await worker.store.journal.overview()).pendingKeys.length === 0 ? true : undefined,
      );
      await worker.idle();
      await sweep(worker.deps, never);
      await hasJwtProvider(rig, false);
      await worker.idle();
      expect(await refused()).toEqual([]);
      expect(writes(rig)).toEqual(['jwt-provider', 'service-intentions', 'gone', 'gone']);
    },
  );
});
