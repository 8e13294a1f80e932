import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { OktaOptions } from '../../../src/identity/okta/okta.js';
import { Secret } from '../../../src/model/secret.js';
import { ALL_SCOPES } from '../../support/okta/server.js';
import { API, type OktaWorld, startOktaWorld } from '../../support/okta/world.js';
import { takeRsaPair } from '../../support/rsa-keys.js';

const signal = new AbortController().signal;
let world: OktaWorld;

beforeEach(async () => {
  world = await startOktaWorld();
});
afterEach(() => world.stop());

const directoryOf = (options: Partial<OktaOptions> = {}) => world.open(options).directory;

describe('the service app', () => {
  it.each(['pem', 'jwk'] as const)(
    'proves itself by its key (%s), with a token for each scope alone',
    async (form) => {
      const privateKey = new Secret(world.server[form]);
      const clientId = world.server.reader.id;
      const credentials =
        form === 'jwk' ? { clientId, privateKey } : { clientId, privateKey, keyId: 'scopemesh-key' };
      await directoryOf({ credentials }).readAll(signal);
      expect(world.server.tokens.asked.toSorted((a, b) => (a.scope < b.scope ? -1 : 1))).toEqual([
        { scope: 'okta.apps.read', status: 200 },
        { scope: 'okta.authorizationServers.read', status: 200 },
      ]);
    },
  );

  it('signs with an RSA key as well as with an elliptic curve', async () => {
    const { privateKey } = takeRsaPair();
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const credentials = { ...world.server.credentials, privateKey: new Secret(pem) };
    // Another key than the one registered: signed, sent, and refused.
    await expect(directoryOf({ credentials }).readAll(signal)).rejects.toMatchObject({
      code: 'ERR_DIRECTORY_DENIED',
    });
    expect(world.server.tokens.asked.map(({ status }) => status)).toContain(401);
  });

  it.each(['not a key', '{"kty":"RSA"}', '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----'])(
    'is refused at once with an invalid key, and the key is not quoted: %s',
    (text) => {
      const credentials = { ...world.server.credentials, privateKey: new Secret(text) };
      let said = '';
      try {
        world.open({ credentials });
      } catch (error) {
        said = String(error);
        expect(error).toMatchObject({ code: 'ERR_CONFIG' });
      }
      expect(said).toContain('privateKey');
      expect(said).not.toContain('AAAA');
    },
  );

  it('keeps its access tokens until shortly before they expire', async () => {
    const directory = directoryOf();
    await directory.readAll(signal);
    await directory.readAll(signal);
    expect(world.server.tokens.asked).toHaveLength(2);
    world.clock.advance(3_600_000);
    await directory.readAll(signal);
    expect(world.server.tokens.asked).toHaveLength(4);
  });

  it('gets a new access token once if Okta refuses the old one', async () => {
    const directory = directoryOf();
    await directory.readAll(signal);
    world.server.tokens.revokeAll();
    await directory.readAll(signal);
    expect(world.server.tokens.asked).toHaveLength(4);
  });

  it('names a scope that was not granted', async () => {
    world.server.org.changeApp(world.server.reader.id, {
      orgScopes: ALL_SCOPES.filter((scope) => scope !== 'okta.authorizationServers.read'),
    });
    await expect(directoryOf().readAll(signal)).rejects.toThrow(/okta\.authorizationServers\.read/);
  });

  it('says that DPoP, which new service apps require, must be turned off', async () => {
    world.server.tokens.wantsDpop = true;
    await expect(directoryOf().readAll(signal)).rejects.toThrow(/invalid_dpop_proof.*DPoP/);
  });

  it('never sends its proof to another host, and its requests contain no secret', async () => {
    await directoryOf().readAll(signal);
    const shown = JSON.stringify(world.server.credentials) + world.server.requests.join();
    expect(shown).not.toContain('PRIVATE KEY');
  });
});

