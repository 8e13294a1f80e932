import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Answer, graphError } from './answers.js';
import { createLogin, type Login } from './login.js';
import { answerGet, checkMemberGroups, permissionsFor, type Shape } from './routes.js';
import { shape } from './shapes.js';
import { createSubscriptions, type Subscriptions } from './subscriptions.js';
import { createTenant, guidOf, opaqueId, type Tenant } from './tenant.js';

export const TENANT_ID = guidOf('tenant');
export const READER = { clientId: guidOf('scopemesh'), clientSecret: 'reader-secret-0123456789' };
const ALL_PERMISSIONS = [
  'Application.Read.All',
  'Directory.Read.All',
  'Policy.Read.All',
  'GroupMember.Read.All',
  'Group.Read.All',
  'User.Read.All',
] as const;

/**
 * Microsoft Entra ID and Microsoft Graph, as their documentation describes them, on one address. The objects have the
 * ids of `guidOf(name)`; a client's client id is `guidOf(name)`, its service principal `guidOf(name + '/principal')`.
 */
export interface Entra {
  readonly origin: string;
  readonly issuer: string;
  readonly tenant: Tenant;
  readonly login: Login;
  readonly subscriptions: Subscriptions;
  readonly shape: Shape;
  readonly permissions: Set<string>;
  /** Method and path of every request to Graph. */
  readonly requests: string[];
  /** What is answered instead, undefined: the truth. */
  fault: ((url: URL, method: string) => Answer | undefined) | undefined;
  addApi(name: string, roles: readonly string[], scopes?: readonly string[]): void;
  addClient(name: string, more?: { principal?: object; application?: object }): void;
  /** The blueprint of agent identities, with its registration. */
  addBlueprint(name: string): void;
  /** An agent identity made from a blueprint, which is a client too. */
  addAgent(name: string, blueprint: string): void;
  changePrincipal(name: string, change: object): void;
  /** Deactivates its registration, or activates it again; its service principal reflects that. */
  deactivate(name: string, change?: object): void;
  deleteClient(name: string): void;
  assignRole(client: string, api: string, role: string): void;
  unassignRole(client: string, api: string, role: string): void;
  consent(client: string, api: string, scopes: string, consentType?: 'AllPrincipals' | 'Principal'): void;
  setLifetime(name: string, accessTokenLifetime: string, appliesTo: readonly string[]): void;
  close(): Promise<void>;
}

export const principalOf = (name: string) => guidOf(`${name}/principal`);
export const applicationOf = (name: string) => guidOf(`${name}/application`);
const roleOf = (api: string, role: string) => guidOf(`${api}/role/${role}`);
const grantOf = (client: string, api: string, type: string) =>
  Buffer.from(`${client}/${api}/${type}`).toString('base64url');

