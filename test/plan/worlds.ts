import fc from 'fast-check';
import type { CatalogService, ServiceInstance } from '../../src/model/catalog.js';
import type { OAuthClient } from '../../src/model/client.js';
import type {
  Access,
  HttpPermission,
  IntentionEntry,
  IntentionSource,
  JwtRequirement,
} from '../../src/model/intention.js';
import type { ExistingJwtProvider } from '../../src/model/jwt-provider.js';
import { toPlainPathRegex } from '../../src/model/plain-path.js';
import type { Rule } from '../../src/model/rule.js';
import type { HttpRequestShape } from '../../src/plan/access.js';
import type { UserTokenFacts } from '../../src/plan/destination-input.js';
import { clientText, type RememberedClaim } from '../../src/plan/world.js';
import { ISSUER, settings } from '../acl/plan/acl-scene.js';
import { anyCharacter } from '../support/any-character.js';
import { entriesOf, keyOf, mapping, NOW, named, type Scene, scene, source } from './scene.js';

/** Small vocabularies, so that random parts meet. */
const METHODS = ['GET', 'POST', 'PUT'] as const;
const PATHS = ['/', '/a', '/a/', '/a/b', '/ab'] as const;
const ODD_PATHS = [
  '/a/../b',
  '/a/.',
  '/a/.b',
  '/a/.b/c',
  '/a//b',
  '/a/%2e%2e',
  '/a/%41',
  '/a;x/b',
  '/a/..;/b',
] as const;
const HEADERS = [
  { name: 'x-t', exact: '1' },
  { name: 'x-t', present: true },
  { name: 'x-t', exact: '1', invert: true },
  { name: 'x-u', prefix: 'v' },
] as const;

const CLAIMS = [
  { path: ['azp'], value: 'bot' },
  { path: ['act', 'sub'], value: 'bot' },
] as const;

const someRequirement: fc.Arbitrary<JwtRequirement> = fc.record({
  provider: fc.constantFrom('scopemesh-pay-main-_users', 'theirs'),
  verifyClaims: fc.array(fc.constantFrom(...CLAIMS), { maxLength: 3 }),
});

const SERVICES = ['web', 'api', 'job', 'Web'] as const;
const DESTINATIONS = ['orders', 'reports', 'vault'] as const;
const CLIENTS = ['web', 'api', 'job', 'bot'] as const;
const SCOPES = ['orders', 'orders:read', 'orders:write', 'reports:connect', 'vault', 'x:admin'] as const;

const somePath: fc.Arbitrary<HttpPermission> = fc.oneof(
  fc.constant({}),
  fc.constantFrom(...PATHS).map((pathExact) => ({ pathExact })),
  fc.constantFrom(...PATHS).map((pathPrefix) => ({ pathPrefix })),
  fc.constantFrom('/a.*', '/[ab]+').map((pathRegex) => ({ pathRegex })),
  fc
    .tuple(fc.constantFrom('path', 'prefix'), fc.constantFrom(...PATHS, '/a/.', '/a/.b', '/a/%41'))
    .map(([kind, text]) => toPlainPathRegex({ kind, text }))
    .filter((pathRegex) => pathRegex !== undefined)
    .map((pathRegex) => ({ pathRegex })),
);

const somePermission: fc.Arbitrary<HttpPermission> = fc
  .tuple(
    fc.option(fc.uniqueArray(fc.constantFrom(...METHODS), { maxLength: 3 }), { nil: undefined }),
    somePath,
    fc.option(fc.array(fc.constantFrom(...HEADERS), { maxLength: 2 }), { nil: undefined }),
  )
  .map(([methods, path, headers]) => ({
    ...(methods === undefined ? {} : { methods }),
    ...path,
    ...(headers === undefined ? {} : { headers }),
  }));

const somePermissionOfUsers: fc.Arbitrary<HttpPermission> = fc
  .tuple(somePermission, fc.option(someRequirement, { nil: undefined }))
  .map(([permission, jwt]) => ({ ...permission, ...(jwt === undefined ? {} : { jwt }) }));

