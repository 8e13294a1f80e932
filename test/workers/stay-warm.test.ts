import { afterEach, describe, expect, it } from 'vitest';
import { createCore } from '../../src/cli/create-core.js';
import { createMetrics } from '../../src/cli/metrics.js';
import type { ReconcilerDeps } from '../../src/reconcile/deps.js';
import { Standby, stayWarm } from '../../workers/stay-warm.js';
import { openConsul, openProvider, openStore } from '../../workers/wire.js';
import type { Rig } from '../support/daemon.js';
import { isOpen, ordersRig, READ } from '../support/orders-rig.js';
import { until } from '../support/until.js';

const HOUR_MS = 3_600_000;

let rig: Rig | undefined;
afterEach(async () => rig?.close());

describe('a standby', () => {
  it('reads both sides again and again, says what it cannot read, and writes nothing', async () => {
    rig = await ordersRig();
    const daemon = await rig.start();
    await isOpen(rig, READ);
    await daemon.idle();
    await daemon.stop();
    const config = await rig.load();
    const lines: string[] = [];
    const log = (level: string) => (_: object, message: string) => void lines.push(`${level}: ${message}`);
    const logger = { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') };
    const runtime = { logger, metrics: createMetrics(), clock: rig.clock };
    const store = await openStore(config, runtime);
    const consul = await openConsul(config.consul, config.owner, runtime, () => false);
    const providers = config.providers.map((each) => openProvider(each, config.groups, runtime));
    const { requests, writes } = rig.proxy;
    const [before, settled] = [writes.length, await store.journal.outbox(100)];
    const worlds: ReconcilerDeps['world'][] = [];
    const createDeps = () => {
      const { deps } = createCore(config, { consul, providers, store }, runtime);
      worlds.push(deps.world);
      return deps;
    };
    const standby = new Standby((ended) => stayWarm({ createDeps, intervalMs: HOUR_MS }, runtime, ended));
    standby.begin();
    standby.begin();
    await until('both sides are read', () => lines.length > 0);
    expect(lines).toEqual(['info: this standby has read both sides and can take over fast']);
    expect(worlds[0]?.hasDirectory('main')).toBe(true);
    expect(worlds[0]?.owned.count).toBe(1);

    const { clock, idp, proxy } = rig;
    // The interval spreads by a tenth, and an advance before the wait begins wakes nobody.
    const afterAnHour = (what: string, is: () => boolean | undefined) =>
      until(what, () => {
        const isSo = is();
        if (isSo !== true) clock.advance(HOUR_MS * 1.11);
        return isSo;
      });
    idp.fault = () => ({ status: 503, json: {} });
    const directory =
      'warn: this standby cannot read the directory of an identity provider; it would open nothing';
    await afterAnHour('the directory fails', () => lines[1]?.startsWith(directory));
    await until('Consul is read all the same', () => worlds[1]?.hasEntries);
    expect(worlds[1]?.hasDirectory('main')).toBe(false);

    proxy.interfere = () => ({ status: 503 });
    const failure =
      'warn: this standby cannot read both sides; it tries again, and would write later if it led now';
    await afterAnHour('Consul fails', () => lines.includes(failure));
    expect((await runtime.metrics.expose()).body).toMatch(/scopemesh_standby_read_failures_total [1-9]/);
    proxy.interfere = () => undefined;
    await standby.end();
    const known = worlds.length;
    clock.advance(9 * HOUR_MS);
    expect(worlds).toHaveLength(known);

    expect(requests.length).toBeGreaterThan(0);
    expect(writes).toHaveLength(before);
    expect(await store.journal.outbox(100)).toEqual(settled);
    await store.close();
    await consul.close();
    for (const { directory } of providers) await directory.close();
  });
});
