import fc from 'fast-check';
import type { AclChangeContext } from '../../../src/acl/plan/acl-change.js';
import { type DesiredClient, desiredClient } from '../../../src/acl/plan/desired-client.js';
import type { DesiredAcl } from '../../../src/acl/plan/login.js';
import type { AclObject, AclToken } from '../../../src/model/acl.js';
import type { OAuthClient } from '../../../src/model/client.js';
import { compareText } from '../../../src/model/compare-text.js';
import type { ServiceName } from '../../../src/model/intention.js';
import type { AclSettings, LoginProvider } from '../../../src/model/login.js';
import type { Rule } from '../../../src/model/rule.js';
import type { ClaimStatus } from '../../../src/plan/claim-status.js';
import { clientName } from '../../../src/plan/object-names.js';
import type { ClientBlock } from '../../../src/plan/world.js';
import { client, mapping, named } from '../../plan/scene.js';
import { anyCharacter } from '../../support/any-character.js';

export { client, mapping, named };

export const ISSUER = 'https://sso.example.com/realms/main';

/** Keycloak's shapes: `azp` names the client, `client_id` only in a token of its own. */
export function loginProvider(changes: Partial<LoginProvider> = {}): LoginProvider {
  const audience = 'audience' in changes ? changes.audience : 'consul';
  return {
    name: 'main',
    issuer: ISSUER,
    audience,
    userAudience: audience,
    keys: { jwksUrl: `${ISSUER}/protocol/openid-connect/certs` },
    signingAlgorithms: ['RS256'],
    claims: { client: ['azp'], subject: ['sub'], groups: ['groups'] },
    scopes: { claim: ['scope'], isList: false },
    ownToken: { claim: ['client_id'], clientIdBetween: ['', ''] },
    person: undefined,
    ...changes,
  };
}

export function settings(changes: Partial<AclSettings> = {}): AclSettings {
  return {
    login: true,
    firstLogin: false,
    providers: new Map([['main', loginProvider()]]),
    groups: [],
    ...changes,
  };
}

export function aclRule(scope: string, acl: string, changes: Partial<Rule> = {}): Rule {
  return { scope, acl, userRequired: false, ...changes };
}

/** A static token that may do nothing. */
export function aclToken(accessorId: string, changes: Partial<AclToken> = {}): AclToken {
  return {
    accessorId,
    description: '',
    policies: [],
    isManagement: false,
    roles: [],
    serviceIdentities: [],
    nodeIdentities: [],
    templatedPolicies: [],
    isLocal: false,
    createdAt: '2026-01-01T00:00:00Z',
    ...changes,
  };
}

export const READ_CONFIG = 'key_prefix "config/" { policy = "read" }';
export const WRITE_ORDERS = 'key "orders" { policy = "write" }';

/** The rules of a service's identity, as Consul's documentation has them. */
export const identityRules = (service: string) => `
  service "${service}" { policy = "write" }
  service "${service}-sidecar-proxy" { policy = "write" }
  service_prefix "" { policy = "read" }
  node_prefix "" { policy = "read" }`;

/** What a token that `web` got for itself shows. */
export const OWN =
  '"client_id" in value and value.client_id == "web" and "own_token" in value and value.own_token == "web"';

export function claimed(
  of: Pick<OAuthClient, 'provider' | 'clientId'>,
  service: string | ServiceName,
  addNothing = false,
): ClaimStatus {
  return {
    kind: 'claimed',
    service: typeof service === 'string' ? named(service) : service,
    client: { provider: of.provider, clientId: of.clientId },
    addNothing,
  };
}

/** What one client of the default mapping should have. */
export function desire(
  of: OAuthClient,
  changes: {
    readonly mapping?: Partial<Parameters<typeof mapping>[0]>;
    readonly settings?: Partial<AclSettings>;
    readonly services?: readonly string[];
    readonly clientBlock?: ClientBlock;
    readonly standingTtlSeconds?: number;
  } = {},
): DesiredClient {
  return desiredClient({
    client: of,
    mapping: mapping({ rules: [aclRule('config:read', READ_CONFIG)], ...changes.mapping }),
    settings: settings(changes.settings),
    claimStatuses: (changes.services ?? []).map((service) => claimed(of, service)),
    former: undefined,
    existingTtlSeconds: changes.standingTtlSeconds,
    clientBlock: changes.clientBlock,
  });
}

/** Several clients' objects in one; policies are shared. */
export function together(...all: readonly DesiredAcl[]): DesiredAcl {
  const byName = <T extends { readonly name: string }>(objects: readonly T[]) =>
    [...new Map(objects.map((each) => [each.name, each])).values()].toSorted((a, b) =>
      compareText(a.name, b.name),
    );
  return {
    policies: byName(all.flatMap((each) => each.policies)),
    roles: byName(all.flatMap((each) => each.roles)),
    authMethods: byName(all.flatMap((each) => each.authMethods)),
    bindingRules: all.flatMap((each) => each.bindingRules),
  };
}

export function because(_object: AclObject, direction: 'narrow' | 'widen'): AclChangeContext {
  return { reason: direction === 'narrow' ? 'ScopeRevoked' : 'ScopeGranted', isInferred: false, scopes: [] };
}

export function nameOfClient(clientId: string, owner = 'pay', provider = 'main'): string {
  return clientName(owner, { provider, clientId });
}

/** Ids, scopes, services and groups that somebody could hope to break out with. */
export const HOSTILE_TEXTS: readonly string[] = [
  '',
  ' ',
  '*',
  '"',
  '\\',
  '\\"',
  '`',
  ['$', '{value.sub}'].join(''),
  '{name}',
  '" or "" == "',
  'x" or "client_id" in value or value.client_id == "',
  'x\\" or value.client_id != \\"y',
  'web") or (1',
  'web\norders',
  'web\u0000',
  'web\u007f',
  'WEB',
  'Web',
  'web',
  'ｗｅｂ',
  'wеb',
  'web ',
  ' web',
  'auth0|1',
  'a@b.c',
  'ß',
  'İ',
  '\u2028',
  '\ud800',
  'a\udfff',
  '😀',
  '/act/sub',
  '"}}, "service_prefix": {"": {"policy": "write"}}, "x": {"a": {"',
  '" { policy = "write" } service_prefix "',
  '" { policy = "read" }\nservice_prefix "" { policy = "write',
  'x'.repeat(300),
  'scopemesh-pay-main-web',
  '__proto__',
];

export const hostileText: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: anyCharacter, maxLength: 20 }),
  fc.string({ unit: 'grapheme', maxLength: 10 }),
  fc.constantFrom(...HOSTILE_TEXTS),
);
