import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { connectKeycloak, type KeycloakOfRun } from '../../stack/connect-keycloak.js';

const REALM = 'tokens';
let server: KeycloakOfRun;

beforeAll(async () => {
  server = await connectKeycloak();
});

/** The bodies that the manual gives to kcadm.sh. */
async function bodiesIn(page: string): Promise<readonly unknown[]> {
  const text = await readFile(new URL(`../../../docs/${page}`, import.meta.url), 'utf8');
  return [...text.matchAll(/<<'JSON'\n(.*?)\nJSON\n/gs)].map(([, body = '']) => JSON.parse(body));
}

const idOf = (value: unknown): string => String(Reflect.get(Object(value), 'id'));

describe('the mappers of the manual, in a real Keycloak', () => {
  it('put the audience into a token, and each group under the name of the mapping', async () => {
    const { admin } = server;
    const get = (path: string) => admin.request('GET', `/${REALM}/${path}`);
    const post = (path: string, body: unknown) => admin.request('POST', `/${REALM}/${path}`, body);
    await admin.createRealm(REALM, { organizationsEnabled: true });
    const api = await admin.createClient(REALM, 'orders-api');
    await post(`clients/${api}/roles`, { name: 'reader' });
    await post('roles', { name: 'auditor' });
    await post('groups', { name: 'ops' });
    await post(`groups/${idOf(await get('group-by-path/ops'))}/children`, { name: 'oncall' });
    await post('organizations', { name: 'Acme', alias: 'acme', domains: [{ name: 'acme.example' }] });

    const [scope, ...mappers] = await bodiesIn('providers/keycloak/log-in.md');
    await post('client-scopes', scope);
    const scopes = await get('client-scopes');
    const consul = Array.isArray(scopes) ? scopes.find((each) => Object(each).name === 'consul') : undefined;
    expect(mappers).toHaveLength(3);
    for (const mapper of mappers) await post(`client-scopes/${idOf(consul)}/protocol-mappers/models`, mapper);
    await admin.createClient(REALM, 'console', { publicClient: true, directAccessGrantsEnabled: true });
    await admin.addScope(REALM, 'console', 'consul', 'optional');

    await post('users', {
      username: 'ann',
      enabled: true,
      email: 'ann@acme.example',
      firstName: 'Ann',
      lastName: 'Example',
      groups: ['/ops/oncall'],
      credentials: [{ type: 'password', value: 'secret', temporary: false }],
    });
    const found = await get('users?exact=true&username=ann');
    const ann = idOf(Array.isArray(found) ? found[0] : undefined);
    await post(`users/${ann}/role-mappings/realm`, [await get('roles/auditor')]);
    await post(`users/${ann}/role-mappings/clients/${api}`, [await get(`clients/${api}/roles/reader`)]);
    await post('organizations', { name: 'Zenith', alias: 'zenith', domains: [{ name: 'zenith.example' }] });
    const organizations = await get('organizations');
    const [acme, zenith] = Array.isArray(organizations) ? organizations.map(idOf) : [];
    for (const each of [acme, zenith]) await post(`organizations/${each}/members`, ann);

    const tokenFor = async (wanted: string) => {
      const form = { grant_type: 'password', client_id: 'console', username: 'ann', password: 'secret' };
      const answer = await fetch(`${server.address}/realms/${REALM}/protocol/openid-connect/token`, {
        method: 'POST',
        body: new URLSearchParams({ ...form, scope: wanted }),
      });
      const token = String(Object(await answer.json()).access_token);
      return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    };
    const token = await tokenFor('openid consul organization:*');
    expect(token.aud).toContain('consul');
    expect(token.groups).toEqual(
      expect.arrayContaining(['/ops/oncall', 'auditor', 'client/orders-api/reader']),
    );
    expect(token.organization?.toSorted()).toEqual(['acme', 'zenith']);
    expect((await tokenFor('openid organization:acme')).organization).toEqual(['acme']);
    expect(await tokenFor('openid')).not.toHaveProperty('organization');
    await admin.request('PUT', `/${REALM}/organizations/${acme}`, {
      name: 'Acme',
      alias: 'acme',
      domains: [{ name: 'acme.example' }],
      enabled: false,
    });
    expect((await tokenFor('openid consul organization:*')).organization).toEqual(['zenith']);
  });
});