describe('a rate limit', () => {
  it('states the rest of its window by the clock of Okta', async () => {
    const directory = directoryOf();
    await directory.readAll(signal);
    world.server.remaining = 0;
    world.server.resetSeconds = 42;
    const error: unknown = await directory.readAll(signal).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'ERR_DIRECTORY_RATE_LIMITED', retriable: true });
    const { retryAfterMs = 0 } = error as { retryAfterMs?: number };
    expect(retryAfterMs).toBeGreaterThan(39_000);
    expect(retryAfterMs).toBeLessThanOrEqual(43_000);
  });

  it('for simultaneous requests, with a reset in the past, waits at least a second', async () => {
    const directory = directoryOf();
    await directory.readAll(signal);
    world.server.remaining = 0;
    world.server.resetSeconds = -5;
    await expect(directory.readAll(signal)).rejects.toMatchObject({
      code: 'ERR_DIRECTORY_RATE_LIMITED',
      retryAfterMs: 1000,
    });
  });

  it('for too many requests at the same moment states no wait, whatever the reset says', async () => {
    const directory = directoryOf();
    await directory.readAll(signal);
    world.server.isBusy = true;
    world.server.resetSeconds = 60;
    await expect(directory.readAll(signal)).rejects.toMatchObject({
      code: 'ERR_DIRECTORY_RATE_LIMITED',
      retryAfterMs: undefined,
    });
  });

  it('fails the whole read if it occurs in the middle', async () => {
    for (let at = 0; at < 5; at++) world.addClient({}, ['orders:read']);
    const directory = directoryOf();
    await directory.readAll(signal);
    world.server.remaining = 4;
    await expect(directory.readAll(signal)).rejects.toMatchObject({ code: 'ERR_DIRECTORY_RATE_LIMITED' });
    world.server.remaining = undefined;
    expect((await directory.readAll(signal)).clients).toHaveLength(6);
  });
});

describe('checkAccess', () => {
  const check = async (options: Partial<OktaOptions> = {}) => {
    const checks = await directoryOf(options).checkAccess?.(signal);
    return Object.fromEntries((checks ?? []).map(({ permission, isGranted }) => [permission, isGranted]));
  };

  it('names every scope that is needed, and the administrator role', async () => {
    expect(await check()).toEqual({
      'okta.apps.read': true,
      'okta.authorizationServers.read': true,
      'okta.logs.read': true,
      'okta.groups.read': true,
      'okta.users.read': true,
      READ_ONLY_ADMIN: true,
    });
    const all = (await directoryOf().checkAccess?.(signal)) ?? [];
    expect(all.filter(({ forGroupsOnly }) => forGroupsOnly).map(({ permission }) => permission)).toEqual([
      'okta.groups.read',
      'okta.users.read',
    ]);
    expect(await check({ apis: [API, world.server.address] })).toHaveProperty(['okta.appGrants.read'], true);
  });

  it('distinguishes a scope that was not granted from a missing role', async () => {
    world.server.org.changeApp(world.server.reader.id, {
      orgScopes: ALL_SCOPES.filter((scope) => scope !== 'okta.logs.read'),
    });
    expect(await check()).toMatchObject({
      'okta.logs.read': false,
      'okta.apps.read': true,
      READ_ONLY_ADMIN: true,
    });
    world.server.hasRole = false;
    expect(await check()).toMatchObject({ 'okta.apps.read': true, READ_ONLY_ADMIN: false });
  });

  it('fails with the reason if Okta refuses the app itself, which is no missing permission', async () => {
    world.server.tokens.wantsDpop = true;
    await expect(check()).rejects.toThrow(/invalid_dpop_proof.*DPoP/);
    world.server.tokens.wantsDpop = false;
    const { privateKey } = takeRsaPair();
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const credentials = { ...world.server.credentials, privateKey: new Secret(pem) };
    await expect(check({ credentials })).rejects.toThrow('invalid_client');
  });

  it('fails if Okta cannot be reached, because that says nothing about permissions', async () => {
    world.server.remaining = 0;
    await expect(check()).rejects.toMatchObject({ code: 'ERR_DIRECTORY_RATE_LIMITED' });
  });
});

describe('the address of an org', () => {
  it.each([
    [{ issuer: 'https://acme.okta.com' }, /custom authorization server/],
    [
      { issuer: 'https://acme.okta.com/oauth2/default', org: 'https://acme.okta.com/admin' },
      /must be the address of/,
    ],
    [{ issuer: 'http://acme.okta.com/oauth2/default' }, /plain http/],
    [{ issuer: 'https://a:b@acme.okta.com/oauth2/default' }, /must not contain a user name or password/],
  ])('is refused if it is impossible: %j', (options, message) => {
    expect(() => world.open(options)).toThrow(message);
  });
});
