import { createHmac, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { Redis } from 'ioredis';
import { Kafka, logLevel } from 'kafkajs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { loadConfig } from '../../config/load.js';
import { startConsul } from './consul.js';
import { startMesh } from './envoy.js';
import { startKafka } from './kafka.js';
import { readTopic } from './kcat.js';
import { startKeycloak } from './keycloak.js';
import { freePort } from './ports.js';
import { isAlive, type ServerProcess, until } from './process.js';
import { startRedis } from './redis.js';
import { startStack } from './stack.js';

/** Stops it also when the test fails; a further stop does nothing. */
async function stopping<T extends { stop(): Promise<void> }>(starting: Promise<T>): Promise<T> {
  const handle = await starting;
  onTestFinished(() => handle.stop());
  return handle;
}

async function expectGone(handle: { directory: string }, processes: ServerProcess[]): Promise<void> {
  for (const { name, pid } of processes) expect([name, await isAlive(pid)]).toEqual([name, false]);
  expect(existsSync(handle.directory)).toBe(false);
}

describe('the servers', () => {
  it('run a Consul that denies by default and keeps its state over a crash', async () => {
    const consul = await stopping(startConsul());
    const first = consul.process;
    await consul.request('PUT', '/v1/kv/kept', 'value');
    const anonymous = await fetch(`${consul.httpAddress}/v1/kv/kept`);
    expect(anonymous.status).toBe(403);
    await consul.kill();
    await expect(fetch(`${consul.httpAddress}/v1/status/leader`)).rejects.toThrow();
    await consul.restart();
    const kept = await consul.request('GET', '/v1/kv/kept?raw');
    expect(kept).toContain('value');
    const second = consul.process;
    await consul.stop();
    await expectGone(consul, [first, second]);
  });

  it('run a Redis that keeps an accepted write over a crash and evicts nothing', async () => {
    const redis = await stopping(startRedis({ appendFsync: 'always' }));
    const first = redis.process;
    const client = new Redis(redis.url);
    onTestFinished(() => client.disconnect());
    await client.set('kept', 'value');
    expect(await client.config('GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'noeviction']);
    expect(await client.config('GET', 'appendonly')).toEqual(['appendonly', 'yes']);
    client.on('error', () => {}); // the crash raises one
    await redis.kill();
    await redis.restart();
    expect(await client.get('kept')).toBe('value');
    const second = redis.process;
    await redis.stop();
    await expectGone(redis, [first, second]);
  });

  it('run a Kafka whose messages kcat reads, also after a crash', async () => {
    const kafka = await stopping(startKafka());
    const first = kafka.process;
    await kafka.createTopic('decisions', 2);
    const client = new Kafka({ brokers: [kafka.broker], logLevel: logLevel.NOTHING });
    const producer = client.producer();
    await producer.connect();
    const headers = { 'content-type': 'application/json' };
    await producer.send({ topic: 'decisions', messages: [{ key: 'k', value: '{"a":"ä"}', headers }] });
    await producer.disconnect();
    const expected = [{ key: 'k', value: '{"a":"ä"}', headers, offset: 0, partition: expect.any(Number) }];
    expect(await readTopic(kafka.broker, 'decisions')).toEqual(expected);
    await kafka.kill();
    await kafka.restart();
    expect(await readTopic(kafka.broker, 'decisions')).toEqual(expected);
    const second = kafka.process;
    await kafka.stop();
    await expectGone(kafka, [first, second]);
  });

  it('run Envoys that let through what an intention written by hand opens, and nothing else', async () => {
    const consul = await stopping(startConsul());
    const mesh = await stopping(
      startMesh(consul, {
        services: [
          { name: 'orders', protocol: 'http' },
          { name: 'web', upstreams: ['orders', 'plain'] },
          { name: 'plain' },
        ],
      }),
    );
    const get = { from: 'web', to: 'orders', method: 'GET', path: '/v1/orders/7' };
    expect(await mesh.call('web', 'orders', 'GET', '/v1/orders/7')).toBe(403);
    expect(await mesh.call('web', 'plain', 'GET', '/')).toBe(0);

    const intention = (action: string) => ({
      Kind: 'service-intentions',
      Name: 'orders',
      Sources: [
        { Name: 'web', Permissions: [{ Action: action, HTTP: { PathPrefix: '/v1/', Methods: ['GET'] } }] },
      ],
    });
    await consul.request('PUT', '/v1/config', intention('allow'));
    await mesh.waitForStatus(200, get);
    expect(await mesh.call('web', 'orders', 'POST', '/v1/orders/7')).toBe(403);
    expect(await mesh.call('web', 'orders', 'GET', '/v2/orders')).toBe(403);
    await consul.request('PUT', '/v1/config', intention('deny'));
    await mesh.waitForStatus(403, get);

    await mesh.update('web', { meta: { 'oauth-client-id': 'web-app' } });
    const instances = await consul.request('GET', '/v1/catalog/service/web');
    expect(instances).toMatchObject([{ ServiceMeta: { 'oauth-client-id': 'web-app' } }]);
    await mesh.add({ name: 'late', upstreams: ['orders'] });
    expect(await mesh.call('late', 'orders', 'GET', '/v1/orders')).toBe(403);
    await mesh.remove('late');
    const { late, web } = Object(await consul.request('GET', '/v1/catalog/services'));
    expect({ late, web }).toEqual({ late: undefined, web: [] });

    const processes = [...mesh.processes, consul.process];
    expect(processes).toHaveLength(4);
    await mesh.stop();
    await consul.stop();
    await expectGone(consul, processes);
  });

  it('run a Keycloak whose webhooks carry a signature that verifies', async () => {
    const secret = 'a secret of the test';
    const deliveries: Array<{ body: Buffer; signature: string }> = [];
    const port = await freePort();
    const receiver = createServer((incoming, answer) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('end', () => {
        const signature = String(incoming.headers['x-keycloak-signature']);
        deliveries.push({ body: Buffer.concat(chunks), signature });
        answer.writeHead(204).end();
      });
    }).listen({ host: '127.0.0.1', port });
    await once(receiver, 'listening');
    onTestFinished(() => void receiver.close());

    const keycloak = await stopping(startKeycloak());
    const first = keycloak.process;
    const { admin } = keycloak;
    await admin.createRealm('r');
    await admin.registerWebhook('r', { url: `http://127.0.0.1:${port}/events`, secret });
    const id = await admin.createClient('r', 'web-app', { attributes: { 'consul-services': 'web' } });
    await admin.createClientScope('r', 'orders:read');
    await admin.addScope('r', 'web-app', 'orders:read');
    const delivered = await until('the webhook comes', () =>
      deliveries.find(({ body }) => body.includes(`clients/${id}/default-client-scopes/`)),
    );
    const expected = createHmac('sha256', secret).update(delivered.body).digest();
    expect(timingSafeEqual(Buffer.from(delivered.signature, 'hex'), expected)).toBe(true);
    const event = JSON.parse(delivered.body.toString('utf8'));

    // The reader sees the same event, and may not write.
    const reader = await admin.createReader('r');
    const accessToken = await admin.clientAccessToken('r', reader.clientId, reader.clientSecret);
    const as = { headers: { authorization: `Bearer ${accessToken}` } };
    const polled = await fetch(`${keycloak.address}/admin/realms/r/admin-events?max=100`, as);
    expect(await polled.json()).toContainEqual(expect.objectContaining({ id: event.id }));
    const deleting = await fetch(`${keycloak.address}/admin/realms/r/clients/${id}`, {
      ...as,
      method: 'DELETE',
    });
    expect(deleting.status).toBe(403);

    await keycloak.kill();
    await keycloak.restart();
    const client = await admin.request('GET', `/r/clients/${id}`);
    expect(client).toMatchObject({ attributes: { 'consul-services': 'web' } });
    const defaults = await admin.request('GET', `/r/clients/${id}/default-client-scopes`);
    expect(defaults).toContainEqual(expect.objectContaining({ name: 'orders:read' }));
    await admin.removeScope('r', 'web-app', 'orders:read');
    await until('the webhook comes after the restart', () =>
      deliveries.some(({ body }) => body.includes('"DELETE"') && body.includes('default-client-scopes')),
    );
    const second = keycloak.process;
    await keycloak.stop();
    await expectGone(keycloak, [first, second]);
  });

  it('run all together, with a configuration that is valid and a mesh that is closed', async () => {
    const stack = await stopping(startStack());
    const text = stack.configuration({ directory: '/nowhere/state' });
    const { config } = await loadConfig({
      path: 'scopemesh.yaml',
      environment: {},
      readFile: async () => text,
    });
    expect(config.owner).toBe('demo');
    expect(await stack.mesh.call('web', 'orders', 'GET', '/')).toBe(403);
    expect(await readTopic(stack.kafka.broker, stack.topic)).toEqual([]);
    const processes = [...stack.servers.map((handle) => handle.process), ...stack.mesh.processes];
    expect(processes).toHaveLength(6);
    await stack.stop();
    for (const handle of stack.servers) await expectGone(handle, processes);
  });
});
