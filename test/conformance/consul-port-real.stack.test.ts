import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.js';
import type { Consul } from '../../src/consul/consul.js';
import { createHttpConsul } from '../../src/consul/http/http-consul.js';
import { SyncError } from '../../src/errors.js';
import type { NewSource } from '../../src/model/intention.js';
import { Secret } from '../../src/model/secret.js';
import { noMetrics, silentLogger } from '../../src/observe.js';
import { type ConsulHandle, startConsul } from '../stack/consul.js';
import { until } from '../stack/process.js';
import { describeConsulPort } from './consul-port.js';

describeConsulPort('a real Consul', async () => {
  const server = await startConsul({ acl: 'deny' });
  return {
    address: server.httpAddress,
    managementToken: server.managementToken,
    datacenter: server.datacenter,
    stop: () => server.stop(),
  };
});

const never = new AbortController().signal;

function connect(server: ConsulHandle, requestTimeoutMs = 10_000): Consul {
  return createHttpConsul({
    address: server.httpAddress,
    token: server.managementToken === '' ? undefined : new Secret(server.managementToken),
    owner: 'payments',
    logger: silentLogger,
    metrics: noMetrics,
    clock: systemClock,
    requestTimeoutMs,
  });
}

function sourceOf(name: string): NewSource {
  const description = 'scopemesh:payments';
  return { name, namespace: 'default', partition: 'default', description, access: { kind: 'allow' } };
}

const orders = { partition: 'default', namespace: 'default', name: 'orders' };

describe('a real Consul that is killed, stopped and started', () => {
  let server: ConsulHandle;
  let consul: Consul;

  beforeAll(async () => {
    server = await startConsul({ acl: 'deny' });
    consul = connect(server, 1_000);
  });

  afterAll(async () => {
    await consul?.close();
    await server?.stop();
  });

  it('a watch outlives it, and tells the changes made afterwards', async () => {
    const stop = new AbortController();
    let alive = 0;
    let onChange = () => {};
    let live = () => {};
    const listener = {
      changed: () => onChange(),
      alive: () => {
        alive += 1;
        live();
      },
    };
    const nextLife = () => new Promise<void>((resolve) => (live = resolve));
    const first = nextLife();
    const watch = consul.watch('intentions', listener, stop.signal);
    await first;
    await server.kill();
    const before = alive;
    await expect(consul.intentions.list(never)).rejects.toMatchObject({ code: 'ERR_CONSUL_UNREACHABLE' });
    expect(alive).toBe(before);
    const again = nextLife();
    await server.restart();
    await again;
    const changed = new Promise<void>((resolve) => (onChange = resolve));
    await consul.intentions.write(orders, undefined, [sourceOf('web')], 0, never);
    await changed;
    stop.abort();
    await watch;
  });

  it('one that is stopped mid-way times out, and answers again once it goes on', async () => {
    process.kill(server.process.pid, 'SIGSTOP');
    try {
      // A signal is not at once obeyed by every thread: one more list may still be answered.
      const failure = await until('a list that is not answered', () =>
        consul.intentions.list(never).then(
          () => undefined,
          (error: unknown) => error,
        ),
      );
      expect(failure).toMatchObject({ code: 'ERR_TIMEOUT', retriable: true });
    } finally {
      process.kill(server.process.pid, 'SIGCONT');
    }
    expect(await consul.intentions.list(AbortSignal.timeout(10_000))).toHaveLength(1);
  });

  it('an entry made by the old intentions API is recognised, and Consul refuses to write it', async () => {
    await server.request('POST', '/v1/connect/intentions', {
      SourceName: 'web',
      DestinationName: 'legacy',
      Action: 'allow',
      Meta: { by: 'hand' },
    });
    const legacy = { ...orders, name: 'legacy' };
    const entry = await consul.intentions.read(legacy, never);
    expect(entry?.sources).toMatchObject([{ name: 'web', isLegacy: true }]);
    if (entry === undefined) throw new Error('there is no entry');
    const sources = [...entry.sources, sourceOf('api')];
    const write = consul.intentions.write(legacy, entry, sources, entry.modifyIndex, never);
    await expect(write).rejects.toBeInstanceOf(SyncError);
    await expect(write).rejects.toMatchObject({ code: 'ERR_CONSUL_REJECTED' });
  });
});

describe('a real Consul without ACLs', () => {
  it('is read without a token, and said to allow by default', async () => {
    const server = await startConsul({ acl: 'off' });
    const consul = connect(server);
    try {
      await consul.intentions.write(orders, undefined, [sourceOf('web')], 0, never);
      expect(await consul.intentions.list(never)).toHaveLength(1);
      const { services } = await consul.readCatalog(never);
      expect(services.map(({ name }) => name.name)).toEqual(['consul']);
      expect(await consul.inspect(never)).toMatchObject({ defaultPolicy: 'allow', aclsEnabled: false });
    } finally {
      await consul.close();
      await server.stop();
    }
  });
});
