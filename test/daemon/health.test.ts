import Fastify from 'fastify';
import { afterEach, describe, expect, it } from 'vitest';
import { createMetrics } from '../../src/cli/metrics.js';
import { addHealth, type HealthDeps } from '../../src/daemon/health.js';
import { ordersRig } from '../support/orders-rig.js';

const server = () => Fastify();
let app: ReturnType<typeof server>;
afterEach(() => app.close());

const broken = async () => {
  throw new Error('the disk is full');
};

function serve(deps: Partial<HealthDeps>): void {
  app = server();
  addHealth(app, {
    host: '127.0.0.1',
    metrics: createMetrics(),
    canStore: async () => {},
    status: broken,
    ...deps,
  });
}

describe('the health of a daemon', () => {
  it('is alive but not ready while the store fails', async () => {
    serve({ canStore: broken });
    const ready = await app.inject('/readyz');
    expect(ready.statusCode).toBe(503);
    expect(ready.json()).toEqual({ status: 'not ready', reason: 'the disk is full' });
    expect((await app.inject('/healthz')).statusCode).toBe(200);
  });

  it('is not ready while the store does not answer', async () => {
    serve({ canStore: () => new Promise(() => {}) });
    expect((await app.inject('/readyz')).statusCode).toBe(503);
  });

  it('shows its metrics while the store fails', async () => {
    serve({});
    const metrics = await app.inject('/metrics');
    expect(metrics.statusCode).toBe(200);
    expect(metrics.body).toContain('process_cpu_seconds_total');
    expect((await app.inject('/statusz')).statusCode).toBe(503);
  });
});

describe('the status of a daemon', () => {
  const answer = { owner: 'payments' } as Awaited<ReturnType<HealthDeps['status']>>;

  it.each([
    ['/metrics', 1],
    ['/statusz', 2],
  ])(
    'is read once for everyone who asks for %s at a time, and %i times for a later request',
    async (url, later) => {
      let reads = 0;
      serve({
        status: async () => {
          reads++;
          return answer;
        },
      });
      await Promise.all(Array.from({ length: 20 }, () => app.inject(url)));
      expect(reads).toBe(1);
      await app.inject(url);
      expect(reads).toBe(later);
    },
  );

  it('is read again after a failure', async () => {
    let reads = 0;
    serve({
      status: async () => {
        reads++;
        if (reads === 1) throw new Error('the disk is full');
        return answer;
      },
    });
    expect((await app.inject('/statusz')).statusCode).toBe(503);
    expect((await app.inject('/statusz')).statusCode).toBe(200);
  });
});

describe('status and metrics on a loopback listener', () => {
  const status = async () => ({ owner: 'payments' }) as Awaited<ReturnType<HealthDeps['status']>>;
  const ask = async (host: string, url: string) => (await app.inject({ url, headers: { host } })).statusCode;

  it.each(['/statusz', '/metrics'])('are refused at %s to a page whose name was rebound', async (url) => {
    serve({ status });
    expect(await ask('evil.example:8080', url)).toBe(403);
    expect(await ask('127.0.0.1:8080', url)).toBe(200);
    expect(await ask('localhost:8080', url)).toBe(200);
    expect(await ask('[::1]:8080', url)).toBe(200);
  });

  it('are served under every name if the listener is not loopback', async () => {
    serve({ status, host: '0.0.0.0' });
    expect(await ask('scopemesh.example', '/metrics')).toBe(200);
  });
});

describe('a running daemon', () => {
  it('says that it is ready, and shows the age of its state', async () => {
    app = server();
    const rig = await ordersRig();
    try {
      const daemon = await rig.start();
      await daemon.idle();
      expect((await daemon.get('/readyz')).status).toBe(200);
      const status = await daemon.status();
      expect(status).toMatchObject({ owner: 'payments', mode: 'enforce', parked: [], holds: [] });
      expect(status.directories[0]?.ageSeconds).toBeLessThan(10);
      // What a complete comparison costs, since large tenants have request limits.
      expect(await daemon.metric('scopemesh_directory_read_requests{provider="main"}')).toBe(1);
      expect(status.providers[0]?.directory.requests).toBe(1);
    } finally {
      await rig.close();
    }
  });
});
