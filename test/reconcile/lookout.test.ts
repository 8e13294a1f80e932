import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { clientKey } from '../../src/model/key.js';
import type { Mapping } from '../../src/model/rule.js';
import { planDestination } from '../../src/plan/plan-destination.js';
import { inputOf } from '../../src/reconcile/fleet.js';
import { createLookout } from '../../src/reconcile/lookout.js';
import { WorldState } from '../../src/state/world-state.js';
import {
  ALLOW,
  claiming,
  client,
  entry,
  mapping,
  NOW,
  named,
  ourSource,
  rule,
  SETTINGS,
} from '../plan/scene.js';
import { clientOf, type Rig } from '../support/daemon.js';
import { ordersRig } from '../support/orders-rig.js';
import { startWorker, type Worker, withIntentions } from '../support/reconcile-rig.js';
import { until } from '../support/until.js';

const NAMES = ['s0', 's1', 's2', 's3', 's4', 's5'];
const OBSERVE: Partial<Mapping> = { mode: 'observe' };
const PROTECTED: Partial<Mapping> = { protectedServices: ['orders'] };

describe('a long plan that is being written', () => {
  let rig: Rig;
  let worker: Worker;
  /** What is learnt during the write of this number, before it reaches Consul; writes count from 1. */
  let during: (write: number) => Promise<void> | void;
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

  const start = async (learn: typeof during) => {
    during = learn;
    worker = await startWorker(rig, (consul) =>
      withIntentions(consul, ({ write }) => ({
        write: async (...args) => {
          await during(++writes);
          return write(...args);
        },
      })),
    );
    await worker.idle();
  };
  /** `s0 grant applied` and the like, in the order of the writes. */
  const told = async () =>
    (await worker.settled())
      .filter(({ resource }) => resource.destination === 'orders')
      .map(({ resource, action, outcome }) => `${resource.source} ${action} ${outcome}`);
  const sources = async () => Object.keys((await rig.mesh.access('orders')) ?? {}).toSorted();
  const put = (mapping: Partial<Mapping>) =>
    worker.deps.world.setMapping({ ...worker.deps.world.mapping, ...mapping });
  const disable = async (...names: readonly string[]) => {
    for (const name of names) {
      rig.idp.change(`${name}-app`, { enabled: false });
      await worker.add(clientKey('main', `${name}-app`), 'webhook', {
        urgent: true,
        evidence: [{ provider: 'main', clients: [`${name}-app`] }],
      });
    }
    const isKnown = (name: string) =>
      worker.deps.world.client({ provider: 'main', clientId: `${name}-app` })?.enabled === false;
    await until('the world to know', () => names.every(isKnown));
  };

  it('opens nothing to a client that is known to be disabled by then', async () => {
    await start(async (write) => {
      if (write === 2) await disable('s4');
    });
    expect(await told()).not.toContain('s4 grant applied');
    expect(await sources()).toEqual(['s0', 's1', 's2', 's3', 's5']);
  });

  it('makes way for what is to be closed meanwhile', async () => {
    await start(async (write) => {
      if (write === 2) await disable('s0', 's4');
    });
    expect((await told()).filter((text) => text.endsWith('applied'))).toEqual([
      's0 grant applied',
      's1 grant applied',
      's0 revoke applied',
      's2 grant applied',
      's3 grant applied',
      's5 grant applied',
    ]);
  });

  it('opens nothing to a client that was quarantined meanwhile', async () => {
    await start((write) => {
      if (write === 2)
        worker.deps.world.setClosure({ provider: 'main', clientId: 's4-app' }, 'ClientQuarantined');
    });
    expect(await told()).not.toContain('s4 grant applied');
    expect(await sources()).toEqual(['s0', 's1', 's2', 's3', 's5']);
  });

  it('writes nothing more once the mode is observe', async () => {
    await start((write) => {
      if (write === 2) put(OBSERVE);
    });
    expect(writes).toBe(2);
    expect(await sources()).toEqual(['s0', 's1']);
  });

  it('opens nothing more once the destination is protected, and closes what it had opened', async () => {
    await start((write) => {
      if (write === 2) put(PROTECTED);
    });
    expect((await told()).filter((text) => text.endsWith('grant applied'))).toHaveLength(2);
    expect(await sources()).toEqual([]);
  });

  it('closes nothing more once the mode is extend', async () => {
    await start(() => {});
    during = (write) => {
      if (write === 8) put({ mode: 'extend' });
    };
    for (const name of NAMES) rig.idp.change(`${name}-app`, { scopes: [] });
    const evidence = [{ provider: 'main', clients: NAMES.map((name) => `${name}-app`) }];
    for (const name of NAMES) await worker.add(clientKey('main', `${name}-app`), 'webhook', { evidence });
    await worker.idle();
    expect(await sources()).toEqual(['s2', 's3', 's4', 's5']);
  });

  it('goes on to its end while other clients change all the time, here and elsewhere', async () => {
    await start((write) => {
      const { world } = worker.deps;
      const other = { provider: 'main', clientId: 'other-app' };
      const known = world.client(other);
      const grants = [{ name: write % 2 === 0 ? 'orders:read' : 'nothing:here' }];
      if (known !== undefined) world.putClient(other, { ...known, grants }, world.beginRead());
    });
    expect((await told()).filter((text) => text.endsWith('failed'))).toEqual([]);
    expect(await sources()).toEqual(expect.arrayContaining(NAMES));
  });

  it('gets on by a write each time where what it opened changes with every one', async () => {
    await start((write) => {
      const { world } = worker.deps;
      const first = { provider: 'main', clientId: 's0-app' };
      const known = world.client(first);
      if (known !== undefined)
        world.putClient(first, { ...known, enabled: write % 2 === 0 }, world.beginRead());
    });
    const all = await told();
    const count = (outcome: string) => all.filter((text) => text.endsWith(outcome)).length;
    expect(count('failed')).toBeGreaterThan(0);
    expect(count('failed')).toBeLessThanOrEqual(count('applied'));
    expect(await sources()).toEqual(expect.arrayContaining(NAMES.slice(1)));
  });
});

