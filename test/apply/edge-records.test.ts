import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Consul } from '../../src/consul/consul.js';
import { clientKey, destinationKey, formatKey } from '../../src/model/key.js';
import { ruleOnHold } from '../../src/operator/approvals.js';
import { boundJournal } from '../support/bound-journal.js';
import type { Rig } from '../support/daemon.js';
import { Death } from '../support/death.js';
import { BOTH, EDGE, isClosed, isOpen, ordersRig, READ } from '../support/orders-rig.js';
import { startWorker, type Worker, withIntentions } from '../support/reconcile-rig.js';
import { until } from '../support/until.js';

let rig: Rig;
let worker: Worker;
beforeEach(async () => {
  rig = await ordersRig();
});
afterEach(async () => {
  await worker.stop();
  await rig.close();
});

const ORDERS = destinationKey('orders', 'default', 'default');
const WEB_APP = { provider: 'main', clientId: 'web-app' };
const MARK = 'scopemesh:payments client=main/web-app';
const WEB = { Name: 'web', Action: 'allow', Description: MARK };

const killedBy = (death: Death) => (consul: Consul) =>
  withIntentions(consul, ({ write, delete: remove }) => ({
    write: death.of(write),
    delete: death.of(remove),
  }));

async function restarted(wrap?: (consul: Consul) => Consul): Promise<void> {
  worker = await startWorker(rig, wrap);
  await worker.idle();
}

async function opened(): Promise<void> {
  await restarted();
  await isOpen(rig, READ);
  await worker.stop();
}

async function killed(when: 'before' | 'after'): Promise<void> {
  const death = new Death(1, when);
  worker = await startWorker(rig, killedBy(death));
  await until('the death', () => death.hasCome);
  await death.bury(worker);
}

function loseState(): void {
  for (const name of readdirSync(rig.directory))
    if (/\.db(-wal|-shm)?$/.test(name)) rmSync(join(rig.directory, name));
}

const holds = async () =>
  (await worker.store.journal.overview()).holds.map(({ subject, reason }) => [subject, reason]);

const decided = async () =>
  (await worker.settled())
    .filter(({ subject }) => subject === EDGE)
    .map(({ action, outcome, reason }) => `${action} ${outcome} ${reason}`);

const rule = async (verdict: 'approved' | 'rejected', override = false) => {
  const [hold] = (await worker.store.journal.overview()).holds;
  const deps = { ...worker.deps, queue: worker.inbox };
  const { kind } = await ruleOnHold(hold?.decisionId ?? '', verdict, { id: 'alice' }, deps, override);
  await worker.idle();
  return kind;
};

describe('an edge that scopemesh wrote', () => {
  it('is removed after a restart, although the provider revoked its scope meanwhile', async () => {
    await opened();
    rig.idp.put('web-app');
    await restarted();
    expect(await rig.mesh.access('orders')).toBeUndefined();
    expect(await holds()).toEqual([]);
  });

  it.each(['before', 'after'] as const)(
    'is not held after a crash %s its write, although the provider revoked its scope meanwhile',
    async (when) => {
      await killed(when);
      rig.idp.put('web-app');
      await restarted();
      await isClosed(rig);
      expect(await holds()).toEqual([]);
    },
  );

  it('is not held if somebody changed it before the next process could see its write', async () => {
    await killed('after');
    await rig.mesh.write('orders', [WEB]);
    await restarted();
    await isOpen(rig, READ);
    expect((await decided())[0]).toBe('grant unknown Interrupted');
    expect(await holds()).toEqual([]);
  });

  it('is removed if its write reaches Consul after it was found not made and its scope was revoked', async () => {
    await killed('before');
    rig.idp.put('web-app');
    rig.clock.advance(60_000);
    await restarted();
    await rig.mesh.write('orders', [WEB]);
    await worker.stop();
    await restarted();
    await isClosed(rig);
    expect(await holds()).toEqual([]);
  });

  it('is removed again if an older state of Consul brings it back', async () => {
    await opened();
    rig.idp.put('web-app');
    await restarted();
    await worker.stop();
    await rig.mesh.write('orders', [WEB]);
    await restarted();
    expect(await rig.mesh.access('orders')).toBeUndefined();
    expect((await decided()).at(-1)).toBe('revoke applied DriftCorrected');
    expect(worker.deps.window.used(rig.clock.now())).toBe(1);
  });

  it('is corrected if somebody widened it', async () => {
    await opened();
    await rig.mesh.write('orders', [WEB]);
    await restarted();
    await isOpen(rig, READ);
    expect(await holds()).toEqual([]);
  });
});