const someAccess: fc.Arbitrary<Access> = fc.oneof(
  fc.constant({ kind: 'allow' as const }),
  fc.constant({ kind: 'deny' as const }),
  fc
    .array(somePermissionOfUsers, { minLength: 1, maxLength: 4 })
    .map((permissions) => ({ kind: 'http' as const, permissions })),
);

export const anyAccess: fc.Arbitrary<Access | undefined> = fc.option(someAccess, { nil: undefined });

export const anyRequest: fc.Arbitrary<HttpRequestShape> = fc
  .record({
    method: fc.constantFrom(...METHODS),
    path: fc.constantFrom(...PATHS, ...ODD_PATHS, '/a/c', '/b?x=/a'),
    headers: fc.constantFrom({}, { 'x-t': '1' }, { 'x-t': '2' }, { 'x-u': 'v1' }, { 'x-t': '1', 'x-u': 'w' }),
  })
  .chain((request) =>
    fc
      .option(someRequirement, { nil: undefined })
      .map((token) => ({ ...request, ...(token === undefined ? {} : { token }) })),
  );

/** What a caller may show beside its certificate: a user's token, an agent's for a user, another provider's. */
const TOKENS: readonly JwtRequirement[] = [
  { provider: 'scopemesh-pay-main-_users', verifyClaims: [] },
  { provider: 'theirs', verifyClaims: CLAIMS },
];

/** Every request of the vocabulary that could tell two accesses of a scene apart. */
export const SAMPLES: readonly HttpRequestShape[] = METHODS.flatMap((method) =>
  [...PATHS, '/a/c', '/z'].flatMap((path) => [
    ...[{}, { 'x-t': '1' }, { 'x-u': 'v1' }].map((headers) => ({ method, path, headers })),
    ...TOKENS.map((token) => ({ method, path, token })),
  ]),
);

const someRule: fc.Arbitrary<Rule> = fc
  .record({
    scope: fc.constantFrom(
      'orders',
      'orders:read',
      'orders:*',
      '{service}:connect',
      'vault',
      '*:admin',
      'x:{y}',
    ),
    to: fc.constantFrom('orders', 'reports', 'vault', '{service}', '*', '{y}'),
    http: fc.option(somePermission, { nil: undefined }),
    userRequired: fc.boolean(),
    actors: fc.option(fc.constantFrom(['workload' as const], ['human' as const, 'workload' as const]), {
      nil: undefined,
    }),
  })
  .map(({ http, actors, ...rest }) => ({ ...rest, ...http, ...(actors === undefined ? {} : { actors }) }));

const someClient: fc.Arbitrary<OAuthClient> = fc
  .record({
    clientId: fc.constantFrom(...CLIENTS),
    enabled: fc.integer({ min: 0, max: 5 }).map((at) => at > 0),
    grantTypes: fc.constantFrom(['client_credentials'], ['authorization_code'], []),
    grants: fc
      .uniqueArray(fc.constantFrom(...SCOPES), { maxLength: 5 })
      .map((names) => names.map((name) => ({ name }))),
    confirms: fc.uniqueArray(fc.constantFrom(...SERVICES), { maxLength: 4 }),
    hasAttributes: fc.integer({ min: 0, max: 4 }).map((at) => at > 0),
  })
  .map(({ confirms, hasAttributes, ...rest }) => ({
    provider: 'main',
    ...rest,
    attributes: hasAttributes ? { 'consul-services': confirms.join(',') } : {},
  }));

const someInstance: fc.Arbitrary<Omit<ServiceInstance, 'id'>> = fc.record({
  node: fc.constantFrom('n1', 'n2'),
  kind: fc.constantFrom('', '', '', 'connect-proxy'),
  meta: fc.oneof(
    fc.constant({}),
    fc.constantFrom(...CLIENTS).map((clientId) => ({ 'oauth-client-id': clientId })),
    fc.constant({ 'oauth-client-id': 'web', 'oauth-provider': 'nobody' }),
  ),
  tags: fc.oneof(
    fc.constant([]),
    fc.constantFrom(...CLIENTS).map((clientId) => [`oauth-client=${clientId}`]),
  ),
});

