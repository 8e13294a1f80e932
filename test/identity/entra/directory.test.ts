import { describe, expect, it } from 'vitest';
import { SERVICE_PRINCIPAL, toOAuthClient } from '../../../src/identity/entra/principal.js';
import { cpuMsOf } from '../../support/cpu-time.js';
import { applicationOf, principalOf } from '../../support/entra/entra.js';
import { partsOf } from '../../support/entra/parts.js';
import { shape } from '../../support/entra/shapes.js';
import { guidOf } from '../../support/entra/tenant.js';
import { useTenant } from './open-tenant.js';

const signal = new AbortController().signal;
const tenant = useTenant(
  ['orders', ['orders.read', 'orders.write'], ['orders.browse']],
  ['other', ['orders.read'], ['orders.browse']],
);
/** Both ways of reading must agree. */
const client = async (name: string) => {
  const found = await tenant.alone(name);
  expect(found).toEqual(await tenant.amongAll(name));
  return found;
};

describe('the grants of a client', () => {
  it('are its app roles and the scopes with consent for everybody, each with its API', async () => {
    tenant.entra.addClient('web');
    tenant.entra.assignRole('web', 'orders', 'orders.read');
    tenant.entra.consent('web', 'orders', 'openid orders.browse');
    expect((await client('web'))?.grants).toEqual([
      { api: guidOf('orders'), name: 'orders.browse' },
      { api: guidOf('orders'), name: 'orders.read' },
    ]);
  });

  it('do not include the same name at an API that is not configured', async () => {
    tenant.entra.addClient('web');
    tenant.entra.assignRole('web', 'other', 'orders.read');
    tenant.entra.consent('web', 'other', 'orders.browse');
    expect((await client('web'))?.grants).toEqual([]);
  });

  it('do not include the consent of a single person', async () => {
    tenant.entra.addClient('web');
    tenant.entra.consent('web', 'orders', 'orders.browse', 'Principal');
    expect((await client('web'))?.grants).toEqual([]);
  });

  it('do not include a disabled role or scope, or the default access without a role', async () => {
    tenant.entra.addClient('web');
    tenant.entra.assignRole('web', 'orders', 'orders.read');
    tenant.entra.consent('web', 'orders', 'orders.browse');
    const api = tenant.entra.tenant.get('servicePrincipals', principalOf('orders'));
    const disabled = (list: unknown) =>
      Array.isArray(list) ? list.map((each) => ({ ...each, isEnabled: false })) : list;
    tenant.entra.changePrincipal('orders', {
      appRoles: disabled(api?.appRoles),
      oauth2PermissionScopes: disabled(api?.oauth2PermissionScopes),
    });
    tenant.entra.tenant.put('appRoleAssignments', {
      id: 'default',
      appRoleId: '00000000-0000-0000-0000-000000000000',
      principalId: principalOf('web'),
      principalType: 'ServicePrincipal',
      resourceId: principalOf('orders'),
    });
    expect((await tenant.amongAll('web'))?.grants).toEqual([]);
    expect((await tenant.alone('web'))?.grants).toEqual([]);
  });

  it('do not include an assignment whose type is empty', async () => {
    tenant.entra.addClient('web');
    tenant.entra.assignRole('web', 'orders', 'orders.read');
    for (const assignment of tenant.entra.tenant.current.appRoleAssignments.values())
      tenant.entra.tenant.put('appRoleAssignments', { ...assignment, principalType: '' });
    expect((await tenant.amongAll('web'))?.grants).toEqual([]);
  });

  it('are empty at a disabled API until it is enabled again', async () => {
    tenant.entra.addClient('web');
    tenant.entra.assignRole('web', 'orders', 'orders.read');
    tenant.entra.consent('web', 'orders', 'orders.browse');
    for (const disabled of [
      { accountEnabled: false },
      { accountEnabled: null },
      { disabledByMicrosoftStatus: 'DisabledDueToViolationOfServicesAgreement' },
    ]) {
      tenant.entra.changePrincipal('orders', disabled);
      expect((await tenant.amongAll('web'))?.grants).toEqual([]);
      expect(await tenant.alone('web')).toMatchObject({ enabled: true, grants: [] });
      tenant.entra.changePrincipal('orders', { accountEnabled: true, disabledByMicrosoftStatus: null });
      expect((await tenant.amongAll('web'))?.grants).toHaveLength(2);
    }
  });

  it('include a role that its API got just now', async () => {
    tenant.entra.addClient('web');
    expect((await tenant.alone('web'))?.grants).toEqual([]);
    tenant.entra.addApi('orders', ['orders.read', 'orders.write', 'orders.cancel'], ['orders.browse']);
    tenant.entra.assignRole('web', 'orders', 'orders.cancel');
    expect((await tenant.alone('web'))?.grants).toEqual([{ api: guidOf('orders'), name: 'orders.cancel' }]);
  });

  it('have the API by its identifier URI if that is configured', async () => {
    const parts = partsOf(tenant.entra, [], { apis: ['api://orders'] });
    tenant.entra.addClient('web');
    tenant.entra.assignRole('web', 'orders', 'orders.read');
    const found = await parts.directory.read('clientId', guidOf('web'), signal);
    expect(found?.grants).toEqual([{ api: 'api://orders', name: 'orders.read' }]);
    await parts.directory.close();
  });

  it('are empty, without an error, for an API that does not exist, and quotes in its URI find no other', async () => {
    const parts = partsOf(tenant.entra, [], { apis: ["x' or n ne '", guidOf('nobody')] });
    const { clients } = await parts.directory.readAll(signal);
    expect(clients.flatMap(({ grants }) => grants)).toEqual([]);
    await parts.directory.close();
  });
});

