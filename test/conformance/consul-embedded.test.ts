import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createEmbeddedConsul, type EmbeddedConsul } from '../../src/embedded/consul/embedded-consul.js';
import { identityProvider } from './consul-api/identity-provider.js';
import { describeConsulApi } from './consul-api.js';

const start = async () => {
  const consul = await createEmbeddedConsul({ defaultPolicy: 'deny' });
  return { address: consul.address, managementToken: consul.managementToken, stop: () => consul.close() };
};
// It answers in a few milliseconds.
describeConsulApi('the embedded Consul', start, { endedMs: 100 });

describe('an embedded Consul with a data directory', () => {
  let directory: string;
  let consul: EmbeddedConsul | undefined;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'embedded-consul-'));
  });

  afterEach(async () => {
    await consul?.close();
    await rm(directory, { recursive: true });
  });

  const start = async () => {
    consul = await createEmbeddedConsul({ defaultPolicy: 'deny', stateDirectory: directory });
    return consul;
  };

  const ask = async (at: EmbeddedConsul, method: string, path: string, body?: unknown) => {
    const response = await fetch(`${at.address}${path}`, {
      method,
      headers: { 'X-Consul-Token': at.managementToken },
      signal: AbortSignal.timeout(10_000),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.includes('json') === true;
    return {
      status: response.status,
      index: Number(response.headers.get('x-consul-index')),
      body: isJson ? JSON.parse(text) : text,
    };
  };

  const write = async (at: EmbeddedConsul) => {
    await ask(at, 'PUT', '/v1/config', {
      Kind: 'service-intentions',
      Name: 'api',
      Sources: [{ Name: 'web', Action: 'allow' }],
    });
    await ask(at, 'PUT', '/v1/kv/a', 'one');
    await ask(at, 'PUT', '/v1/kv/gone', 'one');
    await ask(at, 'DELETE', '/v1/kv/gone');
    await ask(at, 'PUT', '/v1/agent/service/register', { Name: 'web', Meta: { 'oauth-client-id': 'shop' } });
    await ask(at, 'PUT', '/v1/acl/policy', { Name: 'keys', Rules: 'key_prefix "" { policy = "read" }' });
    const { publicKey } = await identityProvider();
    await ask(at, 'PUT', '/v1/acl/auth-method', {
      Name: 'people',
      Type: 'jwt',
      MaxTokenTTL: '5m',
      Config: { JWTValidationPubKeys: [publicKey] },
    });
    await ask(at, 'PUT', '/v1/acl/binding-rule', {
      AuthMethod: 'people',
      BindType: 'role',
      BindName: 'keys',
      Selector: '"x" in value',
    });
    await ask(at, 'PUT', '/v1/session/create', { TTL: '600s', Name: 'kept' });
  };

  const paths = [
    '/v1/config/service-intentions',
    '/v1/kv/?recurse',
    '/v1/catalog/service/web',
    '/v1/catalog/nodes',
    '/v1/acl/policy/name/keys',
    '/v1/acl/tokens',
    '/v1/acl/auth-method/people',
    '/v1/acl/binding-rules',
    '/v1/session/list',
  ];

  it('answers after a restart as before it, indexes included', async () => {
    const first = await start();
    await write(first);
    const before = await Promise.all(paths.map((path) => ask(first, 'GET', path)));
    await first.close();
    const second = await start();
    expect(second.managementToken).toBe(first.managementToken);
    expect(await Promise.all(paths.map((path) => ask(second, 'GET', path)))).toEqual(before);
    expect(before.every((answer) => answer.status === 200 && answer.index > 1)).toBe(true);
  });

  it('gives a write after a restart a greater index than any before', async () => {
    const first = await start();
    await write(first);
    const before = await ask(first, 'GET', '/v1/session/list');
    await first.close();
    const second = await start();
    await ask(second, 'PUT', '/v1/kv/b', 'two');
    expect((await ask(second, 'GET', '/v1/kv/b')).index).toBeGreaterThan(before.index);
  });

  it('opens a state of an earlier version, which kept health checks', async () => {
    await write(await start());
    await consul?.close();
    const Database: new (path: string) => { exec(sql: string): void; close(): void } = createRequire(
      import.meta.url,
    )('libsql');
    const state = new Database(join(directory, 'consul.sqlite'));
    state.exec(`INSERT INTO rows VALUES ('checks', 'embedded/serfHealth', '{"CheckID":"serfHealth"}')`);
    state.close();
    expect((await ask(await start(), 'GET', '/v1/kv/a')).status).toBe(200);
  });

  it('refuses a directory that another one holds', async () => {
    await start();
    await expect(createEmbeddedConsul({ defaultPolicy: 'deny', stateDirectory: directory })).rejects.toThrow(
      /locked/,
    );
  });
});

describe('an embedded Consul that closes', () => {
  it('ends a waiting query and takes no further call', async () => {
    const consul = await createEmbeddedConsul({ defaultPolicy: 'allow' });
    const headers = { 'X-Consul-Token': consul.managementToken };
    const first = await fetch(`${consul.address}/v1/kv/a`, { headers });
    await first.text();
    const waiting = fetch(`${consul.address}/v1/kv/a?index=99&wait=60s`, { headers }).then(
      (response) => response.status,
      () => 'cut',
    );
    await consul.close();
    expect(['cut', 404]).toContain(await waiting);
    await expect(fetch(`${consul.address}/v1/kv/a`)).rejects.toThrow();
  });

  it('can be closed again', async () => {
    const consul = await createEmbeddedConsul({ defaultPolicy: 'deny' });
    await consul.close();
    await expect(consul.close()).resolves.toBeUndefined();
    await expect(fetch(`${consul.address}/v1/status/leader`)).rejects.toThrow();
  });
});

describe('an embedded Consul that allows by default', () => {
  it('allows callers without a token everything except ACLs', async () => {
    const consul = await createEmbeddedConsul({ defaultPolicy: 'allow' });
    try {
      const status = async (method: string, path: string) => {
        const response = await fetch(`${consul.address}${path}`, { method });
        await response.text();
        return response.status;
      };
      expect(await status('PUT', '/v1/kv/a')).toBe(200);
      expect(await status('GET', '/v1/kv/a')).toBe(200);
      expect(await status('GET', '/v1/acl/tokens')).toBe(403);
    } finally {
      await consul.close();
    }
  });
});