describe('after the loss of the state', () => {
  it('an edge that equals the desired one is recorded with a `found` decision, and removed when its scope goes', async () => {
    await opened();
    loseState();
    await restarted();
    expect(await decided()).toEqual(['none observed Found']);
    const { lastApplied } = await worker.store.journal.read(formatKey(ORDERS));
    expect([...lastApplied.keys()]).toEqual([EDGE]);
    rig.idp.put('web-app');
    await worker.add(clientKey('main', 'web-app'), 'webhook');
    await worker.idle();
    expect(await decided()).toEqual(['none observed Found', 'revoke applied ScopeRevoked']);
  });

  it('an edge is removed too if its scope goes before its record is stored', async () => {
    await opened();
    loseState();
    let isFull = true;
    worker = await startWorker(
      rig,
      (consul) => consul,
      (journal) => ({
        ...boundJournal(journal),
        settle: (key, decisions, update) =>
          isFull && decisions.every(({ reason }) => reason === 'Found')
            ? Promise.reject(new Error('no space'))
            : journal.settle(key, decisions, update),
      }),
    );
    await until('the record in memory', () => worker.deps.world.owned.count === 1);
    rig.idp.put('web-app');
    await worker.add(clientKey('main', 'web-app'), 'webhook');
    await until('the revoked scope', () => worker.deps.world.client(WEB_APP)?.grants.length === 0);
    isFull = false;
    await worker.idle();
    expect(await decided()).toEqual(['none observed Found', 'revoke applied ScopeRevoked']);
  });

  it('an edge that is not desired any more is held and reported, and nothing removes it without a person', async () => {
    await opened();
    loseState();
    rig.idp.put('web-app');
    await restarted();
    await worker.add(ORDERS);
    await worker.idle();
    expect(await holds()).toEqual([[EDGE, 'MarkUnrecorded']]);
    expect(await decided()).toEqual(['revoke held MarkUnrecorded']);
    expect(await rig.mesh.access('orders')).toEqual({ web: READ });
    expect(worker.deps.world.owned.count).toBe(0);

    expect(await rule('approved')).toBe('ruled');
    expect(await rig.mesh.access('orders')).toBeUndefined();
    expect(await holds()).toEqual([]);
    expect(worker.deps.window.used(rig.clock.now())).toBe(0);
  });

  it('an edge that is held stays as it is once a person rejected the change, until an approval overrides that', async () => {
    await opened();
    loseState();
    rig.idp.put('web-app');
    await restarted();
    expect(await rule('rejected')).toBe('ruled');
    expect(await rule('approved')).toBe('rejected');
    expect(await rig.mesh.access('orders')).toEqual({ web: READ });
    expect(await rule('approved', true)).toBe('ruled');
    expect(await rig.mesh.access('orders')).toBeUndefined();
  });

  it('a hold ends when the edge is desired as it is, and the edge is recorded', async () => {
    await opened();
    loseState();
    rig.idp.put('web-app');
    await restarted();
    rig.idp.put('web-app', 'orders:read');
    await worker.add(clientKey('main', 'web-app'), 'webhook');
    await worker.idle();
    expect(await holds()).toEqual([]);
    rig.idp.put('web-app', 'orders:read', 'orders:write');
    await worker.add(clientKey('main', 'web-app'), 'webhook');
    await worker.idle();
    expect(await rig.mesh.access('orders')).toEqual({ web: BOTH });
  });

  it('an edge that is wider than the desired one is narrowed once a person approves that', async () => {
    await rig.mesh.write('orders', [WEB]);
    await restarted();
    expect(await rig.mesh.access('orders')).toEqual({ web: 'allow' });
    expect(await holds()).toEqual([[EDGE, 'MarkUnrecorded']]);
    await rule('approved');
    await isOpen(rig, READ);
    rig.idp.put('web-app');
    await worker.add(clientKey('main', 'web-app'), 'webhook');
    await worker.idle();
    expect(await rig.mesh.access('orders')).toBeUndefined();
  });
});
