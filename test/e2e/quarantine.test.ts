import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { type ConsulHandle, startConsul } from '../stack/consul.js';
import { type KafkaHandle, startKafka } from '../stack/kafka.js';
import { freePort } from '../stack/ports.js';
import { until } from '../stack/process.js';
import { type Idp, startIdp } from '../support/idp.js';
import { openDecisionTopic } from './decision-topic.js';
import { endLeaderSession } from './end-leader-session.js';
import { BUILT, type Scopemesh, startScopemesh } from './scopemesh.js';

const TOPIC = 'scopemesh.decisions';
const CLIENT = 'client/main/web-app';

let consul: ConsulHandle;
let kafka: KafkaHandle;
let idp: Idp;
let daemon: Scopemesh;

beforeAll(async () => {
  [consul, kafka] = await Promise.all([startConsul({ acl: 'deny' }), startKafka()]);
  await kafka.createTopic(TOPIC, 3);
  idp = await startIdp({ single: true, now: () => Date.now() });
  for (const [service, scopes] of [
    ['web', ['orders:connect']],
    ['idle', []],
  ] as const) {
    idp.clients.set(`${service}-app`, {
      clientId: `${service}-app`,
      grantTypes: ['client_credentials'],
      scopes: [...scopes],
      attributes: { 'consul-services': service },
    });
    const meta = { 'oauth-client-id': `${service}-app` };
    await consul.request('PUT', '/v1/agent/service/register', { Name: service, Port: 1, Meta: meta });
  }
  await consul.request('PUT', '/v1/agent/service/register', { Name: 'orders', Port: 2 });
  const listen = `127.0.0.1:${await freePort()}`;
  daemon = await startScopemesh({
    listen,
    configuration: (state) => stringify(toFile(listen, state.directory)),
  });
  await daemon.ready();
}, 300_000);

afterAll(async () => {
  await daemon?.dispose();
  await idp?.close();
  await Promise.all([consul?.stop(), kafka?.stop()]);
});

function toFile(listen: string, directory: string) {
  return {
    owner: 'payments',
    mode: 'enforce',
    consul: { address: consul.httpAddress, token: consul.managementToken },
    providers: [
      {
        name: 'main',
        kind: 'oidc',
        issuer: 'http://127.0.0.1/main',
        directory: idp.url,
        directoryToken: idp.directoryToken,
        webhook: { secrets: [idp.webhookSecret] },
      },
    ],
    scopes: { '{service}:connect': { to: '{service}' } },
    decisions: { kind: 'kafka', brokers: [kafka.broker], topic: TOPIC },
    http: { listen },
    state: { directory },
  };
}

async function report(clientId: string): Promise<void> {
  const signed = idp.sign({ type: 'client.secret-compromised', data: { clientId } });
  const answer = await fetch(`${daemon.address}/events/main`, { method: 'POST', ...signed });
  expect(answer.status).toBe(202);
}

async function sources(): Promise<readonly string[]> {
  const entry = await consul
    .request('GET', '/v1/config/service-intentions/orders')
    .catch(() => ({ Sources: [] }));
  const found: unknown = Object(entry).Sources;
  return Array.isArray(found) ? found.map((each) => String(Object(each).Name)) : [];
}

const isOpen = (open: boolean) =>
  until(`web -> orders ${open ? 'open' : 'closed'}`, async () => (await sources()).includes('web') === open, {
    timeoutMs: 20_000,
  });

async function run(...args: readonly string[]): Promise<string> {
  const command = [BUILT, '-c', daemon.configFile, ...args];
  // doctor and plan have exit statuses of their own.
  const done = await promisify(execFile)(process.execPath, command).catch((error: unknown) => error);
  return `${Object(done).stdout}${Object(done).stderr}`;
}

describe('a compromised client, with real servers', () => {
  it('stays closed over kill -9 and the loss of the state directory, until a person releases it', async () => {
    await isOpen(true);
    await report('web-app');
    await report('idle-app');
    await isOpen(false);
    const key = '/v1/kv/scopemesh/payments/quarantine/main?keys';
    await until('both records', async () => {
      const keys = await consul.request('GET', key).catch(() => []);
      return Array.isArray(keys) && keys.length === 2;
    });
    await daemon.idle();
    await daemon.kill();
    await rm(daemon.stateDirectory, { recursive: true });
    await endLeaderSession(consul, 'payments');
    await daemon.start();
    await daemon.ready();
    await daemon.idle();
    const touched = idp.sign({ type: 'client.updated', data: { clientId: 'web-app' } });
    await fetch(`${daemon.address}/events/main`, { method: 'POST', ...touched });
    await daemon.idle();
    expect(await sources()).toEqual([]);
    expect(await run('doctor')).toContain('client main/web-app is in quarantine');
    expect(await run('plan')).toContain('ClientQuarantined');
    expect(await run('approve', 'main/web-app', 'main/idle-app')).toContain('approved  main/idle-app');
    await isOpen(true);
    await daemon.idle();
    await until('no record', async () => {
      const keys = await consul.request('GET', key).catch(() => undefined);
      return keys === undefined;
    });

    const topic = openDecisionTopic(kafka.broker, TOPIC);
    const all = await topic.read();
    for (const subject of [CLIENT, 'client/main/idle-app'])
      expect(
        all.filter((each) => each.subject === subject).map(({ type, reason }) => `${type} ${reason}`),
        subject,
      ).toEqual([
        'dev.scopemesh.client.quarantined ClientQuarantined',
        // The new store has a decision of its own.
        'dev.scopemesh.client.quarantined ClientQuarantined',
        'dev.scopemesh.client.released QuarantineEnded',
      ]);
    const edge = all.filter(({ subject }) => subject === 'intention/default/default/orders/web');
    expect(edge.map(({ type, reason }) => `${type.split('.').at(-1)} ${reason}`)).toEqual([
      'created ScopeGranted',
      'deleted ClientQuarantined',
      'held ClientQuarantined',
      'held ClientQuarantined',
      'created QuarantineEnded',
      'released HoldEnded',
    ]);
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
  });
});
