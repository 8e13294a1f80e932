import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../src/clock.js';
import { createHttpConsul } from '../../src/consul/http/http-consul.js';
import { runCanary } from '../../src/daemon/canary.js';
import { WatchAges } from '../../src/daemon/watch-ages.js';
import { createEmbeddedConsul, type EmbeddedConsul } from '../../src/embedded/consul/embedded-consul.js';
import { Secret } from '../../src/model/secret.js';
import { createNotifier } from '../../src/notifier.js';
import type { ReconcilerDeps } from '../../src/reconcile/deps.js';
import { mapping } from '../plan/scene.js';
import { aborted } from '../support/aborted.js';
import { type ConsulProxy, startConsulProxy } from '../support/consul-proxy.js';

let server: EmbeddedConsul;
let proxy: ConsulProxy;
beforeEach(async () => {
  server = await createEmbeddedConsul({ defaultPolicy: 'deny' });
  proxy = await startConsulProxy(server.address);
});
afterEach(async () => {
  await proxy.close();
  await server.close();
});

/** Runs the canary; `until` waits until something that it says contains the text. */
function start(mode: 'enforce' | 'observe', token = server.managementToken) {
  const said: string[] = [];
  const news = createNotifier();
  const say = (text: string) => {
    said.push(text);
    news.notify();
  };
  const metrics = {
    count: (name: string, labels?: object) => say(`${name} ${JSON.stringify(labels ?? {})}`),
    gauge() {},
    time: (name: string) => say(name),
  };
  const log = (_fields: object, message: string) => say(message);
  const logger = { debug() {}, info: log, warn: log, error: log };
  const ages = new WatchAges(systemClock);
  const consul = createHttpConsul({
    address: proxy.address,
    token: new Secret(token),
    owner: 'payments',
    clock: systemClock,
    logger,
    metrics,
  });
  const stop = new AbortController();
  const world = { mapping: mapping({ mode }) } as ReconcilerDeps['world'];
  // Longer than an answer takes on a busy machine.
  const times = { everyMs: 20, boundMs: 200 };
  const clock: Clock = {
    now: systemClock.now,
    sleep(ms, signal) {
      if (ms === times.everyMs) say(NEXT_TURN);
      return systemClock.sleep(ms, signal);
    },
  };
  const running = runCanary({ consul, world, clock, logger, metrics }, ages, stop.signal, times);
  return {
    said,
    ages,
    async until(text: string) {
      const from = said.length;
      while (!said.slice(from).some((each) => each.includes(text))) await news.wait(stop.signal);
    },
    async end() {
      stop.abort();
      await running;
      await consul.close();
    },
  };
}

const NEXT_TURN = 'waits for its next turn';
const RESTART = 'scopemesh_consul_watch_restarts_total {"table":"canary","reason":"canary"}';

describe('the canary', () => {
  it('proves that a write reaches the watch, and writes nothing but its own key', async () => {
    const canary = start('enforce');
    await canary.until('scopemesh_consul_canary_seconds');
    await canary.until('scopemesh_consul_canary_seconds');
    expect(Object.keys(canary.ages.ages())).toEqual(['canary']);
    await canary.end();
    expect(canary.said).not.toContain(RESTART);
    const writes = proxy.requests.filter((each) => !each.startsWith('GET '));
    expect(new Set(writes)).toEqual(new Set(['PUT /v1/kv/scopemesh/payments/canary']));
  });

  it('starts all watches again if the answers of blocking queries get lost, and says when it is over', async () => {
    const canary = start('enforce');
    await canary.until('scopemesh_consul_canary_seconds');
    let restarts = 0;
    const stop = new AbortController();
    const consul = {
      watch: async (_table: unknown, _listener: unknown, until: AbortSignal) => {
        restarts += 1;
        await aborted(until).catch(() => {});
      },
    };
    const other = canary.ages.watch('catalog', { changed() {}, alive() {} }, consul, stop.signal);
    proxy.interfere = ({ target }) =>
      target.includes('index=') ? new Promise<undefined>(() => {}) : undefined;
    await canary.until('a write to Consul was not seen by the watch');
    await canary.until(RESTART);
    expect(restarts).toBeGreaterThan(1);
    proxy.interfere = () => undefined;
    await canary.until('watches on Consul see writes again');
    stop.abort();
    await other;
    await canary.end();
    expect(canary.said.filter((each) => each.includes('was not seen'))).toHaveLength(1);
  });

  it('says once that the ACL token may not write it, and restarts nothing', async () => {
    const request = async (path: string, body: object) =>
      (await fetch(server.address + path, {
        method: 'PUT',
        headers: { 'X-Consul-Token': server.managementToken },
        body: JSON.stringify(body),
      }).then((answer) => answer.json())) as { SecretID: string };
    await request('/v1/acl/policy', { Name: 'reader', Rules: 'key_prefix "" { policy = "read" }' });
    const { SecretID } = await request('/v1/acl/token', { Policies: [{ Name: 'reader' }] });
    const canary = start('enforce', SecretID);
    await canary.until('the canary key cannot be written');
    for (let times = 0; times < 2; times++) await canary.until('"operation":"canary.write"');
    await canary.end();
    expect(canary.said.filter((each) => each.includes('cannot be written'))).toHaveLength(1);
    expect(canary.said).not.toContain(RESTART);
  });

  it('writes nothing in mode observe', async () => {
    const canary = start('observe');
    // Each one but the first follows a turn in which a canary that writes would have written.
    for (let turn = 0; turn < 4; turn++) await canary.until(NEXT_TURN);
    await canary.end();
    expect(proxy.requests.filter((each) => !each.startsWith('GET '))).toEqual([]);
    expect(canary.ages.ages()).toEqual({});
  });
});