describe('a client', () => {
  it('names its services in the notes of its service principal, or in tags', async () => {
    tenant.entra.addClient('web', { principal: { notes: 'Team: shop\r\nconsul-services: web, shop' } });
    tenant.entra.addClient('worker', { principal: { tags: ['consul-services:worker', 'plain'] } });
    expect((await client('web'))?.attributes).toEqual({ Team: 'shop', 'consul-services': 'web, shop' });
    expect((await client('worker'))?.attributes).toEqual({ 'consul-services': 'worker' });
  });

  it('with notes of any form takes time in proportion to their length', () => {
    const spaces = ' '.repeat(16_000);
    const read = (notes: string) => {
      const principal = SERVICE_PRINCIPAL.parse(shape('service-principal', { notes }));
      const around = { application: undefined, grants: [], lifetimeSeconds: 3600, nowMs: 0 };
      return toOAuthClient(principal, { provider: 'main', tenantId: guidOf('tenant'), ...around }).attributes;
    };
    const ms = cpuMsOf(() => {
      for (let count = 0; count < 100; count++) {
        expect(read(`a: x${spaces}y`)).toEqual({ a: `x${spaces}y` });
        for (const notes of [`${spaces}b`, `${'c'.repeat(16_000)}: x`, ':'.repeat(16_000)])
          expect(read(notes)).toEqual({});
      }
    });
    expect(ms).toBeLessThan(2_000);
  });

  it('does not name its services by tags of a registration in another tenant', async () => {
    tenant.entra.addClient('web', {
      principal: { tags: ['consul-services:vault'], appOwnerOrganizationId: guidOf('elsewhere') },
    });
    tenant.entra.tenant.remove('applications', applicationOf('web'));
    const web = await client('web');
    expect(web?.enabled).toBe(true);
    expect(web?.attributes).toEqual({});
  });

  it('is an agent or a workload if Entra says so', async () => {
    tenant.entra.addClient('agent', {
      principal: { appId: null, servicePrincipalType: 'ServiceIdentity', tags: ['consul-services:vault'] },
    });
    tenant.entra.addClient('managed', {
      principal: { servicePrincipalType: 'ManagedIdentity', tags: ['consul-services:job'] },
    });
    tenant.entra.tenant.remove('applications', applicationOf('agent'));
    tenant.entra.tenant.remove('applications', applicationOf('managed'));
    const agent = await tenant.directory.read('clientId', principalOf('agent'), signal);
    expect(agent).toMatchObject({ clientId: principalOf('agent'), actorKind: 'agent' });
    expect(agent?.attributes).toEqual({});
    expect(await client('managed')).toMatchObject({
      actorKind: 'workload',
      attributes: { 'consul-services': 'job' },
    });
    expect((await client('scopemesh'))?.actorKind).toBeUndefined();
  });

  it('may be an agent identity with only the fields that Graph documents for one', async () => {
    const id = guidOf('agent');
    tenant.entra.tenant.put('servicePrincipals', shape('agent-identity', { id }));
    const agent = await tenant.directory.read('clientId', id, signal);
    expect(agent).toMatchObject({
      clientId: id,
      actorKind: 'agent',
      enabled: true,
      grantTypes: ['client_credentials'],
    });
    const { clients } = await tenant.directory.readAll(signal);
    expect(clients).toContainEqual(agent);
  });

  it('signs people in if it has redirect URIs', async () => {
    tenant.entra.addClient('site', { principal: { replyUrls: ['https://site.example.com/callback'] } });
    tenant.entra.addClient('spa', {
      principal: { replyUrls: ['https://spa.example.com'] },
      application: { passwordCredentials: [], isFallbackPublicClient: true },
    });
    expect((await client('site'))?.grantTypes).toEqual(['authorization_code', 'client_credentials']);
    expect((await client('spa'))?.grantTypes).toEqual([
      'authorization_code',
      'urn:ietf:params:oauth:grant-type:device_code',
    ]);
  });

  it('has the age of its oldest valid credential', async () => {
    const from = (startDateTime: string, endDateTime: string) => ({ startDateTime, endDateTime });
    tenant.entra.addClient('web', {
      principal: { keyCredentials: [from('2026-03-01T00:00:00Z', '2099-01-01T00:00:00Z')] },
      application: {
        passwordCredentials: [
          from('2020-01-01T00:00:00Z', '2021-01-01T00:00:00Z'),
          from('2026-02-01T00:00:00Z', '2099-01-01T00:00:00Z'),
        ],
      },
    });
    expect((await client('web'))?.secretCreatedAt).toBe('2026-02-01T00:00:00.000Z');
  });

  it('does not exist for a type without tokens, or for an ID in capitals', async () => {
    tenant.entra.addClient('old', { principal: { servicePrincipalType: 'Legacy' } });
    expect(await client('old')).toBeUndefined();
    expect(
      await tenant.directory.read('clientId', guidOf('scopemesh').toUpperCase(), signal),
    ).toBeUndefined();
  });
});

