import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.js';
import type { Consul } from '../../src/consul/consul.js';
import { createHttpConsul } from '../../src/consul/http/http-consul.js';
import { createEmbeddedConsul, type EmbeddedConsul } from '../../src/embedded/consul/embedded-consul.js';
import { Secret } from '../../src/model/secret.js';
import { noMetrics, silentLogger } from '../../src/observe.js';
import { readScenarios } from './consul-api/fixtures.js';
import { ScenarioRun } from './consul-api/scenario-run.js';

const never = new AbortController().signal;

let consul: EmbeddedConsul;
const clients: Consul[] = [];
beforeAll(async () => {
  consul = await createEmbeddedConsul({ defaultPolicy: 'deny', version: '1.16.1' });
});
afterAll(async () => {
  for (const client of clients) await client.close();
  await consul.close();
});

const connect = (token = consul.managementToken): Consul => {
  const client = createHttpConsul({
    address: consul.address,
    token: new Secret(token),
    owner: 'payments',
    logger: silentLogger,
    metrics: noMetrics,
    clock: systemClock,
  });
  clients.push(client);
  return client;
};
const request = async (method: string, path: string, body?: unknown, at: EmbeddedConsul = consul) => {
  const answer = await fetch(at.address + path, {
    method,
    headers: { 'X-Consul-Token': at.managementToken },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  return { status: answer.status, text };
};
const tokenWith = async (rules: string): Promise<string> => {
  const name = `policy-${Math.random()}`.replace('.', '');
  await request('PUT', '/v1/acl/policy', { Name: name, Rules: rules });
  const { text } = await request('PUT', '/v1/acl/token', { Policies: [{ Name: name }] });
  return String(JSON.parse(text).SecretID);
};

describe('an embedded Consul 1.16.1', () => {
  for (const scenario of readScenarios('jwt-providers')) {
    describe(`has ${scenario.name}`, () => {
      let run: ScenarioRun;
      beforeAll(async () => {
        run = await ScenarioRun.begin({ ...consul, stop: async () => {} });
      });
      for (const exchange of scenario.exchanges) {
        it(exchange.name, async () => {
          expect(await run.answer(exchange)).toEqual(exchange.expected);
        });
      }
    });
  }
});

describe('the port of jwt-providers', () => {
  const entry = {
    name: 'scopemesh-payments-main-_users',
    issuer: 'https://sso.example.com/realms/main',
    audiences: ['consul'],
    jwksUri: 'https://sso.example.com/certs?a=1&b=2',
    meta: { scopemesh: 'scopemesh:payments' },
  };

  it('reports the version of every agent; an incomplete list counts as no answer', async () => {
    expect(await connect().jwtProviders.agentVersions(never)).toEqual(['1.16.1']);
    const weak = connect(await tokenWith('service_prefix "" { policy = "read" }'));
    await expect(weak.jwtProviders.agentVersions(never)).rejects.toMatchObject({
      code: 'ERR_CONSUL_INCOMPLETE',
    });
  });

  it('writes, reads back, replaces and deletes by compare-and-set', async () => {
    const port = connect().jwtProviders;
    expect(await port.list(never)).toEqual([]);
    const created = await port.write(entry, 0, never);
    expect(created).toMatchObject({ kind: 'written' });
    const [existing] = await port.list(never);
    expect(existing).toEqual({
      name: entry.name,
      meta: entry.meta,
      content: entry,
      modifyIndex: created.kind === 'written' ? created.modifyIndex : undefined,
    });
    expect(await port.write({ ...entry, audiences: ['other'] }, 0, never)).toEqual({ kind: 'conflict' });
    const index = existing?.modifyIndex ?? 0;
    expect(await port.write({ ...entry, audiences: ['other'] }, index, never)).toMatchObject({
      kind: 'written',
    });
    expect(await port.delete(entry.name, index, never)).toEqual({ kind: 'conflict' });
    const [later] = await port.list(never);
    expect(later?.content).toEqual({ ...entry, audiences: ['other'] });
    expect(await port.delete(entry.name, later?.modifyIndex ?? 0, never)).toEqual({ kind: 'written' });
    expect(await port.delete(entry.name, later?.modifyIndex ?? 0, never)).toEqual({ kind: 'conflict' });
    expect(await port.list(never)).toEqual([]);
  });

  it('reads the trust of the proxies and the forwarded header back as it was written', async () => {
    const port = connect().jwtProviders;
    const trusting = {
      ...entry,
      caFile: '/etc/ssl/certs/ca-certificates.crt',
      forwardHeader: 'x-user-claims',
    };
    await port.write(trusting, 0, never);
    const [existing] = await port.list(never);
    expect(existing?.content).toEqual(trusting);
    await port.delete(entry.name, existing?.modifyIndex ?? 0, never);
  });

  it.each<[string, Readonly<Record<string, unknown>>]>([
    ['keys of its own', { JSONWebKeySet: { Local: { JWKS: 'e30=' } } }],
    ['another way to fetch the keys', { JSONWebKeySet: { Remote: { URI: entry.jwksUri } } }],
    ['tokens in a query too', { Locations: [{ QueryParam: { Name: 'access_token' } }] }],
    [
      'trust in something else',
      {
        JSONWebKeySet: {
          Remote: {
            URI: entry.jwksUri,
            FetchAsynchronously: true,
            JWKSCluster: { TLSCertificates: { TrustedCA: { InlineString: 'x' } } },
          },
        },
      },
    ],
    [
      'a padded payload in the header',
      { Forwarding: { HeaderName: 'x-user', PadForwardPayloadHeader: true } },
    ],
    ['a cache', { CacheConfig: { Size: 10 } }],
    ['another clock skew', { ClockSkewSeconds: 3600 }],
  ])('reads an entry with %s as something that is not written here', async (_, fields) => {
    const port = connect().jwtProviders;
    await port.write(entry, 0, never);
    const { text } = await request('GET', `/v1/config/jwt-provider/${entry.name}`);
    await request('PUT', '/v1/config', { ...JSON.parse(text), ...fields });
    const [existing] = await port.list(never);
    expect(existing).toMatchObject({ name: entry.name, content: 'other', meta: entry.meta });
    await port.delete(entry.name, existing?.modifyIndex ?? 0, never);
  });

  it('takes a list that a weak token filters for incomplete, and mesh or any service is enough to read', async () => {
    await connect().jwtProviders.write(entry, 0, never);
    const weak = connect(await tokenWith('service "web" { policy = "read" }')).jwtProviders;
    await expect(weak.list(never)).rejects.toMatchObject({ code: 'ERR_CONSUL_INCOMPLETE' });
    for (const rules of ['mesh = "read"', 'service "web" { policy = "write" }']) {
      const able = connect(await tokenWith(rules)).jwtProviders;
      expect(await able.list(never)).toHaveLength(1);
      await expect(able.write({ ...entry, jwksUri: 'https://x/y' }, 1, never)).rejects.toMatchObject({
        code: 'ERR_CONSUL_DENIED',
      });
    }
    const [existing] = await connect().jwtProviders.list(never);
    const writer = connect(await tokenWith('mesh = "write"')).jwtProviders;
    expect(await writer.delete(entry.name, existing?.modifyIndex ?? 0, never)).toMatchObject({
      kind: 'written',
    });
  });
});

describe('an embedded Consul 1.14.11', () => {
  it('has neither the entries nor the requirements', async () => {
    const old = await createEmbeddedConsul({ defaultPolicy: 'deny' });
    try {
      expect(await request('GET', '/v1/config/jwt-provider', undefined, old)).toEqual({
        status: 500,
        text: 'invalid config entry kind: jwt-provider',
      });
      await request('PUT', '/v1/config', { Kind: 'service-defaults', Name: 'api', Protocol: 'http' }, old);
      const permission = { Action: 'allow', HTTP: { PathPrefix: '/' }, JWT: { Providers: [{ Name: 'a' }] } };
      const sources = [{ Name: 'web', Permissions: [permission] }];
      expect(
        await request(
          'PUT',
          '/v1/config',
          { Kind: 'service-intentions', Name: 'api', Sources: sources },
          old,
        ),
      ).toEqual({
        status: 400,
        text: 'Request decoding failed: 1 error occurred:\n\t* invalid config key "Sources[0].Permissions[0].JWT"\n\n',
      });
    } finally {
      await old.close();
    }
  });
});
