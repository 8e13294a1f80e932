import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { systemClock } from '../../src/clock.js';
import { type DemoProcess, parseThings, runCurl, startDemo } from './demo-process.js';

const running: DemoProcess[] = [];
afterEach(() => Promise.all(running.splice(0).map((demo) => demo.stop('SIGKILL'))));

function start(...args: Parameters<typeof startDemo>): DemoProcess {
  const demo = startDemo(...args);
  running.push(demo);
  return demo;
}

/** Asks until the caller sees it: a change needs a moment. Fails with what it saw last. */
async function untilStatus(line: string, status: number): Promise<void> {
  const signal = AbortSignal.timeout(45_000);
  for (;;) {
    const answer = await runCurl(line);
    if (answer.status === status) return;
    if (signal.aborted) expect({ line, ...answer }).toMatchObject({ status });
    await systemClock.sleep(20);
  }
}

const READY = z.object({
  scopemesh: z.url(),
  consul: z.url(),
  consulKind: z.literal('embedded'),
  consulManagementToken: z.string().min(1),
  idp: z.url(),
  idpManagementToken: z.string().min(1),
  callers: z.record(z.string(), z.url()),
  config: z.string(),
  state: z.string(),
});

/** Makes loading any client of Redis or Kafka an error. */
const NO_CLIENTS = `data:text/javascript,${encodeURIComponent(`
  import module from 'node:module';
  function resolve(name, context, next) {
    if (/^(ioredis|bullmq|kafkajs)(\\/|$)/.test(name)) throw new Error('loaded ' + name);
    return next(name, context);
  }
  // Node 20 has the one alone, and newer ones warn of it.
  if (module.registerHooks) module.registerHooks({ resolve });
  else module.register('data:text/javascript,' + encodeURIComponent('export ' + resolve));
`)}`;

describe('scopemesh demo', () => {
  it('prints commands that do what they say, and shows each decision', async () => {
    const demo = start([]);
    await demo.until((stdout) => stdout.includes('\nDecisions'));
    const [read, write, grant, revoke, agent, disable, drift, plan, explain, decisions] = parseThings(
      demo.stdout,
    ).map(({ command }) => command);
    const reports = (read ?? '').replace(
      /9\d{3,4}(?=\/orders)|:\d+(?=\/orders)/,
      () => `:${portOf('reports')}`,
    );

    expect(await runCurl(read ?? '')).toMatchObject({ status: 200, body: expect.stringContaining('kettle') });
    expect(await runCurl(write ?? '')).toMatchObject({
      status: 403,
      body: expect.stringMatching(/^RBAC: access denied\nthe intention web -> orders has only GET,HEAD/),
    });
    expect((await runCurl(grant ?? '')).status).toBe(200);
    await untilStatus(write ?? '', 200);
    await demo.until((stdout) =>
      /✓ web → orders +ScopeGranted +\d+ ms {2}orders:read orders:write/.test(stdout),
    );
    expect((await runCurl(revoke ?? '')).status).toBe(200);
    await untilStatus(write ?? '', 403);
    expect((await runCurl(read ?? '')).status).toBe(200);
    await demo.until((stdout) => /✗ web → orders +ScopeRevoked/.test(stdout));

    expect(await runCurl(agent ?? '')).toMatchObject({
      status: 403,
      body: expect.stringContaining('no intention allows assistant to call payments'),
    });

    expect((await runCurl(reports)).status).toBe(200);
    expect((await runCurl(disable ?? '')).status).toBe(200);
    await untilStatus(reports, 403);
    await demo.until((stdout) => /✗ reports → orders +ClientDisabled/.test(stdout));

    expect((await runCurl(drift ?? '')).status).toBe(200);
    await demo.until((stdout) => /✓ web → orders +DriftCorrected/.test(stdout));
    await untilStatus(read ?? '', 200);

    expect([plan, explain, decisions]).toEqual([
      expect.stringMatching(/^npx scopemesh plan -c \/.*\/scopemesh\.yaml$/),
      expect.stringMatching(
        /^npx scopemesh explain -c \/.*\/scopemesh\.yaml web orders --method POST --path/,
      ),
      expect.stringMatching(/^npx scopemesh decisions list -c \/.*\/scopemesh\.yaml$/),
    ]);
    expect(demo.stdout).not.toContain('\u001b');
    const { status, tookMs } = await demo.stop('SIGINT');
    expect(status).toBe(0);
    expect(tookMs).toBeLessThan(2_000);

    function portOf(name: string): string {
      return new RegExp(`(\\d+) ${name}\\b`).exec(demo.stdout)?.[1] ?? '';
    }
  });

  it('prints one line of JSON, loads no client of Redis or Kafka, and leaves nothing behind', async () => {
    const demo = start(['--json'], { nodeArgs: ['--import', NO_CLIENTS] });
    await demo.until((stdout) => stdout.includes('\n'));
    const ready = READY.parse(JSON.parse(demo.stdout));
    expect(Object.keys(ready.callers)).toEqual([
      'web',
      'checkout',
      'orders',
      'payments',
      'reports',
      'assistant',
      'shipping',
    ]);
    const call = (path: string, address = ready.callers.web) => fetch(`${address}${path}`);
    expect((await call('/orders/v1/orders/4711?x=1')).status).toBe(200);
    expect((await call('/orders/v1/orders/../admin')).status).toBe(403);
    expect((await call('/vault/')).status).toBe(403);
    expect((await call('/')).status).toBe(404);
    expect((await call('/ledger/', ready.callers.orders)).status).toBe(200);
    // Envoy ends a tcp connection that it does not let through.
    await expect(call('/ledger/')).rejects.toThrow();
    expect((await call('/readyz', ready.scopemesh)).status).toBe(200);
    const read = async (path: string): Promise<unknown> => {
      const headers = { 'X-Consul-Token': ready.consulManagementToken };
      return (await fetch(`${ready.consul}${path}`, { headers })).json();
    };
    expect(
      Object.keys(z.record(z.string(), z.unknown()).parse(await read('/v1/catalog/services'))),
    ).toHaveLength(11);
    // So scopemesh explain and doctor say what the calls above show.
    expect(await read('/v1/health/connect/orders')).toHaveLength(1);
    expect(existsSync(ready.config)).toBe(true);

    expect((await demo.stop('SIGTERM')).status).toBe(0);
    expect(demo.stdout.trimEnd().split('\n')).toHaveLength(1);
    expect(demo.stderr).toBe('');
    expect(existsSync(dirname(ready.config))).toBe(false);
  });

  it('knows when a client of Redis or Kafka is loaded', async () => {
    const demo = start(['--json'], { nodeArgs: ['--import', NO_CLIENTS, '--import', 'kafkajs'] });
    await expect(demo.until(() => false)).rejects.toThrow('loaded kafkajs');
  });

  it('refuses a port that the user chose and that is in use', async () => {
    const { createServer } = await import('node:http');
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? String(address?.port) : '';
    const demo = start(['--json', '--port', port]);
    await expect(demo.until(() => false)).rejects.toThrow(`port ${port} for scopemesh is in use`);
    server.close();
  });
});
