import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { expect } from 'vitest';
import { until } from '../stack/process.js';
import { describeFaults } from './describe-faults.js';
import { clientOf, startWorld, type World } from './world.js';

/** A client that no row changes. */
const CLIENT = clientOf(0);

interface SigningKey {
  readonly jwk: object;
  sign(): Promise<string>;
}

interface KeysWorld extends World {
  readonly keys: readonly SigningKey[];
  /** Makes the provider publish these keys alone. */
  publish(...keys: readonly number[]): void;
  /** The status with which Consul answers a login by a token of this key. */
  login(key: number): Promise<number>;
}

async function createKey(kid: string, issuer: string): Promise<SigningKey> {
  const { publicKey, privateKey } = await generateKeyPair('RS256');
  return {
    jwk: { ...(await exportJWK(publicKey)), kid, alg: 'RS256', use: 'sig' },
    sign: () =>
      new SignJWT({ client_id: CLIENT, scope: '' })
        .setProtectedHeader({ alg: 'RS256', kid })
        .setIssuer(issuer)
        .setAudience('consul')
        .setSubject(CLIENT)
        .setIssuedAt()
        .setExpirationTime('5m')
        .sign(privateKey),
  };
}

async function startKeysWorld(): Promise<KeysWorld> {
  const world = await startWorld({ configuration: { login: 'on' } });
  const { idp, consul } = world;
  const keys = await Promise.all(['old', 'new', 'newest'].map((kid) => createKey(kid, idp.issuer)));
  const self: KeysWorld = {
    ...world,
    keys,
    publish(...published) {
      const json = { keys: published.map((each) => keys[each]?.jwk) };
      idp.fault = (path) => (path === '/certs' ? { json } : undefined);
    },
    async login(key) {
      const answer = await fetch(`${consul.httpAddress}/v1/acl/login`, {
        method: 'POST',
        body: JSON.stringify({
          AuthMethod: `scopemesh-demo-main-${CLIENT}`,
          BearerToken: await keys[key]?.sign(),
        }),
        signal: AbortSignal.timeout(10_000),
      });
      await answer.text();
      return answer.status;
    },
  };
  return self;
}

describeFaults('The keys of the identity provider', startKeysWorld, [
  {
    name: 'rotate, and tokens of the old and the new key log in',
    begin: async (world) => {
      world.publish(0);
      await until('a login with the old key', async () => (await world.login(0)) === 200);
      // Nobody has the new key yet.
      expect(await world.login(1)).not.toBe(200);
      world.publish(0, 1);
    },
    meanwhile: async ({ login }) => {
      expect(await login(1)).toBe(200);
      expect(await login(0)).toBe(200);
    },
    end: async (world) => {
      world.publish(1);
      expect(await world.login(1)).toBe(200);
      // An unknown key makes Consul read the keys again, and then the old key is gone.
      expect(await world.login(2)).not.toBe(200);
      expect(await world.login(0)).not.toBe(200);
    },
  },
  {
    name: 'are not published for 3 s while they rotate',
    begin: async (world) => {
      world.publish(1);
      await until('a login with the published key', async () => (await world.login(1)) === 200);
      world.idp.fault = (path) => (path === '/certs' ? { status: 503 } : undefined);
      expect(await world.login(2)).not.toBe(200);
    },
    seconds: 3,
    end: async (world) => {
      world.publish(1, 2);
      await until('a login with the new key', async () => (await world.login(2)) === 200);
      expect(await world.login(1)).toBe(200);
    },
  },
]);
