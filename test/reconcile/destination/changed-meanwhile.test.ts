import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Mapping } from '../../../src/model/rule.js';
import type { Journal } from '../../../src/queue/journal.js';
import { boundJournal } from '../../support/bound-journal.js';
import { clientOf, type Rig } from '../../support/daemon.js';
import { ordersRig } from '../../support/orders-rig.js';
import { startWorker, type Worker, withIntentions } from '../../support/reconcile-rig.js';

const NAMES = ['s0', 's1', 's2', 's3', 's4', 's5'];

describe('a plan that is recorded and not yet written', () => {
  let rig: Rig;
  let worker: Worker;
  /** What is learnt after the record of this number, before its write; records count from 1. */
  let learn: (record: number) => void;
  let writes: number;
  beforeEach(async () => {
    writes = 0;
    rig = await ordersRig({
      clients: [clientOf('other'), ...NAMES.map((name) => clientOf(name, 'orders:read'))],
      prepare: async ({ mesh }) => {
        for (const name of NAMES) await mesh.register(name, { client: `${name}-app` });
      },
    });
  });
  afterEach(async () => {
    await worker.stop();
    await rig.close();
  });

  const start = async (when: typeof learn) => {
    learn = when;
    let records = 0;
    const learning = (journal: Journal): Journal => ({
      ...boundJournal(journal),
      async record(key, drafts, replaced) {
        await journal.record(key, drafts, replaced);
        if (key === 'destination/default/default/orders') learn(++records);
      },
    });
    worker = await startWorker(
      rig,
      (consul) =>
        withIntentions(consul, ({ write }) => ({
          write: (...args) => {
            writes++;
            return write(...args);
          },
        })),
      learning,
    );
    await worker.idle();
  };
  /** `s0 grant applied` and the like. */
  const decided = async () =>
    (await worker.settled())
      .filter(({ resource }) => resource.destination === 'orders')
      .map(({ resource, action, outcome }) => `${resource.source} ${action} ${outcome}`);
  const sources = async () => Object.keys((await rig.mesh.access('orders')) ?? {}).toSorted();
  const pending = async () => (await worker.store.journal.read('destination/default/default/orders')).pending;
  const put = (mapping: Partial<Mapping>) =>
    worker.deps.world.setMapping({ ...worker.deps.world.mapping, ...mapping });
  const change = (name: string, enabled: boolean) => {
    const { world } = worker.deps;
    const id = { provider: 'main', clientId: `${name}-app` };
    const known = world.client(id);
    if (known !== undefined) world.putClient(id, { ...known, enabled }, world.beginRead());
  };

  it('carries all its edges in one write, each with one decision of the same write', async () => {
    await start(() => {});
    expect(writes).toBe(1);
    const settled = (await worker.settled()).filter(({ resource }) => resource.destination === 'orders');
    expect(settled.map(({ outcome }) => outcome)).toEqual(NAMES.map(() => 'applied'));
    expect(new Set(settled.map(({ writeId }) => writeId)).size).toBe(1);
  });

  it('opens nothing to a client that is known to be disabled by then', async () => {
    await start((record) => {
      if (record === 1) change('s4', false);
    });
    expect(await decided()).toEqual(
      NAMES.filter((name) => name !== 's4').map((name) => `${name} grant applied`),
    );
    expect(writes).toBe(1);
    expect(await pending()).toEqual([]);
  });

  it('opens nothing to a client that was quarantined meanwhile', async () => {
    await start((record) => {
      if (record === 1)
        worker.deps.world.setClientBlock({ provider: 'main', clientId: 's4-app' }, 'ClientQuarantined');
    });
    expect(await sources()).toEqual(['s0', 's1', 's2', 's3', 's5']);
  });

  it('is not written once the mode is observe', async () => {
    await start((record) => {
      if (record === 1) put({ mode: 'observe' });
    });
    expect(writes).toBe(0);
    expect(await sources()).toEqual([]);
  });

  it('is not written once the destination is protected', async () => {
    await start((record) => {
      if (record === 1) put({ protectedServices: ['orders'] });
    });
    expect(await sources()).toEqual([]);
    expect(await pending()).toEqual([]);
  });

  it('is not written once a freeze began, and is written at its end', async () => {
    const { freezes } = await start((record) => {
      if (record === 1) worker.deps.world.freezes.set([{ kind: 'started', since: 0 }]);
    }).then(() => worker.deps.world);
    expect(writes).toBe(0);
    expect(await pending()).toEqual([]);
    expect(await decided()).toEqual(NAMES.map((name) => `${name} grant held`));
    freezes.set([]);
    await worker.add({ kind: 'destination', partition: 'default', namespace: 'default', service: 'orders' });
    await worker.idle();
    expect(await sources()).toEqual(NAMES);
  });

  it('is written as it is while other clients change', async () => {
    await start(() => change('other', writes % 2 === 0));
    expect(writes).toBe(1);
    expect(await sources()).toEqual(NAMES);
  });

  it('closes what is to be closed although what it opens changes with every record', async () => {
    await start(() => {});
    rig.idp.change('s1-app', { enabled: false });
    rig.idp.change('s0-app', { scopes: ['orders:read', 'orders:write'] });
    let isEnabled = true;
    learn = () => {
      isEnabled = !isEnabled;
      change('s0', isEnabled);
    };
    const key = { kind: 'provider', name: 'main' } as const;
    await worker.add(key, 'full-read', { fullRead: true });
    await worker.idle();
    expect(await sources()).not.toContain('s1');
  });
});
