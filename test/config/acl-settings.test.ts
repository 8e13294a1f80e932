import { describe, expect, it } from 'vitest';
import { toAclSettings } from '../../config/acl-settings.js';
import { userRequirement } from '../../src/plan/jwt-requirement.js';
import { client, desire } from '../acl/plan/acl-scene.js';
import { admits } from '../acl/plan/selector-model.js';
import { fileWith, loadText } from './load-text.js';

type Token = Readonly<Record<string, unknown>>;

/** What tokens of a kind look like, as its own documentation has them. */
interface Shape {
  readonly kind: string;
  readonly file: string;
  readonly clientId: string;
  /** By the client credentials grant. */
  readonly own: Token;
  /** By a person who signed in at the same client, with the scope orders:read. */
  readonly persons: Token;
  /** Whether a proxy can find a person in a token. */
  readonly tellsPerson: boolean;
}

const GUID = '7c9e6679-7425-40de-944b-e07fc1f90ae7';
const SHAPES: readonly Shape[] = [
  {
    kind: 'keycloak',
    file: 'issuer: "https://sso.example.com/realms/main", clientId: x, clientSecret: y',
    clientId: 'web',
    own: { azp: 'web', client_id: 'web', sub: GUID, scope: 'orders:read' },
    persons: { azp: 'web', sub: 'f2b0a3b4-0000-4000-8000-000000000001', scope: 'openid orders:read' },
    tellsPerson: false,
  },
  {
    kind: 'okta',
    file: 'issuer: "https://x.okta.com/oauth2/default", apiToken: z, apis: ["api://orders"]',
    clientId: '0oa1f',
    own: { cid: '0oa1f', sub: '0oa1f', scp: ['orders:read'] },
    persons: { cid: '0oa1f', uid: '00u1', sub: 'ann@example.com', scp: ['openid', 'orders:read'] },
    tellsPerson: false,
  },
  {
    kind: 'auth0',
    file: 'issuer: "https://x.eu.auth0.com/", clientId: x, clientSecret: y, apis: [z]',
    clientId: 'AbC1',
    own: { azp: 'AbC1', sub: 'AbC1@clients', gty: 'client-credentials', scope: 'orders:read' },
    persons: { azp: 'AbC1', sub: 'auth0|1', scope: 'openid orders:read', permissions: ['orders:read'] },
    tellsPerson: false,
  },
  {
    kind: 'entra',
    file: `issuer: "https://login.microsoftonline.com/${GUID}/v2.0", clientId: "${GUID}", clientSecret: y, apis: ["${GUID}"]`,
    clientId: GUID,
    own: { azp: GUID, oid: 'a0000000-0000-4000-8000-00000000000a', idtyp: 'app', roles: ['orders:read'] },
    persons: {
      azp: GUID,
      oid: 'b0000000-0000-4000-8000-00000000000b',
      idtyp: 'user',
      scp: 'openid orders:read',
      roles: ['orders:read'],
    },
    tellsPerson: true,
  },
  {
    kind: 'oidc',
    file: 'issuer: "https://sso.example.com", directory: ./clients.json',
    clientId: 'web',
    own: { client_id: 'web', sub: 'web', scope: 'orders:read' },
    persons: { client_id: 'web', sub: 'ann', scope: 'openid orders:read' },
    tellsPerson: false,
  },
];

/** A claim that is a list, and one that is not, in tokens of a kind. */
const LISTS = new Map([
  ['okta', 'scp'],
  ['auth0', 'permissions'],
  ['entra', 'roles'],
  ['keycloak', '/realm_access/roles'],
]);

async function settingsOf({ kind, file }: Shape, more = '') {
  const providers = `providers: [{ name: main, kind: ${kind}, ${file}, audience: consul${more} }]`;
  const config = await loadText(fileWith(`login: on\n${providers}`, 'providers'));
  return toAclSettings(config);
}

function at(token: Token, path: readonly string[]): unknown {
  return path.reduce<unknown>((value, name) => Object(value)[name], token);
}

/** What a user's token must be, with scopes in a claim. */
async function requiredBy(shape: Shape, scopes: string) {
  const more = `, claims: { scopes: ${scopes} }`;
  const provider = (await settingsOf(shape, more)).providers.get('main');
  if (provider === undefined) throw new Error('no provider');
  return userRequirement({
    owner: 'pay',
    provider,
    jwksUri: 'https://sso.example.com/keys',
    consulVersion: '1.16.1',
    laxAgents: [],
    isBehindGateway: false,
    protocol: 'http',
    clientId: shape.clientId,
    actsForHuman: false,
  });
}

/** Whether a token meets what is required of a user. Consul's proxies compare a whole claim with one text. */
async function metBy(shape: Shape): Promise<(token: Token) => boolean> {
  const required = await requiredBy(shape, 'scope');
  if (required.kind === 'held') throw new Error(required.detail);
  const { verifyClaims } = required.requirement;
  return (token) => verifyClaims.every(({ path, value }) => at(token, path) === value);
}

describe.each(SHAPES)('a token of the kind $kind', (shape) => {
  it('that the client got for itself acts as its service, one that a person got there does not', async () => {
    const { desired } = desire(client(shape.clientId, []), {
      services: ['web'],
      settings: await settingsOf(shape),
    });
    const [method] = desired.authMethods;
    const [rule] = desired.bindingRules;
    const isAdmitted = (token: Token) => {
      const mapped = Object.entries(method?.config.claimMappings ?? {}).flatMap(([claim, name]) => {
        const value = at(token, claim.startsWith('/') ? claim.slice(1).split('/') : [claim]);
        return typeof value === 'string' ? [[name, value] as const] : [];
      });
      return admits(rule?.selector ?? '', { value: Object.fromEntries(mapped), list: {} });
    };
    expect([isAdmitted(shape.own), isAdmitted(shape.persons)]).toEqual([true, false]);
  });

  it('is for the audience of users beside a call, which is the one for Consul unless the file says another', async () => {
    const audiences = async (more?: string) => {
      const provider = (await settingsOf(shape, more)).providers.get('main');
      return [provider?.audience, provider?.userAudience];
    };
    expect(await audiences()).toEqual(['consul', 'consul']);
    expect(await audiences(', userAudience: calls')).toEqual(['consul', 'calls']);
  });

  it('meets what is required of a user, as far as it tells the scope and the person', async () => {
    const isMet = await metBy(shape);
    expect(isMet(shape.persons)).toBe(true);
    expect(isMet(shape.own)).toBe(!shape.tellsPerson);
  });
});

describe.each(SHAPES.filter(({ kind }) => LISTS.has(kind)))('a token of the kind $kind', (shape) => {
  it('cannot be required with a claim of scopes that is a list, which Consul compares as one text', async () => {
    const required = await requiredBy(shape, LISTS.get(shape.kind) ?? '');
    expect(required).toMatchObject({ kind: 'held', detail: expect.stringContaining('list their scopes') });
  });
});
