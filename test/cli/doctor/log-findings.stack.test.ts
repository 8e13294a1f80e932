import { execFileSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { logFindings, NEEDED_FIELDS } from '../../../src/cli/doctor/log-findings.js';
import { systemClock } from '../../../src/clock.js';
import type { Consul } from '../../../src/consul/consul.js';
import { createHttpConsul } from '../../../src/consul/http/http-consul.js';
import { createEmbeddedConsul, type EmbeddedConsul } from '../../../src/embedded/consul/embedded-consul.js';
import { Secret } from '../../../src/model/secret.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { mapping } from '../../plan/scene.js';

const never = new AbortController().signal;
const NEW = { version: '1.16.1' };
let server: EmbeddedConsul;
let consul: Consul;

beforeEach(async () => {
  server = await createEmbeddedConsul({ defaultPolicy: 'deny', ...NEW });
  consul = createHttpConsul({
    address: server.address,
    token: new Secret(server.managementToken),
    owner: 'pay',
    logger: silentLogger,
    metrics: noMetrics,
    clock: systemClock,
  });
});
afterEach(async () => {
  await consul.close();
  await server.close();
});

const find = async (facts = NEW, of = mapping()) => {
  const [finding, ...others] = await logFindings(consul, facts, of, never);
  expect(others).toEqual([]);
  return finding;
};

async function write(entry: string | object): Promise<void> {
  const { status } = await fetch(`${server.address}/v1/config`, {
    method: 'PUT',
    headers: { 'X-Consul-Token': server.managementToken },
    body:
      typeof entry === 'string'
        ? entry
        : JSON.stringify({ Kind: 'proxy-defaults', Name: 'global', ...entry }),
  });
  expect(status).toBe(200);
}

/** What the printed command hands to `consul config write`. */
async function printed(remedy = ''): Promise<string> {
  const { status, body } = await fetch(`${server.address}/v1/config/proxy-defaults/global`, {
    headers: { 'X-Consul-Token': server.managementToken },
  }).then(async (answer) => ({ status: answer.status, body: await answer.text() }));
  const command = remedy
    .replace(/^.*this proxy-defaults entry: /, '')
    .replace('consul config read -kind proxy-defaults -name global', 'cat')
    .replace(' | consul config write -', '');
  return execFileSync('sh', ['-c', command], { input: status === 200 ? body : '', encoding: 'utf8' });
}

describe('the access logs of the proxies', () => {
  it('are off without an entry, and show who called with the entry that doctor prints', async () => {
    const missing = await find();
    expect(missing).toMatchObject({ id: 'logs.format', severity: 'notice' });
    await write(await printed(missing?.remedy));
    expect(await find()).toMatchObject({ id: 'logs', severity: 'ok' });
  });

  it('keep what the entry and its format have already', async () => {
    const theirs = JSON.stringify({ start_time: '%START_TIME%', "it's": '%PROTOCOL%' });
    await write({ Config: { protocol: 'http' }, AccessLogs: { Enabled: true, JSONFormat: theirs } });
    const finding = await find();
    expect(finding?.message).toContain('method, path, response_code_details');
    const entry = await printed(finding?.remedy);
    await write(entry);
    expect(await find()).toMatchObject({ severity: 'ok' });
    expect(JSON.parse(entry)).toMatchObject({ Config: { protocol: 'http' } });
    expect((await consul.proxyDefaults.readAccessLog(never))?.jsonFormat).toContain(`"it's"`);
  });

  it('lose their format as text, which Consul refuses beside one as JSON', async () => {
    await write({ AccessLogs: { Enabled: true, TextFormat: '%START_TIME%' } });
    await write(await printed((await find())?.remedy));
    expect(await consul.proxyDefaults.readAccessLog(never)).toMatchObject({
      isEnabled: true,
      textFormat: '',
    });
  });

  it('need the path that was judged, not the header that a caller can send', async () => {
    const JSONFormat = JSON.stringify({ ...NEEDED_FIELDS, path: '%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%' });
    await write({ AccessLogs: { Enabled: true, JSONFormat } });
    expect((await find())?.message).toContain('path of their format');
  });

  it('show the user where a rule requires one', async () => {
    const rules = [{ scope: 'a', to: 'orders', userRequired: true }];
    const finding = await find(NEW, mapping({ owner: 'pay', providers: ['main'], rules }));
    expect(JSON.parse(await printed(finding?.remedy)).AccessLogs.JSONFormat).toContain(
      '"user_main":"%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:jwt_payload_scopemesh-pay-main-_users:sub)%"',
    );
  });

  it('do not exist in Consul before 1.15', async () => {
    expect(await find({ version: '1.14.11' })).toMatchObject({ id: 'logs.version', severity: 'notice' });
    expect(await find({ version: '2.0.0' })).toMatchObject({ id: 'logs.format' });
  });
});