const someService: fc.Arbitrary<CatalogService> = fc
  .tuple(fc.constantFrom(...SERVICES), fc.array(someInstance, { maxLength: 2 }))
  .map(([name, instances]) => ({
    name: named(name),
    instances: instances.map((instance, index) => ({ ...instance, id: `${name}-${index}` })),
  }));

/** Sources of everybody: foreign, ours, of another owner whose name begins like ours, marked by hand, of a peer. */
const someSource: fc.Arbitrary<IntentionSource> = fc
  .record({
    name: fc.constantFrom(...SERVICES, '*', 'old'),
    access: fc.oneof(someAccess, fc.constant({ kind: 'other' as const })),
    description: fc.oneof(
      fc.constantFrom('', 'by hand', 'scopemesh:payments client=main/web', 'see scopemesh:pay'),
      fc.constantFrom(...CLIENTS).map((clientId) => `scopemesh:pay client=main/${clientId}`),
      fc.constant('scopemesh:pay'),
    ),
    isLegacy: fc.integer({ min: 0, max: 30 }).map((at) => at === 0),
    peer: fc.option(fc.constant('east'), { nil: undefined, freq: 8 }),
    extra: fc.jsonValue(),
  })
  .map(({ name, access, description, isLegacy, peer, extra }) =>
    source(name, access, description, {
      isLegacy,
      ...(peer === undefined ? {} : { peer }),
      raw: { Name: name, Description: description, Extra: extra },
    }),
  );

const someEntry = (destination: string): fc.Arbitrary<IntentionEntry> =>
  fc
    .record({
      sources: fc.uniqueArray(someSource, {
        maxLength: 5,
        selector: (each) => `${each.name} ${each.peer ?? ''}`,
      }),
      meta: fc.oneof(
        { weight: 8, arbitrary: fc.constant({}) },
        { weight: 1, arbitrary: fc.constant({ 'external-source': 'kubernetes' }) },
        { weight: 2, arbitrary: fc.constant({ team: 'security' }) },
      ),
      more: fc.constantFrom({}, {}, { JWT: null }, { JWT: { Providers: [{ Name: 'ops' }] } }, { New: 1 }),
    })
    .map(({ sources, meta, more }) => ({
      destination: named(destination),
      sources,
      meta,
      modifyIndex: 7,
      raw: { Name: destination, ...(Object.keys(meta).length === 0 ? {} : { Meta: meta }), ...more },
    }));

const someEntries = fc
  .tuple(
    ...[...DESTINATIONS, '*'].map((destination) => fc.option(someEntry(destination), { nil: undefined })),
  )
  .map((entries) =>
    entriesOf(...entries.flatMap((each) => (each === undefined || each.sources.length === 0 ? [] : [each]))),
  );

const someMemory: fc.Arbitrary<ReadonlyMap<string, RememberedClaim>> = fc
  .array(
    fc.tuple(
      fc.constantFrom(...SERVICES, 'old'),
      fc.constantFrom(...CLIENTS),
      fc.constantFrom(0, 200_000, 400_000),
    ),
    { maxLength: 3 },
  )
  .map(
    (claims) =>
      new Map(
        claims.map(([service, clientId, agoMs]) => [
          keyOf(service),
          { provider: 'main', clientId, lastSeenAt: NOW - agoMs, since: NOW },
        ]),
      ),
  );

const OUR_JWT_PROVIDER: ExistingJwtProvider = {
  name: 'scopemesh-pay-main-_users',
  meta: { scopemesh: 'scopemesh:pay', 'scopemesh-provider': 'main' },
  content: {
    name: 'scopemesh-pay-main-_users',
    issuer: ISSUER,
    audiences: ['consul'],
    jwksUri: `${ISSUER}/certs`,
    meta: { scopemesh: 'scopemesh:pay', 'scopemesh-provider': 'main' },
  },
  modifyIndex: 3,
};
const byName = (...entries: readonly ExistingJwtProvider[]) =>
  new Map(entries.map((each) => [each.name, each]));