export async function startEntra(options: { readonly now?: () => number } = {}): Promise<Entra> {
  const now = options.now ?? Date.now;
  const server = createServer((request, response) => {
    void serve(request)
      .catch((error: unknown): Answer => graphError(500, 'UnknownError', String(error)))
      .then((answer) => {
        response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers });
        response.end(answer.json === undefined ? '' : JSON.stringify(answer.json));
      });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const tenant = createTenant(TENANT_ID);
  const behaviour: Shape = { origin, maxPage: 999, forgottenBefore: 0, unknownProperties: new Set() };

  const serve = async (request: IncomingMessage): Promise<Answer> => {
    const url = new URL(request.url ?? '/', origin);
    const body = await bodyOf(request);
    const method = request.method ?? 'GET';
    if (!url.pathname.startsWith('/v1.0/'))
      return (await self.login.answer(url.pathname, body)) ?? { status: 404 };
    self.requests.push(`${method} ${url.pathname}`);
    const fault = self.fault?.(url, method);
    if (fault !== undefined) return fault;
    if (!self.login.isValid(request.headers.authorization))
      return graphError(401, 'InvalidAuthenticationToken', 'Access token validation failure.');
    const path = url.pathname.slice('/v1.0'.length);
    const needed = path.startsWith('/subscriptions') ? permissionsOfSubscription(body) : permissionsFor(path);
    if (!needed.some((permission) => self.permissions.has(permission)))
      return graphError(
        403,
        'Authorization_RequestDenied',
        'Insufficient privileges to complete the operation.',
      );
    if (method === 'GET' && path === '/subscriptions') return self.subscriptions.list();
    if (method === 'GET') {
      const mayReadUsers = ['User.Read.All', 'Directory.Read.All'].some((each) => self.permissions.has(each));
      return answerGet(url, tenant, behaviour, mayReadUsers);
    }
    const [, id = ''] = /^\/subscriptions\/([^/]+)$/.exec(path) ?? [];
    const checked = method === 'POST' ? checkMemberGroups(path, body, tenant) : undefined;
    if (checked !== undefined) return checked;
    if (method === 'POST' && path === '/subscriptions') return self.subscriptions.create(body);
    if (method === 'PATCH' && id !== '') return self.subscriptions.renew(id, body);
    if (method === 'DELETE' && id !== '') return self.subscriptions.remove(id);
    return graphError(405, 'Request_BadRequest', 'Specified HTTP method is not allowed.');
  };

  const self: Entra = {
    origin,
    issuer: `${origin}/${TENANT_ID}/v2.0`,
    tenant,
    login: createLogin(origin, TENANT_ID, { ...READER }),
    subscriptions: createSubscriptions({ tenantId: TENANT_ID, now }),
    shape: behaviour,
    permissions: new Set(ALL_PERMISSIONS),
    requests: [],
    fault: undefined,
    addApi(name, roles, scopes = []) {
      self.addClient(name, {
        principal: {
          servicePrincipalNames: [guidOf(name), `api://${name}`],
          appRoles: roles.map((value) => shape('app-role', { id: roleOf(name, value), value })),
          oauth2PermissionScopes: scopes.map((value) =>
            shape('permission-scope', { id: guidOf(`${name}/scope/${value}`), value }),
          ),
        },
      });
    },
    addClient(name, more = {}) {
      const registration = { id: applicationOf(name), appId: guidOf(name), displayName: name };
      const passwordCredentials = [shape('password-credential', { keyId: guidOf(`${name}/key`) })];
      tenant.put(
        'applications',
        shape('application', { ...registration, passwordCredentials, ...more.application }),
      );
      const instance = {
        id: principalOf(name),
        appId: guidOf(name),
        displayName: name,
        appOwnerOrganizationId: TENANT_ID,
        servicePrincipalNames: [guidOf(name)],
      };
      tenant.put('servicePrincipals', shape('service-principal', { ...instance, ...more.principal }));
    },
    addBlueprint(name) {
      const ids = { id: principalOf(name), appId: guidOf(name), appOwnerOrganizationId: TENANT_ID };
      const application = { '@odata.type': '#microsoft.graph.agentIdentityBlueprint' };
      self.addClient(name, { principal: shape('blueprint-principal', ids), application });
    },
    addAgent(name, blueprint) {
      const agentIdentityBlueprintId = guidOf(blueprint);
      tenant.put(
        'servicePrincipals',
        shape('agent-identity', { id: principalOf(name), agentIdentityBlueprintId }),
      );
    },
    changePrincipal(name, change) {
      const known = tenant.get('servicePrincipals', principalOf(name));
      if (known === undefined) throw new Error(`no client ${name}`);
      tenant.put('servicePrincipals', { ...known, ...change, id: known.id });
    },
    deactivate(name, change = shape('deactivated', {})) {
      for (const [collection, id] of [
        ['applications', applicationOf(name)],
        ['servicePrincipals', principalOf(name)],
      ] as const) {
        const known = tenant.get(collection, id);
        if (known !== undefined) tenant.put(collection, { ...known, ...change });
      }
    },
    deleteClient(name) {
      for (const { id, principalId } of [...tenant.current.appRoleAssignments.values()])
        if (principalId === principalOf(name)) tenant.remove('appRoleAssignments', id);
      for (const { id, clientId } of [...tenant.current.oauth2PermissionGrants.values()])
        if (clientId === principalOf(name)) tenant.remove('oauth2PermissionGrants', id);
      tenant.remove('applications', applicationOf(name));
      tenant.remove('servicePrincipals', principalOf(name));
    },
    assignRole(client, api, role) {
      const assignment = {
        id: opaqueId(),
        appRoleId: roleOf(api, role),
        principalId: principalOf(client),
        resourceId: principalOf(api),
      };
      tenant.put('appRoleAssignments', shape('app-role-assignment', assignment));
    },
    unassignRole(client, api, role) {
      for (const { id, principalId, appRoleId } of [...tenant.current.appRoleAssignments.values()])
        if (principalId === principalOf(client) && appRoleId === roleOf(api, role))
          tenant.remove('appRoleAssignments', id);
    },
    consent(client, api, scope, consentType = 'AllPrincipals') {
      const id = grantOf(client, api, consentType);
      if (scope === '') tenant.remove('oauth2PermissionGrants', id);
      else
        tenant.put(
          'oauth2PermissionGrants',
          shape('permission-grant', {
            id,
            clientId: principalOf(client),
            consentType,
            principalId: consentType === 'Principal' ? guidOf('somebody') : null,
            resourceId: principalOf(api),
            scope,
          }),
        );
    },
    setLifetime(name, accessTokenLifetime, appliesTo) {
      const policy = { TokenLifetimePolicy: { Version: 1, AccessTokenLifetime: accessTokenLifetime } };
      const written = {
        id: guidOf(`policy/${name}`),
        displayName: name,
        definition: [JSON.stringify(policy)],
        isOrganizationDefault: appliesTo.length === 0,
        appliesTo,
      };
      tenant.put('tokenLifetimePolicies', shape('token-lifetime-policy', written));
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  self.addClient('scopemesh');
  return self;
}

function permissionsOfSubscription(body: string): readonly string[] {
  return body.includes('"groups"') ? ['Group.Read.All', 'Directory.Read.All'] : ['User.Read.All'];
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
