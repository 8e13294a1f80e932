import Fastify from 'fastify';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createMetrics } from '../../src/app/metrics.js';
import { createApiAccess } from '../../src/daemon/api-access.js';
import { addProbes, addStatus, type ProbeDeps, type StatusDeps } from '../../src/daemon/health.js';
import { Secret } from '../../src/model/secret.js';
import { ordersRig } from '../support/orders-rig.js';

const server = () => Fastify();
let app: ReturnType<typeof server>;
afterEach(() => {
  vi.useRealTimers();
  return app.close();
});

const broken = async () => {
  throw new Error('the disk is full');
};

const READER = 'token-of-prometheus-that-only-reads';

function serve({ host = '127.0.0.1', ...deps }: Partial<ProbeDeps & StatusDeps> & { host?: string }): void {
  app = server();
  addProbes(app, { canStore: async () => {}, inability: () => undefined, ...deps });
  addStatus(app, {
    access: createApiAccess({
      host,
      tokens: [{ name: 'prometheus', token: new Secret(READER), approve: false }],
      local: { token: new Secret('local'), path: '/state/api-token-8080' },
    }),
    metrics: createMetrics(),
    status: broken,
    records: () => undefined,
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

describe('the records of a daemon', () => {
  it('are shown to those who may read the status, and only by a leader', async () => {
    const records = { 'destination/default/default/orders': { 'intention/a': '["none",[]]' } };
    serve({ records: () => records });
    expect((await app.inject('/statusz/records')).json()).toEqual({ records });
    serve({ host: '0.0.0.0', records: () => records });
    expect((await app.inject('/statusz/records')).statusCode).toBe(401);
    serve({});
    expect((await app.inject('/statusz/records')).statusCode).toBe(503);
  });
});

describe('the status of a daemon', () => {
  const answer = { owner: 'payments' } as Awaited<ReturnType<StatusDeps['status']>>;

  it('is read once a second for everyone who asks for /metrics', async () => {
    let reads = 0;
    serve({
      status: async () => {
        reads++;
        return answer;
      },
    });
    await Promise.all(Array.from({ length: 20 }, () => app.inject('/metrics')));
    await app.inject('/metrics');
    expect(reads).toBe(1);
  });

  it('is read once for everyone who asks for /statusz while a read is under way, and not from before they asked', async () => {
    // The state at the beginning of each read; each read ends when the test lets it.
    let state = 'before the event';
    const ends: (() => void)[] = [];
    let reads = 0;
    let asked = 0;
    serve({
      access: {
        readRefusal: () => {
          asked++;
          return undefined;
        },
      },
      status: async () => {
        reads++;
        const seen = { ...answer, owner: state };
        await new Promise<void>((resolve) => ends.push(resolve));
        return seen;
      },
    });
    const first = app.inject('/statusz');
    await vi.waitFor(() => expect(reads).toBe(1));
    state = 'after the event';
    const later = Array.from({ length: 20 }, () => app.inject('/statusz'));
    await vi.waitFor(() => expect(asked).toBe(21));
    ends.shift()?.();
    expect((await first).json().owner).toBe('before the event');
    await vi.waitFor(() => expect(ends).toHaveLength(1));
    ends.shift()?.();
    for (const each of await Promise.all(later)) expect(each.json().owner).toBe('after the event');
    expect(reads).toBe(2);
  });

  it.each(['/metrics', '/statusz', '/readyz', '/statusz?holdsAfter=a'])(
    'leaves most of the time to other work, however many ask for %s without a break',
    async (url) => {
      // Of a clock that the load of the machine does not move.
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
      let busyMs = 0;
      const work = async () => {
        await new Promise((resolve) => setTimeout(resolve, 10));
        busyMs += 10;
      };
      const metrics = createMetrics();
      serve({
        canStore: work,
        metrics: {
          ...metrics,
          async expose() {
            await work();
            return metrics.expose();
          },
        },
        status: async () => {
          if (url.startsWith('/statusz')) await work();
          return answer;
        },
      });
      const startedAt = performance.now();
      let isOver = false;
      const polls = Array.from({ length: 20 }, async () => {
        for (let count = 0; count < 5; count++) await app.inject(url);
      });
      const all = Promise.all(polls).finally(() => {
        isOver = true;
      });
      while (!isOver) await vi.advanceTimersByTimeAsync(1);
      await all;
      expect(busyMs).toBeGreaterThan(0);
      expect(busyMs / (performance.now() - startedAt)).toBeLessThan(0.25);
    },
  );

  it('gives the page of holds that a request asks for', async () => {
    const asked: (string | undefined)[] = [];
    serve({
      status: async (holdsAfter) => {
        asked.push(holdsAfter);
        return answer;
      },
    });
    await app.inject('/statusz');
    await app.inject(`/statusz?holdsAfter=${encodeURIComponent('key\nsubject')}`);
    await app.inject('/statusz?holdsAfter=a&holdsAfter=b');
    expect(asked).toEqual([undefined, 'key\nsubject', undefined]);
  });

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
  const status = async () => ({ owner: 'payments' }) as Awaited<ReturnType<StatusDeps['status']>>;
  const ask = async (host: string, url: string) => (await app.inject({ url, headers: { host } })).statusCode;

  it.each(['/statusz', '/metrics'])('are refused at %s to a page whose name was rebound', async (url) => {
    serve({ status });
    expect(await ask('evil.example:8080', url)).toBe(403);
    expect(await ask('127.0.0.1:8080', url)).toBe(200);
    expect(await ask('localhost:8080', url)).toBe(200);
    expect(await ask('[::1]:8080', url)).toBe(200);
  });

  it('are refused to what a proxy on this machine passes on without a token', async () => {
    serve({ status });
    const headers = { host: '127.0.0.1:8080', 'x-forwarded-for': '192.0.2.9' };
    expect((await app.inject({ url: '/statusz', headers })).statusCode).toBe(403);
    const authorization = `Bearer ${READER}`;
    expect((await app.inject({ url: '/statusz', headers: { ...headers, authorization } })).statusCode).toBe(
      200,
    );
  });
});

describe('status and metrics on a listener that other machines reach', () => {
  const status = async () => ({ owner: 'payments' }) as Awaited<ReturnType<StatusDeps['status']>>;

  it.each(['/statusz', '/metrics'])('need a bearer token at %s, and the probes need none', async (url) => {
    serve({ status, host: '0.0.0.0' });
    const ask = (headers: Record<string, string> = {}) =>
      app.inject({ url, headers: { host: 'scopemesh.example', ...headers } });
    const refused = await ask();
    expect(refused.statusCode).toBe(401);
    expect(refused.headers['www-authenticate']).toBe('Bearer realm="scopemesh"');
    expect(refused.json().error).toContain('http.tokens');
    expect((await ask({ authorization: `Bearer ${READER}x` })).statusCode).toBe(401);
    expect((await ask({ authorization: `Bearer ${READER}` })).statusCode).toBe(200);
    expect((await app.inject('/healthz')).statusCode).toBe(200);
    expect((await app.inject('/readyz')).statusCode).toBe(200);
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
