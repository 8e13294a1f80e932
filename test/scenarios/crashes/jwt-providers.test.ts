import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sweep } from '../../../src/reconcile/sweep.js';
import type { Rig } from '../../support/daemon.js';
import { Death } from '../../support/death.js';
import { isClosed, isOpen } from '../../support/orders-rig.js';
import { startWorker, type Worker } from '../../support/reconcile-rig.js';
import { until } from '../../support/until.js';
import {
  decisionsInShort,
  hasJwtProvider,
  jwtProviders,
  usersRig,
  WITH_USER,
  writes,
} from '../../support/users-rig.js';

const never = new AbortController().signal;
const KILLS = [
  [1, 'before'],
  [1, 'after'],
  [2, 'before'],
  [2, 'after'],
] as const;

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
  /** At the nth write to Consul of any kind; another one follows it. */
  async function diesAndStarts(nth: number, when: 'before' | 'after'): Promise<void> {
    const death = new Death(nth, when);
    worker = await startWorker(rig, (consul) => ({
      ...consul,
      intentions: {
        ...consul.intentions,
        write: death.of(consul.intentions.write),
        delete: death.of(consul.intentions.delete),
      },
      jwtProviders: {
        ...consul.jwtProviders,
        write: death.of(consul.jwtProviders.write),
        delete: death.of(consul.jwtProviders.delete),
      },
    }));
    await until('the death', () => death.hasCome);
    const names = (await rig.mesh.access('orders')) !== undefined;
    expect(names && (await jwtProviders(rig)).length === 0).toBe(false);
    await death.bury(worker);
    worker = await startWorker(rig);
    await worker.idle();
  }

  async function settles(): Promise<void> {
    // Longer than any request is on its way.
    rig.clock.advance(60_000);
    await until('no open decision', async () =>
      (await worker.store.journal.overview()).pendingKeys.length === 0 ? true : undefined,
    );
    await worker.idle();
  }

  const refused = async () => (await worker.settled()).filter(({ reason }) => reason === 'ConsulRefused');

  it.each(KILLS)(
    'on the way open (%i, %s), never has an intention without its jwt-provider',
    async (nth, when) => {
      await diesAndStarts(nth, when);
      await isOpen(rig, WITH_USER);
      await settles();
      expect(await refused()).toEqual([]);
      expect(writes(rig)).toEqual(['jwt-provider', 'service-intentions']);
      const applied = (await decisionsInShort(worker)).filter((each) => each.includes('applied'));
      expect(applied.toSorted()).toEqual([
        'intention.created applied ScopeGranted',
        'jwt-provider.created applied ScopeGranted',
      ]);
    },
  );

  it.each(KILLS)(
    'on the way shut (%i, %s), never has an intention without its jwt-provider',
    async (nth, when) => {
      worker = await startWorker(rig);
      await isOpen(rig, WITH_USER);
      await worker.idle();
      await worker.stop();
      rig.idp.put('web-app');
      await diesAndStarts(nth, when);
      await isClosed(rig);
      await settles();
      await sweep(worker.deps, never);
      await hasJwtProvider(rig, false);
      await worker.idle();
      expect(await refused()).toEqual([]);
      expect(writes(rig)).toEqual(['jwt-provider', 'service-intentions', 'gone', 'gone']);
    },
  );
});
