import { exportJWK, generateKeyPair } from 'jose';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeKeycloak } from '../../identity/keycloak/fake-keycloak.js';
import { type AclRig, createAclRig } from '../../support/acl-rig.js';
import type { Daemon } from '../../support/daemon.js';
import { until } from '../../support/until.js';

/** What Keycloak answers about a realm to whom lacks view-realm. */
const UNSEEN = { realm: 'main' };

let keycloak: FakeKeycloak;
let rig: AclRig;
let daemon: Daemon;
beforeEach(async () => {
  keycloak = await new FakeKeycloak().start();
  const { publicKey } = await generateKeyPair('RS256');
  keycloak.keys = [{ ...(await exportJWK(publicKey)), kid: 'key-1', alg: 'RS256', use: 'sig' }];
});
afterEach(async () => {
  await rig.close();
  await keycloak.stop();
});

const add = (clientId: string, attributes: Record<string, string> = {}) =>
  keycloak.add(clientId, { defaultClientScopes: ['config:read'], attributes });

async function start(more: Readonly<Record<string, unknown>> = {}): Promise<void> {
  rig = await createAclRig({
    provider: {
      kind: 'keycloak',
      issuer: keycloak.issuer,
      clientId: 'scopemesh',
      clientSecret: 'secret',
      audience: 'consul',
      directory: undefined,
      directoryToken: undefined,
      webhook: undefined,
      ...more,
    },
  });
  daemon = await rig.start();
}

const lifetimes = async () =>
  Object.fromEntries(
    (await rig.objects('auth-methods')).map(({ Name, MaxTokenTTL }) => [
      Name?.replace('scopemesh-payments-main-', ''),
      MaxTokenTTL,
    ]),
  );
/** Time goes on until the auth methods are these, so that the directory is read again and again. */
const live = async (expected: Readonly<Record<string, string>>) => {
  await expect
    .poll(
      () => {
        rig.clock.advance(60_000);
        return lifetimes();
      },
      { interval: 5 },
    )
    .toEqual(expected);
  await daemon.idle();
};
const changed = async () =>
  (await rig.decisions()).filter(({ reason }) => reason === 'LifetimeChanged').map(({ action }) => action);

describe('Consul tokens of a realm whose lifespan cannot be read any more', () => {
  it('keep their lifetime, also over a restart, and those of a new client live for a minute', async () => {
    add('web');
    add('own', { 'access.token.lifespan': '120' });
    await start();
    await live({ web: '5m0s', own: '2m0s' });
    keycloak.realmFields = UNSEEN;
    add('same-process');
    await live({ web: '5m0s', own: '2m0s', 'same-process': '5m0s' });
    await daemon.stop();
    daemon = await rig.start();
    add('new');
    await live({ web: '5m0s', own: '2m0s', 'same-process': '5m0s', new: '1m0s' });
    expect(await changed()).toEqual([]);
    expect((await rig.decisions()).filter(({ outcome }) => outcome === 'held')).toEqual([]);

    keycloak.realmFields = { realm: 'main', accessTokenLifespan: 600 };
    await live({ web: '10m0s', own: '2m0s', 'same-process': '10m0s', new: '10m0s' });
    expect(new Set(await changed())).toEqual(new Set(['grant']));
  });

  it('keep their lifetime while the realm does not answer', async () => {
    add('web');
    await start();
    await live({ web: '5m0s' });
    keycloak.fault = (url, response) => {
      if (url.pathname !== '/admin/realms/main') return false;
      response.writeHead(503).end();
      return true;
    };
    add('new');
    await daemon.stop();
    daemon = await rig.start();
    const failures = 'scopemesh_directory_failures_total{provider="main",code="ERR_DIRECTORY_UNREACHABLE"}';
    await until('a read that failed', async () => ((await daemon.metric(failures)) ?? 0) > 0);
    expect(await lifetimes()).toEqual({ web: '5m0s' });
    keycloak.fault = () => false;
    await live({ web: '5m0s', new: '5m0s' });
    expect(await changed()).toEqual([]);
  });
});

it('A Keycloak that saves no admin events is read completely at each poll', async () => {
  keycloak.eventConfig = {};
  add('web');
  await start({ poll: '30s' });
  await live({ web: '5m0s' });
  await daemon.idle();
  const readAt = async () => (await daemon.status()).directories[0]?.ageSeconds ?? 0;
  rig.clock.advance(31_000);
  rig.clock.advance(31_000);
  await until('a new complete read', async () => (await readAt()) < 30);
});
