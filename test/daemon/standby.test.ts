import { afterEach, describe, expect, it } from 'vitest';
import { createCore } from '../../src/app/create-core.js';
import { createMetrics } from '../../src/app/metrics.js';
import type { Clock } from '../../src/clock.js';
import { Standby } from '../../src/daemon/standby.js';
import type { ReconcilerDeps } from '../../src/reconcile/deps.js';
import { openConsul, openProvider, openStore } from '../../workers/wire.js';
import type { Rig } from '../support/daemon.js';
import { isOpen, ordersRig, READ } from '../support/orders-rig.js';
import { until } from '../support/until.js';

const HOUR_MS = 3_600_000;

let rig: Rig | undefined;
afterEach(async () => rig?.close());

describe('a standby', () => {
  it('reads both sides again and again, each directory once in an interval, says what it cannot read, and writes nothing', async () => {
    rig = await ordersRig();
    const daemon = await rig.start();
    await isOpen(rig, READ);
    await daemon.idle();
    await daemon.stop();
    const config = await rig.load();
    const lines: string[] = [];
    const log = (level: string) => (_: object, message: string) => void lines.push(`${level}: ${message}`);
    const logger = { debug: () => {}, info: log('info'), warn: log('warn'), error: log('error') };
    const { clock } = rig;
    let rehearsals = 0;
    const sleep: Clock['sleep'] = (ms, signal) => {
      if (ms === HOUR_MS) rehearsals += 1;
      return clock.sleep(ms, signal);
    };
    const runtime = { logger, metrics: createMetrics(), clock: { now: () => clock.now(), sleep } };
    const store = await openStore(config, runtime);
    const consul = await openConsul(config.consul, config.owner, runtime, () => false);
    const providers = await Promise.all(config.providers.map((each) => openProvider(each, config, runtime)));
    const { requests, writes } = rig.proxy;
    const [asked, before, settled] = [requests.length, writes.length, await store.journal.outbox(100)];
    const worlds: ReconcilerDeps['world'][] = [];
    const createDeps = () => {
      const { deps } = createCore(config, { consul, providers, store }, runtime);
      worlds.push(deps.world);
      return deps;
    };
    const { idp, proxy } = rig;
    let directoryReads = 0;
    let isDirectoryAway = false;
    idp.fault = (path) => {
      if (path.startsWith('/directory')) directoryReads += 1;
      return isDirectoryAway ? { status: 503, json: {} } : undefined;
    };
    const standby = new Standby({ createDeps, intervalMs: () => HOUR_MS }, runtime);
    const passing = (ms: number, what: string, is: () => boolean | undefined) =>
      until(what, () => {
        const isSo = is();
        // An advance before the wait begins wakes nobody.
        if (isSo !== true) clock.advance(ms);
        return isSo;
      });
    const failure =
      'warn: this standby cannot read Consul or the store; it tries again, and would write later if it led now';
    const warm = 'info: this standby has read both sides and can take over fast';
    const failures = async () =>
      Number(
        /^scopemesh_standby_read_failures_total (\d+)/m.exec((await runtime.metrics.expose()).body)?.[1],
      );

    proxy.interfere = () => ({ status: 503 });
    standby.begin();
    standby.begin();
    await passing(60_000, 'Consul was tried often', () => worlds.length > 4);
    expect(lines).toEqual([failure]);
    expect(directoryReads).toBe(0);
    expect(await failures()).toBeGreaterThanOrEqual(4);
    proxy.interfere = () => undefined;
    await passing(60_000, 'both sides are read', () => lines.length > 1);
    expect(lines).toEqual([failure, warm]);
    expect(directoryReads).toBe(1);
    expect(worlds.at(-1)?.hasDirectory('main')).toBe(true);
    expect(worlds.at(-1)?.owned.count).toBe(1);

    // A term that is soon lost.
    await standby.end();
    expect(rehearsals).toBe(1);
    standby.begin();
    await until('it rehearses again', () => rehearsals === 2);
    expect(worlds.at(-1)?.hasEntries).toBe(true);
    expect(worlds.at(-1)?.hasDirectory('main')).toBe(false);
    expect(directoryReads).toBe(1);

    isDirectoryAway = true;
    const failed = await failures();
    const directory =
      'warn: this standby cannot read the directory of an identity provider; it would open nothing';
    await passing(HOUR_MS, 'the directory fails', () => lines[2]?.startsWith(directory));
    expect(await failures()).toBe(failed + 1);
    expect(worlds.at(-1)?.hasEntries).toBe(true);
    isDirectoryAway = false;
    await passing(HOUR_MS, 'the directory is read', () => lines.length > 3);
    expect(lines.slice(3)).toEqual([warm]);
    await standby.end();
    const last = worlds.length;
    clock.advance(9 * HOUR_MS);
    expect(worlds).toHaveLength(last);

    expect(requests.length).toBeGreaterThan(asked);
    expect(writes).toHaveLength(before);
    expect(await store.journal.outbox(100)).toEqual(settled);
    await store.close();
    await consul.close();
    for (const { directory } of providers) await directory.close();
  });
});
