import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  createEmbeddedConsul,
  type EmbeddedConsul,
} from '../../../../src/embedded/consul/embedded-consul.js';
import { type KeySetServer, startKeySetServer } from '../../../support/key-set-server.js';
import { createMovableClock, type MovableClock } from '../../../support/movable-clock.js';
import { until } from '../../../support/until.js';

let clock: MovableClock;
let consul: EmbeddedConsul;
let idp: KeySetServer;

beforeEach(async () => {
  clock = createMovableClock();
  consul = await createEmbeddedConsul({ defaultPolicy: 'deny', clock });
  idp = await startKeySetServer();
});

afterEach(async () => {
  vi.restoreAllMocks();
  await consul.close();
  await idp.close();
});

async function ask(method: string, path: string, body?: unknown, token = consul.managementToken) {
  const answer = await fetch(consul.address + path, {
    method,
    headers: { 'X-Consul-Token': token },
    signal: AbortSignal.timeout(10_000),
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  const isJson = answer.headers.get('content-type')?.includes('json') === true;
  return { status: answer.status, body: isJson ? JSON.parse(text) : text };
}

const methodBody = (at: KeySetServer, MaxTokenTTL = '60s') => ({
  Name: 'shop',
  Type: 'jwt',
  MaxTokenTTL,
  Config: { JWKSURL: at.jwksUrl, BoundAudiences: ['consul'] },
});

async function createMethod(): Promise<void> {
  expect((await ask('PUT', '/v1/acl/auth-method', methodBody(idp))).status).toBe(200);
  await ask('PUT', '/v1/acl/role', { Name: 'shop' });
  const rule = { AuthMethod: 'shop', BindType: 'role', BindName: 'shop' };
  expect((await ask('PUT', '/v1/acl/binding-rule', rule)).status).toBe(200);
}

async function logIn(at: KeySetServer = idp) {
  return ask('POST', '/v1/acl/login', { AuthMethod: 'shop', BearerToken: await at.sign({}) });
}

describe('a token from a login to the embedded Consul', () => {
  it('ends when its time is over, and leaves the lists', async () => {
    await createMethod();
    const { body: token } = await logIn();
    expect(Date.parse(token.ExpirationTime) - Date.parse(token.CreateTime)).toBe(60_000);
    expect((await ask('GET', '/v1/acl/token/self', undefined, token.SecretID)).status).toBe(200);
    clock.advance(60_001);
    expect((await ask('GET', '/v1/acl/token/self', undefined, token.SecretID)).status).toBe(403);
    expect((await ask('GET', '/v1/acl/tokens?authmethod=shop')).body).toEqual([]);
  });

  it('keeps the end that it was given when the method gets another', async () => {
    await createMethod();
    const { body: token } = await logIn();
    await ask('PUT', '/v1/acl/auth-method', methodBody(idp, '5m'));
    clock.advance(60_001);
    expect((await ask('GET', '/v1/acl/token/self', undefined, token.SecretID)).status).toBe(403);
  });

  it('is given for about a minute after the JWT is over', async () => {
    await createMethod();
    const BearerToken = await idp.sign({});
    const again = () => ask('POST', '/v1/acl/login', { AuthMethod: 'shop', BearerToken });
    clock.advance(300_000 + 50_000);
    expect((await again()).status).toBe(200);
    clock.advance(20_000);
    expect((await again()).body).toContain('token is expired');
  });
});

describe('the keys of an auth method of the embedded Consul', () => {
  it('are fetched when it is written, when it is first used, and when a key is unknown', async () => {
    await ask('PUT', '/v1/acl/auth-method', methodBody(idp));
    expect(idp.asked).toBe(1);
    await createMethod();
    await logIn();
    await logIn();
    // Once for the second write, once for the rule.
    expect(idp.asked).toBe(3);
    const other = await startKeySetServer();
    const { status, body } = await logIn(other);
    await other.close();
    expect([status, body]).toEqual([500, 'error verifying token: failed to verify id token signature']);
    expect(idp.asked).toBe(4);
  });

  it('that are waited for hold up neither other calls nor the end', async () => {
    idp.setHealth('hanging');
    const writing = ask('PUT', '/v1/acl/auth-method', methodBody(idp)).catch(() => 'cut');
    await idp.isAwaited();
    expect((await ask('GET', '/v1/acl/auth-methods')).body).toEqual([]);
    await consul.close();
    expect(await writing).not.toMatchObject({ status: 200 });
  });

  it('that come too late do not bring a rule of a deleted method', async () => {
    await ask('PUT', '/v1/acl/auth-method', methodBody(idp));
    idp.setHealth('hanging');
    const rule = { AuthMethod: 'shop', BindType: 'role', BindName: 'shop' };
    const writing = ask('PUT', '/v1/acl/binding-rule', rule);
    await idp.isAwaited();
    expect((await ask('DELETE', '/v1/acl/auth-method/shop')).body).toBe(true);
    idp.setHealth('well');
    expect((await writing).body).toBe('cannot find auth method with name "shop"');
    expect((await ask('GET', '/v1/acl/binding-rules')).body).toEqual([]);
  });
});

it('the keys of any number of auth methods are fetched at once, without the warning of a leak', async () => {
  const warn = vi.spyOn(process, 'emitWarning').mockReturnValue();
  idp.setHealth('hanging');
  const written = Array.from({ length: 12 }, (_, at) =>
    ask('PUT', '/v1/acl/auth-method', { ...methodBody(idp), Name: `shop-${at}` }),
  );
  await until('all fetches', () => idp.asked >= written.length);
  idp.setHealth('well');
  expect((await Promise.all(written)).map(({ status }) => status)).toEqual(written.map(() => 200));
  // Of this process, which other tests share.
  const leaks = warn.mock.calls.filter(([about]) => String(about).includes('MaxListenersExceededWarning'));
  expect(leaks).toEqual([]);
});