describe('the next change of a plan', () => {
  const web = { provider: 'main', clientId: 'web' };
  const api = { provider: 'main', clientId: 'api' };
  /** `web` stands and is to get more; `api` is to come. */
  const planned = () => {
    const world = new WorldState(mapping({ rules: [rule('orders', 'orders')] }), SETTINGS);
    world.putDirectory(
      'main',
      [client('web', ['orders']), client('api', ['orders'])],
      world.beginRead(),
      NOW,
    );
    const services = [claiming('web', 'web'), claiming('api', 'api')];
    world.putCatalog({ services, protocols: new Map(), defaultProtocol: 'http' }, NOW);
    const stands = entry('orders', ourSource('web', ALLOW));
    world.putEntries([stands], NOW);
    const plan = planDestination(inputOf(world, named('orders'), NOW));
    const [change] = plan.changes;
    if (change === undefined) throw new Error('nothing is planned');
    const clock = { now: () => NOW, sleep: async () => {} };
    const judge = createLookout(named('orders'), plan, world.mapping, { world, clock });
    const verdict = (...written: readonly string[]) =>
      judge(change, { entry: stands, lastWritten: new Map(), written: new Set(written) });
    return { world, change, verdict };
  };

  it('is written where nothing changed, or only what is not about it', () => {
    const { world, change, verdict } = planned();
    expect(change.source).toEqual(named('api'));
    expect(verdict()).toBe('write');
    world.putClient({ provider: 'main', clientId: 'far' }, client('far', ['orders']), world.beginRead());
    expect(verdict('another')).toBe('write');
  });

  it('is not written where its client lost what opened it: the first is skipped, a later one ends the run', () => {
    const { world, verdict } = planned();
    world.putClient(api, client('api', []), world.beginRead());
    expect(verdict()).toBe('skip');
    expect(verdict('another')).toBe('stop');
  });

  it('waits for what is to be closed, unless nothing was written yet', () => {
    const { world, verdict } = planned();
    world.putClient(web, client('web', []), world.beginRead());
    expect(verdict()).toBe('write');
    expect(verdict('another')).toBe('stop');
  });

  it('is not written under another mapping, first or not', () => {
    const { world, verdict } = planned();
    world.setMapping({ ...world.mapping });
    expect(verdict()).toBe('stop');
  });
});
