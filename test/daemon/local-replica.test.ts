import { afterEach, expect, it } from 'vitest';
import { createMetrics } from '../../src/app/metrics.js';
import type { LiveCore } from '../../src/daemon/live-core.js';
import { createLiveSecrets } from '../../src/daemon/live-secrets.js';
import { createLocalReplica } from '../../src/daemon/local-replica.js';
import { createTermCore } from '../../src/daemon/term-core.js';
import { untilAborted } from '../../src/linked-signal.js';
import { silentLogger } from '../../src/observe.js';
import { openConsul, openProvider, openStore } from '../../workers/wire.js';
import type { Rig } from '../support/daemon.js';
import { ordersRig } from '../support/orders-rig.js';
import { until } from '../support/until.js';

let rig: Rig | undefined;
afterEach(async () => rig?.close());

/** A replica on a store that nobody else has. */
async function start() {
  rig = await ordersRig();
  const config = await rig.load();
  const runtime = { logger: silentLogger, metrics: createMetrics(), clock: rig.clock };
  const store = await openStore(config, runtime);
  const consul = await openConsul(config.consul, config.owner, runtime, () => true);
  const providers = await Promise.all(config.providers.map((each) => openProvider(each, config, runtime)));
  const opened = { config, store, consul, providers, runtime };
  let next = config;
  const secrets = createLiveSecrets(config);
  const stop = new AbortController();
  const replica = await createLocalReplica(
    { ...opened, secrets, reload: async () => next, address: () => 'http://a:1' },
    stop.signal,
    stop.signal,
  );
  return {
    opened,
    replica,
    stop,
    reload(changed: object) {
      next = { ...config, ...changed };
      return replica.reloads.request();
    },
    async close() {
      stop.abort();
      await replica.standby.end();
      for (const { directory } of providers) await directory.close();
      await consul.close();
      await store.close();
    },
  };
}

it('shows the core of its term, and one that runs nothing before and after it', async () => {
  const { opened, replica, stop, close } = await start();
  const idle = replica.live;
  expect(idle.isReconciling).toBe(false);
  let shown: LiveCore | undefined;
  const running = replica.run(async (term, { config, publish }) => {
    const { core, store } = createTermCore({ ...opened, config }, term);
    publish(core);
    shown = replica.live;
    expect(shown).toBe(core);
    await untilAborted(term.stop);
    await store.close();
  }, stop.signal);
  await replica.attempted(stop.signal);
  expect(shown?.isReconciling).toBe(true);
  expect(replica.leadership.leading.isLeader).toBe(true);
  stop.abort();
  await running;
  expect(replica.live.isReconciling).toBe(false);
  expect(replica.live).not.toBe(idle);
  await close();
});

it('ends its term at a reload that changes the mode, and begins the next one with it', async () => {
  const { opened, replica, stop, reload, close } = await start();
  const modes: string[] = [];
  const running = replica.run(async (term, { config, publish }) => {
    const { core, store } = createTermCore({ ...opened, config }, term);
    publish(core);
    modes.push(config.mode);
    await untilAborted(term.stop);
    await store.close();
  }, stop.signal);
  await replica.attempted(stop.signal);
  await reload({ mode: 'observe' });
  await until('the next term has begun', () => modes.length > 1);
  expect(modes).toEqual(['enforce', 'observe']);
  stop.abort();
  await running;
  await close();
});
