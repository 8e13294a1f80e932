import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Consul } from '../../src/consul/consul.js';
import type { Journal } from '../../src/queue/journal.js';
import { sweep } from '../../src/reconcile/sweep.js';
import { toEdge } from '../../src/trail/edge.js';
import { toSubjectState } from '../../src/trail/subject-state.js';
import { boundJournal } from '../support/bound-journal.js';
import type { Rig } from '../support/daemon.js';
import { Death } from '../support/death.js';
import { EDGE, isOpen, ordersRig, READ } from '../support/orders-rig.js';
import { startWorker, type Worker, withIntentions } from '../support/reconcile-rig.js';
import { until } from '../support/until.js';

const MARK = 'scopemesh:payments client=main/web-app';
const WEB = { Name: 'web', Action: 'allow', Description: MARK };
const LEGACY = { Name: 'legacy', Action: 'allow' };
const GONE = 'revoke observed RemovedElsewhere';

let rig: Rig;
let worker: Worker;
beforeEach(async () => {
  rig = await ordersRig();
  await run();
  await isOpen(rig, READ);
  await worker.stop();
});
afterEach(async () => {
  await worker.stop();
  await rig.close();
});

/** A start compares everything with Consul. */
async function run(
  wrap: (consul: Consul) => Consul = (consul) => consul,
  wrapJournal: (journal: Journal) => Journal = (journal) => journal,
): Promise<void> {
  worker = await startWorker(rig, wrap, wrapJournal);
  await worker.idle();
  await sweep(worker.deps, new AbortController().signal);
  await worker.idle();
}

const ofEdge = async () => (await worker.settled()).filter(({ subject }) => subject === EDGE);
const decided = async () =>
  (await ofEdge()).map(({ action, outcome, reason }) => `${action} ${outcome} ${reason}`);
const inTrail = async () => {
  const state = toSubjectState((await ofEdge()).toReversed());
  return state && toEdge(state);
};

describe('an edge that somebody removes when nothing wants it any more', () => {
  it('has one decision, in which nobody is named as its author, and is closed in the trail', async () => {
    rig.idp.put('web-app');
    await rig.mesh.remove('orders');
    await run();
    await worker.stop();
    await run();
    expect(await decided()).toEqual(['grant applied ScopeGranted', GONE]);
    const gone = (await ofEdge()).at(-1);
    expect(gone).toMatchObject({
      type: 'dev.scopemesh.intention.deleted',
      client: { clientId: 'web-app' },
      scopes: ['orders:read'],
      after: null,
      detail: expect.stringMatching(/not in Consul any more.*no record of its removal/),
      revision: 2,
    });
    expect(gone?.principal).toBeUndefined();
    expect(await inTrail()).toMatchObject({ access: undefined });
  });

  it('writes nothing to Consul, and is no loss for the mass guard', async () => {
    rig.idp.put('web-app');
    await rig.mesh.remove('orders');
    const writes = rig.proxy.writes.length;
    await run();
    expect(await decided()).toContain(GONE);
    expect(rig.proxy.writes).toHaveLength(writes);
    expect(worker.deps.window.used(rig.clock.now())).toBe(0);
  });

  it('has it too if the removal wins against the write of scopemesh', async () => {
    await rig.mesh.write('orders', [...((await rig.mesh.entry('orders'))?.Sources ?? []), LEGACY]);
    rig.idp.put('web-app');
    let isFirst = true;
    await run((consul) =>
      withIntentions(consul, ({ write }) => ({
        async write(...args) {
          if (isFirst) await rig.mesh.write('orders', [{ ...LEGACY, Description: 'by hand' }]);
          isFirst = false;
          return write(...args);
        },
      })),
    );
    expect((await decided()).slice(1)).toEqual([GONE]);
    expect(await rig.mesh.access('orders')).toEqual({ legacy: 'allow' });
  });

  it('has it too if a crash left unknown whether it was written', async () => {
    await rig.mesh.write('orders', [LEGACY]);
    rig.idp.put('web-app');
    await run();
    await worker.stop();
    rig.idp.put('web-app', 'orders:read');
    const death = new Death(1, 'after');
    worker = await startWorker(rig, (consul) =>
      withIntentions(consul, ({ write }) => ({ write: death.of(write) })),
    );
    await until('the death', () => death.hasCome);
    await death.bury(worker);
    await rig.mesh.write('orders', [LEGACY]);
    rig.idp.put('web-app');
    await run();
    expect((await decided()).slice(-2)).toEqual(['grant unknown Interrupted', GONE]);
    expect((await ofEdge()).at(-1)?.detail).toContain('perhaps it was never written');
    expect(await inTrail()).toMatchObject({ certainty: 'applied', access: undefined });
  });

  it('has one decision although the answer of the store to it was lost', async () => {
    rig.idp.put('web-app');
    await rig.mesh.remove('orders');
    let isLost = false;
    const losing = (journal: Journal): Journal => ({
      ...boundJournal(journal),
      async settle(key, decisions, update) {
        await journal.settle(key, decisions, update);
        if (isLost || decisions.every(({ reason }) => reason !== 'RemovedElsewhere')) return;
        isLost = true;
        throw new Error('the answer is lost');
      },
    });
    await run((consul) => consul, losing);
    expect(isLost).toBe(true);
    expect((await decided()).slice(1)).toEqual([GONE]);
  });

  it('is still an edge of scopemesh if an older state of Consul brings it back', async () => {
    rig.idp.put('web-app');
    await rig.mesh.remove('orders');
    await run();
    await rig.mesh.write('orders', [WEB]);
    await worker.stop();
    await run();
    expect(await rig.mesh.access('orders')).toBeUndefined();
    expect((await decided()).at(-1)).toBe('revoke applied DriftCorrected');
  });

  it('opens again for the reason of the grant', async () => {
    rig.idp.put('web-app');
    await rig.mesh.remove('orders');
    await run();
    await worker.stop();
    rig.idp.put('web-app', 'orders:read');
    await run();
    await isOpen(rig, READ);
    expect((await decided()).slice(1)).toEqual([GONE, 'grant applied ScopeGranted']);
  });
});

describe('an edge that somebody removes', () => {
  it('while it is the deny that keeps a wider intention out is put back', async () => {
    await rig.mesh.write('*', [{ Name: '*', Action: 'allow' }]);
    rig.idp.put('web-app');
    await run();
    await worker.stop();
    await rig.mesh.remove('orders');
    await run();
    expect(await rig.mesh.access('orders')).toEqual({ web: 'deny' });
    expect((await decided()).slice(1)).toEqual([
      'revoke applied WildcardWouldAllow',
      'revoke applied DriftCorrected',
    ]);
  });

  it('while it is wanted is put back, and is as old in the trail as that', async () => {
    await rig.mesh.remove('orders');
    await run();
    await isOpen(rig, READ);
    expect((await decided()).slice(1)).toEqual(['grant applied DriftCorrected']);
    const [, back] = await ofEdge();
    expect(await inTrail()).toMatchObject({ access: { kind: 'http' }, since: { id: back?.id } });
  });
});
