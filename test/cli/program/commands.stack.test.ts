import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ConsulHandle, startConsul } from '../../stack/consul.js';
import { type KafkaHandle, startKafka } from '../../stack/kafka.js';
import { signingKeyFile } from '../../stack/key-file.js';
import { type RedisHandle, startRedis } from '../../stack/redis.js';
import { besideDaemon } from '../../support/beside-daemon.js';
import { type CommandLine, createCommandLine } from '../../support/command-line.js';
import { until } from '../../support/until.js';

let consul: ConsulHandle;
let redis: RedisHandle;
let kafka: KafkaHandle;
let cli: CommandLine;
const web = { clientId: 'web-app', scopes: ['orders:read'], attributes: { 'consul-services': 'web' } };
const bot = { clientId: 'bot', scopes: ['billing:connect'], attributes: { 'consul-services': 'bot' } };
const foreign = { Name: 'legacy', Action: 'allow', Description: 'by hand' };

beforeAll(async () => {
  [consul, redis, kafka] = await Promise.all([startConsul(), startRedis(), startKafka()]);
  cli = createCommandLine({
    consul: { address: consul.httpAddress, managementToken: consul.managementToken },
  });
  cli.configure({
    guards: { maxRevocations: { percent: 0, atLeast: 0 } },
    queue: { kind: 'bullmq', url: redis.url },
    decisions: {
      kind: 'kafka',
      brokers: [kafka.broker],
      topic: 'commands',
      signingKeyFile: signingKeyFile(),
    },
  });
  cli.idp(web, bot);
  const register = (Name: string, client?: string, more: object = {}) =>
    consul.request('PUT', '/v1/agent/service/register', {
      Name,
      Port: 8080,
      ...(client === undefined ? {} : { Meta: { 'oauth-client-id': client } }),
      ...more,
    });
  await consul.request('PUT', '/v1/config', { Kind: 'service-defaults', Name: 'orders', Protocol: 'http' });
  await register('orders');
  await register('billing');
  await register('bot', 'bot');
  await register('web', 'web-app', {
    Connect: {
      SidecarService: { Proxy: { Upstreams: [{ DestinationName: 'billing', LocalBindPort: 9191 }] } },
    },
  });
  await consul.request('PUT', '/v1/config', {
    Kind: 'service-intentions',
    Name: 'orders',
    Sources: [foreign],
  });
  // The agent hands its registrations to the catalog a moment later.
  await until('web is in the catalog', async () => {
    const found = await consul.request('GET', '/v1/catalog/connect/web');
    return Array.isArray(found) && found.length === 1;
  });
}, 300_000);
afterAll(async () => {
  cli?.close();
  await Promise.all([consul?.stop(), redis?.stop(), kafka?.stop()]);
});

async function sourcesOf(destination: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const entry = await consul
    .request('GET', `/v1/config/service-intentions/${destination}`)
    .catch(() => undefined);
  return (entry as { Sources?: readonly Readonly<Record<string, unknown>>[] } | undefined)?.Sources ?? [];
}

// One history: each test goes on where the one before it ended.
describe('the command line on a real Consul, Redis and Kafka', () => {
  it('doctor finds nothing wrong', async () => {
    const { status, json, out } = await cli.run(['doctor', '--json']);
    expect([status, out]).toEqual([0, expect.anything()]);
    expect(json()).toMatchObject({ summary: { error: 0 } });
  });

  it('apply makes the planned changes, keeps foreign sources, and publishes to the topic', async () => {
    expect((await cli.run(['plan', '--detailed-exitcode'])).status).toBe(2);
    const applied = await cli.run(['apply', '--yes', '--json']);
    expect([applied.status, applied.json()]).toMatchObject([
      0,
      { summary: { applied: 2, failed: 0 }, errors: [] },
    ]);
    expect((await cli.run(['plan', '--detailed-exitcode'])).status).toBe(0);
    const assumed = await cli.run([
      'plan',
      '--what-if',
      'client=main/web-app,+scope=billing:connect',
      '--json',
    ]);
    expect(assumed.json()).toMatchObject({
      changes: [{ resource: { source: 'web', destination: 'billing' } }],
    });
    expect(await sourcesOf('billing')).toMatchObject([{ Name: 'bot' }]);
    expect(await sourcesOf('orders')).toMatchObject([foreign, { Name: 'web' }]);
    const listed = await cli.run(['decisions', 'list', '--json']);
    expect(
      listed.out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).data.outcome),
    ).toEqual(['applied', 'applied']);
  });

  it('explain uses the intentions in Consul, and reports the missing upstream', async () => {
    const { status, json } = await cli.run([
      'explain',
      'web',
      'orders',
      '--method',
      'GET',
      '--path',
      '/v1/orders/1',
      '--json',
    ]);
    expect(status).toBe(0);
    expect(json()).toMatchObject({
      verdict: 'allowed',
      arrives: 'no',
      mend: expect.stringContaining('orders'),
      lastDecision: { data: { reason: 'ScopeGranted' } },
    });
    expect(
      (await cli.run(['explain', 'web', 'orders', '--method', 'POST', '--path', '/v1/orders'])).status,
    ).toBe(4);
  });

  it('adopt changes only the Description of an equal source', async () => {
    cli.idp(web, { ...bot, scopes: ['billing:connect', 'orders:connect'] });
    await consul.request('PUT', '/v1/config', {
      Kind: 'service-intentions',
      Name: 'orders',
      Sources: [...(await sourcesOf('orders')), { Name: 'bot', Action: 'allow', Description: 'by hand' }],
    });
    expect((await cli.run(['apply', '--yes'])).status).toBe(3);
    const adopted = await besideDaemon(cli, () => cli.run(['adopt', '--yes', '--json']));
    expect(adopted.json()).toMatchObject({ summary: { adopted: 1 } });
    expect((await cli.run(['plan', '--json'])).json()).toMatchObject({ changes: [], holds: [] });
    expect(await sourcesOf('orders')).toMatchObject([
      foreign,
      { Name: 'web' },
      { Name: 'bot', Action: 'allow' },
    ]);
  });

  it('apply --approve lets a held removal pass', async () => {
    cli.idp({ ...bot, scopes: ['billing:connect', 'orders:connect'] });
    expect((await cli.run(['apply', '--yes'])).status).toBe(3);
    const { out } = await cli.run(['decisions', 'list', '--json']);
    const held = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
      .filter(({ data }) => data.reason === 'RevocationLimit');
    expect(held).toHaveLength(1);
    await cli.run(['apply', '--yes', '--approve', held[0].id], { user: 'carol' });
    expect(await sourcesOf('orders')).toMatchObject([foreign, { Name: 'bot' }]);
    const last = await cli.run(['decisions', 'list', '--limit', '20']);
    expect(last.out).toMatch(/revoke {2}web -> orders {2}ClientDeleted .*by local \(carol\)/);
  });

  it('an unsafe Redis is refused with what to set', async () => {
    const unsafe = await startRedis({ appendOnly: false });
    try {
      cli.configure({ queue: { kind: 'bullmq', url: unsafe.url } });
      expect(await cli.run(['apply', '--yes'])).toMatchObject({
        status: 1,
        err: expect.stringContaining('appendonly'),
      });
      const { status, json } = await cli.run(['doctor', '--json']);
      expect(status).toBe(1);
      expect(json().findings).toContainEqual(expect.objectContaining({ id: 'queue', severity: 'error' }));
    } finally {
      await unsafe.stop();
    }
  });
});
