import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  createEmbeddedConsul,
  type EmbeddedConsul,
} from '../../../../src/embedded/consul/embedded-consul.js';
import { HandClock } from '../hand-clock.js';

describe('time in the embedded Consul', () => {
  let clock: HandClock;
  let consul: EmbeddedConsul;

  beforeEach(async () => {
    clock = new HandClock();
    consul = await createEmbeddedConsul({ defaultPolicy: 'deny', clock });
  });
  afterEach(() => consul.close());

  const ask = async (method: string, path: string, body?: unknown, token = consul.managementToken) => {
    const response = await fetch(`${consul.address}${path}`, {
      method,
      headers: { 'X-Consul-Token': token },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: text.startsWith('A') || text === '' ? text : JSON.parse(text) };
  };

  const session = async (body: unknown): Promise<string> =>
    (await ask('PUT', '/v1/session/create', body)).body.ID;

  it('ends a session after twice its TTL, not before', async () => {
    const id = await session({ TTL: '10s' });
    await clock.move(19_999);
    expect((await ask('GET', `/v1/session/info/${id}`)).body).toHaveLength(1);
    await clock.move(1);
    expect((await ask('GET', `/v1/session/info/${id}`)).body).toEqual([]);
  });

  it('lets a renewal start the whole TTL again', async () => {
    const id = await session({ TTL: '10s' });
    await clock.move(15_000);
    await ask('PUT', `/v1/session/renew/${id}`);
    await clock.move(15_000);
    expect((await ask('GET', `/v1/session/info/${id}`)).body).toHaveLength(1);
    await clock.move(5_000);
    expect((await ask('GET', `/v1/session/info/${id}`)).body).toEqual([]);
  });

  it('frees the locks of a session that ran out, after its lock-delay', async () => {
    const id = await session({ TTL: '10s', LockDelay: '3s' });
    expect((await ask('PUT', `/v1/kv/lock?acquire=${id}`)).body).toBe(true);
    await clock.move(20_000);
    const next = await session({});
    expect((await ask('PUT', `/v1/kv/lock?acquire=${next}`)).body).toBe(false);
    await clock.move(2_999);
    expect((await ask('PUT', `/v1/kv/lock?acquire=${next}`)).body).toBe(false);
    await clock.move(1);
    expect((await ask('PUT', `/v1/kv/lock?acquire=${next}`)).body).toBe(true);
  });

  it('does not know a token whose time is over', async () => {
    const { body } = await ask('PUT', '/v1/acl/token', { ExpirationTTL: '1m' });
    const token = String(body.SecretID);
    await clock.move(59_999);
    expect((await ask('GET', '/v1/acl/token/self', undefined, token)).status).toBe(200);
    await clock.move(1);
    expect(await ask('GET', '/v1/acl/token/self', undefined, token)).toEqual({
      status: 403,
      body: 'ACL not found',
    });
    expect(await ask('GET', '/v1/catalog/services', undefined, token)).toEqual({
      status: 403,
      body: 'ACL not found',
    });
    expect((await ask('GET', '/v1/acl/tokens')).body).toHaveLength(2);
  });
});