/** Of Consul and its jwt-providers: all that is needed, mostly; or an old one, a foreign entry, something unknown. */
const someUserTokens: fc.Arbitrary<UserTokenFacts> = fc.record({
  consulVersion: fc.constantFrom('1.16.1', '1.16.1', '1.17.0', '1.14.11', undefined),
  laxAgents: fc.constantFrom([], [], [], ['1.15.3'], undefined),
  behindGateways: fc.constantFrom(
    new Set<string>(),
    new Set<string>(),
    new Set(['orders']),
    new Set(['*']),
    undefined,
  ),
  jwksUris: fc.constantFrom(
    new Map([['main', `${ISSUER}/certs`]]),
    new Map([['main', `${ISSUER}/other`]]),
    new Map(),
  ),
  entries: fc.constantFrom(
    byName(OUR_JWT_PROVIDER),
    byName(OUR_JWT_PROVIDER),
    byName(),
    byName({ ...OUR_JWT_PROVIDER, meta: {}, content: 'other' }),
    undefined,
  ),
});

/** A whole world; with `mode: enforce` and nothing remembered of what was written, by default. */
export const someScene: fc.Arbitrary<Scene> = fc
  .record({
    rules: fc.array(someRule, { minLength: 1, maxLength: 5 }),
    claims: fc.constantFrom('confirmed' as const, 'confirmed' as const, 'first' as const),
    clients: fc.uniqueArray(someClient, { maxLength: 4, selector: (each) => each.clientId }),
    services: fc.uniqueArray(someService, { maxLength: 4, selector: (each) => each.name.name }),
    entries: someEntries,
    remembered: someMemory,
    records: fc.uniqueArray(fc.tuple(fc.constantFrom(...CLIENTS), fc.constantFrom(...SERVICES)), {
      maxLength: 3,
      selector: ([clientId]) => clientId,
    }),
    tcp: fc.uniqueArray(fc.constantFrom(...DESTINATIONS), { maxLength: 1 }),
    isProtected: fc.boolean(),
    closed: fc.option(fc.constantFrom(...CLIENTS), { nil: undefined, freq: 5 }),
    userTokens: someUserTokens,
    agents: fc.boolean(),
  })
  .map((parts) =>
    scene({
      mapping: mapping({
        rules: parts.rules,
        claims: parts.claims,
        protectedServices: parts.isProtected ? ['vault'] : [],
        limits: {
          human: { never: ['*:admin'] },
          workload: { never: [] },
          agent: { never: ['*'], ...(parts.agents ? { onBehalfOf: 'human' as const } : {}) },
        },
        acl: settings({ login: false }),
      }),
      userTokens: parts.userTokens,
      clients: parts.clients,
      services: parts.services,
      entries: parts.entries,
      remembered: parts.remembered,
      records: parts.records.map(([clientId, service]) => ({
        provider: 'main',
        clientId,
        service: named(service),
        modifyIndex: 3,
      })),
      protocols: new Map(parts.tcp.map((name) => [name, 'tcp'])),
      clientBlocks:
        parts.closed === undefined
          ? new Map()
          : new Map([[clientText({ provider: 'main', clientId: parts.closed }), 'ClientQuarantined']]),
    }),
  );

/** Texts that somebody could hope to break out with. */
export const hostileText: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: anyCharacter, maxLength: 12 }),
  fc.constantFrom(
    '*',
    '',
    ' ',
    '"',
    '\\',
    ['$', '{secret}'].join(''),
    '{service}',
    '__proto__',
    'constructor',
    'toString',
    'web\norders',
    'web client=main/admin',
    'a/../b',
    'orders\u0000',
    'оrders',
    'ＯＲＤＥＲＳ',
    '\ud800',
    '\udfff\ud800',
    'x'.repeat(300),
    '*'.repeat(300),
    'orders:connect',
    '*:connect',
    '-:connect',
    'vault:connect',
    'Orders:connect',
  ),
);