describe('the lifetime of access tokens', () => {
  it('is an hour, the lower end of the default range', async () => {
    expect((await client('scopemesh'))?.accessTokenLifetimeSeconds).toBe(3600);
  });

  it('is the shortest in the policies of the client, its APIs and the organisation', async () => {
    tenant.entra.addClient('web');
    tenant.entra.assignRole('web', 'orders', 'orders.read');
    tenant.entra.setLifetime('everywhere', '8:00:00', []);
    tenant.entra.setLifetime('api', '00:20:00', [principalOf('orders')]);
    tenant.entra.setLifetime('client', '1.00:00:00', [applicationOf('web')]);
    expect((await tenant.amongAll('web'))?.accessTokenLifetimeSeconds).toBe(1200);
    expect((await tenant.amongAll('scopemesh'))?.accessTokenLifetimeSeconds).toBe(28_800);
  });

  it.each<[string, object, readonly string[]]>([
    [
      'of one client',
      { id: guidOf('p'), definition: 7, isOrganizationDefault: false, appliesTo: ['web'] },
      ['web'],
    ],
    [
      'of unknown scope',
      { id: guidOf('p'), definition: 7, isOrganizationDefault: 'x' },
      ['web', 'scopemesh', 'orders', 'other'],
    ],
    ['without an id', { id: 'x', definition: [] }, ['web', 'scopemesh', 'orders', 'other']],
    [
      'with an unknown holder',
      {
        id: guidOf('p'),
        definition: ['"AccessTokenLifetime":"1:0:0"'],
        isOrganizationDefault: false,
        appliesTo: ['?'],
      },
      ['web', 'scopemesh', 'orders', 'other'],
    ],
  ])('is unknown where a policy %s that cannot be parsed may apply', async (_, policy, unknown) => {
    tenant.entra.addClient('web');
    const { appliesTo = [], ...shown }: { readonly appliesTo?: readonly string[] } = policy;
    tenant.entra.fault = ({ pathname }) => {
      if (pathname.endsWith('/tokenLifetimePolicies')) return { status: 200, json: { value: [shown] } };
      if (!pathname.endsWith('/appliesTo')) return undefined;
      const value = appliesTo.map((name) => ({ id: name === 'web' ? applicationOf('web') : name }));
      return { status: 200, json: { value } };
    };
    const { clients } = await tenant.directory.readAll(signal);
    const unread = clients.filter(({ isLifetimeUnread }) => isLifetimeUnread === true);
    expect(unread.map(({ clientId }) => clientId).toSorted()).toEqual(unknown.map(guidOf).toSorted());
    expect(unread.every(({ accessTokenLifetimeSeconds }) => accessTokenLifetimeSeconds === undefined)).toBe(
      true,
    );
  });

  it('is ten minutes if policies may not be read', async () => {
    tenant.entra.permissions.delete('Policy.Read.All');
    expect((await client('scopemesh'))?.accessTokenLifetimeSeconds).toBe(600);
  });
});

describe('members', () => {
  it('include nested groups, once each, and only people', async () => {
    const person = (name: string, accountEnabled: boolean) =>
      tenant.entra.tenant.put('users', { id: guidOf(name), displayName: name, accountEnabled });
    person('ann', true);
    person('ben', false);
    tenant.entra.tenant.put('groups', { id: guidOf('inner'), members: [guidOf('ann'), guidOf('ben')] });
    tenant.entra.tenant.put('groups', { id: guidOf('outer'), members: [guidOf('inner'), guidOf('ann')] });
    const members = await tenant.directory.readMembers?.([guidOf('outer'), 'outer'], signal);
    expect(members?.get(guidOf('outer'))).toEqual([guidOf('ann')]);
    expect(members?.get('outer')).toEqual([]);
  });

  it('are refused if it is not visible whether they are enabled', async () => {
    tenant.entra.tenant.put('users', { id: guidOf('ann'), accountEnabled: true });
    tenant.entra.tenant.put('groups', { id: guidOf('team'), members: [guidOf('ann')] });
    for (const permission of ['User.Read.All', 'Directory.Read.All'])
      tenant.entra.permissions.delete(permission);
    await expect(tenant.directory.readMembers?.([guidOf('team')], signal)).rejects.toThrow(/User\.Read\.All/);
  });

  it('are refused if a group with hidden members shows none', async () => {
    tenant.entra.tenant.put('groups', { id: guidOf('team'), visibility: 'HiddenMembership', members: [] });
    await expect(tenant.directory.readMembers?.([guidOf('team')], signal)).rejects.toThrow(
      /Member\.Read\.Hidden/,
    );
  });
});
