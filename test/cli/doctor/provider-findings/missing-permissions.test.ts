import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeKeycloak } from '../../../identity/keycloak/fake-keycloak.js';
import { startAuth0World } from '../../../support/auth0/world.js';
import { type CommandLine, createCommandLine } from '../../../support/command-line.js';
import { startEntraWorld } from '../../../support/entra/world.js';
import { type Mesh, startMesh } from '../../../support/mesh.js';
import { startOidcWorld } from '../../../support/oidc-world.js';
import { ALL_SCOPES } from '../../../support/okta/server.js';
import { settingsOf, startOktaWorld } from '../../../support/okta/world.js';
import { startTransmitter } from '../../../support/ssf/transmitter.js';

interface Scene {
  readonly settings: Readonly<Record<string, unknown>>;
  /** An administrator takes these permissions from the application that reads. */
  take(...permissions: readonly string[]): void;
  stop(): Promise<void>;
}

const SCENES: Readonly<Record<string, () => Promise<Scene>>> = {
  async auth0() {
    const { settings, tenant, stop } = await startAuth0World();
    return {
      settings,
      take(...permissions) {
        tenant.permissions = new Set([...tenant.permissions].filter((each) => !permissions.includes(each)));
      },
      stop,
    };
  },
  async entra() {
    const { settings, entra, stop } = await startEntraWorld();
    return {
      settings,
      take: (...permissions) => permissions.forEach((each) => void entra.permissions.delete(each)),
      stop,
    };
  },
  async okta() {
    const world = await startOktaWorld();
    const { org, reader } = world.server;
    return {
      settings: settingsOf(world),
      take(...permissions) {
        org.changeApp(reader.id, { orgScopes: ALL_SCOPES.filter((scope) => !permissions.includes(scope)) });
      },
      stop: () => world.server.stop(),
    };
  },
  async 'shared signals'() {
    const transmitter = await startTransmitter({ now: Date.now });
    const directory = await startOidcWorld();
    await directory.addClient('web-app', 'web', []);
    return {
      settings: {
        ...directory.settings,
        ssf: {
          ...{ transmitter: transmitter.issuer, audience: transmitter.aud, delivery: 'poll' },
          ...{ clientId: 'scopemesh', clientSecret: 'client-secret-0123456789' },
        },
      },
      take() {
        transmitter.fault = ({ path }) => (path === '/ssf/streams' ? { status: 403 } : undefined);
      },
      async stop() {
        await Promise.all([directory.stop(), transmitter.close()]);
      },
    };
  },
  async keycloak() {
    const keycloak = await new FakeKeycloak().start();
    const { issuer } = keycloak;
    return {
      settings: { kind: 'keycloak', issuer, clientId: 'scopemesh', clientSecret: 'secret' },
      take() {
        keycloak.fault = ({ pathname }, response) => {
          const isRefused = pathname.endsWith('/admin-events') || pathname.includes('/users');
          if (isRefused) response.writeHead(403, { 'content-type': 'application/json' }).end('{}');
          return isRefused;
        };
      },
      stop: () => keycloak.stop(),
    };
  },
};

let mesh: Mesh;
let cli: CommandLine;
let scene: Scene;
beforeEach(async () => {
  mesh = await startMesh();
  cli = createCommandLine(mesh);
});
afterEach(async () => {
  cli.close();
  await scene.stop();
  await mesh.consul.close();
});

const findings = async (): Promise<readonly { id: string; message: string; remedy: string }[]> => {
  const { findings: all } = (await cli.run(['doctor', '--json'])).json() as {
    findings: { id: string; severity: string; message: string; remedy: string }[];
  };
  return all.filter(({ id, severity }) => id === 'provider.main.access' && severity === 'warning');
};
const configure = (more: object = {}) =>
  cli.configure({ providers: [{ name: 'main', audience: 'consul', ...scene.settings }], ...more });

describe('doctor and providers name a missing permission as the identity provider does', () => {
  it.each<[string, string, string]>([
    ['auth0', 'read:logs', 'read:roles'],
    ['entra', 'Policy.Read.All', ''],
    ['okta', 'okta.logs.read', 'okta.groups.read'],
    ['keycloak', 'realm-management/view-events', 'realm-management/view-users'],
    ['shared signals', 'ssf.read ssf.manage', ''],
  ])('%s: %s, and the permission for groups only if groups are mapped', async (kind, always, forGroups) => {
    scene = (await SCENES[kind]?.()) as Scene;
    const groups = forGroups === '' ? [] : [forGroups];
    configure();
    expect(await findings()).toEqual([]);
    scene.take(always, ...groups);
    configure();
    const found = await findings();
    expect(found.map(({ message }) => message)).toEqual([expect.stringContaining(`not grant ${always}:`)]);
    expect(found[0]?.remedy).toContain(`grant ${always} to`);
    if (kind === 'keycloak') {
      const { out } = await cli.run(['doctor']);
      expect(out).toMatch(/^notice .* not grant realm-management\/view-users: .*service account/m);
    }
    const providers = await cli.run(['providers']);
    expect(providers.status).toBe(1);
    expect(providers.out).toMatch(new RegExp(`^ {2}missing {6}${always}: `, 'm'));
    configure({ groups: { oncall: { acl: 'service_prefix "" { policy = "read" }' } } });
    expect((await findings()).map(({ remedy }) => /^grant (.+) to the client/.exec(remedy)?.[1])).toEqual([
      always,
      ...groups,
    ]);
  });
});

it('A Keycloak that saves no admin events, its default, is an error with the lines that switch them on', async () => {
  const keycloak = await new FakeKeycloak().start();
  const { issuer } = keycloak;
  const settings = { kind: 'keycloak', issuer, clientId: 'scopemesh', clientSecret: 'secret' };
  scene = { settings, take: () => {}, stop: () => keycloak.stop() };
  keycloak.eventConfig = {};
  configure();
  const lines =
    'kcadm.sh update events/config -r main -s adminEventsEnabled=true -s adminEventsDetailsEnabled=true';
  const doctor = await cli.run(['doctor']);
  expect(doctor.status).toBe(1);
  expect(doctor.out).toMatch(/^error .*provider main has switched admin events off/m);
  expect(doctor.out.replaceAll(/\s+/g, ' ')).toContain(lines);
  const providers = await cli.run(['providers']);
  expect(providers.status).toBe(1);
  expect(providers.out).toMatch(/^ {2}missing {6}admin events: changes between two complete reads; /m);
  expect(providers.out).toContain(lines);
  keycloak.eventConfig = { adminEventsEnabled: true };
  expect((await cli.run(['providers'])).status).toBe(0);
});
