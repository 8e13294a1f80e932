import { afterAll, beforeAll, expect, it } from 'vitest';
import { type AdminApi, createAdminApi } from '../../../src/identity/keycloak/admin-api.js';
import { isStillMember, type Membership } from '../../../src/identity/keycloak/membership.js';
import { Secret } from '../../../src/model/secret.js';
import { noMetrics } from '../../../src/observe.js';
import { FakeKeycloak, json } from './fake-keycloak.js';

let keycloak: FakeKeycloak;
let api: AdminApi;

beforeAll(async () => {
  keycloak = await new FakeKeycloak().start();
  api = createAdminApi({
    provider: 'main',
    issuer: keycloak.issuer,
    clientId: 'scopemesh',
    clientSecret: new Secret('s'),
    clock: { now: () => Date.parse('2026-11-25T00:00:00Z'), sleep: async () => {} },
    metrics: noMetrics,
  });
});
afterAll(async () => {
  await api.close();
  await keycloak.stop();
});

it.each<[string, Membership, string, string]>([
  ['an organization', { organization: 'acme' }, '/members/ann-1/organizations', 'organizations/members'],
  [
    'a role of a client',
    { role: { id: 'r1', client: 'client-7' } },
    '/client-7/composite',
    'users/role-mappings',
  ],
  ['a role of the realm', { role: { id: 'r1' } }, '/realm/composite', 'users/role-mappings'],
  ['a group', { path: '/ops' }, '/ann-1/groups', 'users/groups'],
])(
  'a failed question about %s names neither the person nor the client',
  async (_, membership, path, what) => {
    let status = 403;
    keycloak.fault = ({ pathname }, response) => {
      if (pathname.endsWith('/users/ann-1')) json(response, 200, { id: 'ann-1', enabled: true });
      else if (pathname.endsWith(path)) json(response, status, {});
      else if (pathname.endsWith('/groups')) json(response, 200, []);
      else return false;
      return true;
    };
    const ask = () => isStillMember(api, 'ann-1', membership, AbortSignal.timeout(60_000));
    for (status of [403, 404, 500]) {
      const failure = await ask().then(String, String);
      expect(failure).toContain(`provider main, realm main, ${what}: `);
      expect(failure).not.toMatch(/ann-1|client-7/);
    }
  },
);
