import { describe, expect, it } from 'vitest';
import { crossFindings } from '../../../config/checks.js';
import type { Config } from '../../../config/config.js';
import { mappingRevision, toMapping } from '../../../config/mapping-revision.js';
import { fileWith, loadText } from '../load-text.js';

const okta = (name: string, ...apis: readonly string[]) => ({
  name,
  kind: 'okta',
  issuer: 'https://x',
  apis,
});
const faults = (providers: readonly object[], rule: object) =>
  crossFindings({ providers, scopes: { 'orders:read': rule } }).map(
    ({ path, message, remedy }) => `${path.join('.')}: ${message}; ${remedy}`,
  );

describe('A rule says whose scope it means', () => {
  it('by its provider, where there are several', () => {
    const two = [okta('main', 'a'), okta('partners', 'a')];
    expect(faults(two, { to: 'orders' })).toEqual([
      'scopes.orders:read: does not name the provider of its scope; add "provider" with one of main, partners',
    ]);
    expect(faults(two, { to: 'orders', provider: 'main' })).toEqual([]);
  });

  it('by its API, where its provider has several', () => {
    const several = [okta('main', 'orders-api', 'billing-api')];
    expect(faults(several, { to: 'orders' })).toEqual([
      'scopes.orders:read: does not name the API of its scope; add "api" with one of orders-api, billing-api',
    ]);
    expect(faults(several, { to: 'orders', api: 'billing-api' })).toEqual([]);
    const [first] = several;
    expect(faults([{ ...first }, okta('x', 'y')], { to: 'orders', provider: 'x' })).toEqual([]);
  });

  it('by an API that its provider has', () => {
    expect(faults([okta('main', 'orders-api')], { to: 'orders', api: 'orders-Api' })).toEqual([
      'scopes.orders:read.api: is not one of the "apis" of its provider; write one of orders-api',
    ]);
  });

  it('without one in Keycloak, whose scopes need not belong to an API', () => {
    const keycloak = { ...okta('main', 'a', 'b'), kind: 'keycloak', serviceAccountRoles: 'on' };
    expect(faults([keycloak], { to: 'orders' })).toEqual([]);
  });

  it('by APIs in Keycloak only where roles count', () => {
    const keycloak = { ...okta('main', 'a'), kind: 'keycloak', serviceAccountRoles: 'off' };
    expect(faults([keycloak], { to: 'orders' })).toEqual([
      'providers.0.apis: applies only to roles; add "serviceAccountRoles: on"',
    ]);
  });
});

describe('A rule without an API', () => {
  const auth0 = 'kind: auth0, issuer: "https://acme.eu.auth0.com/", clientId: x, clientSecret: y';
  const keycloak =
    'kind: keycloak, issuer: "https://x/realms/y", clientId: x, clientSecret: y, serviceAccountRoles: on';
  const withApis = (apis: readonly string[], kind = auth0): Promise<Config> =>
    loadText(fileWith(`providers: [{ name: main, ${kind}, apis: [${apis.join()}] }]`, 'providers'));

  it('is about the only API of its provider', async () => {
    expect(toMapping(await withApis(['orders-api'])).rules).toMatchObject([{ api: 'orders-api' }]);
  });

  it('is about scopes of no API where its provider has none, and always in Keycloak', async () => {
    expect(toMapping(await loadText(fileWith(''))).rules[0]).not.toHaveProperty('api');
    expect(toMapping(await withApis(['a'], keycloak)).rules[0]).not.toHaveProperty('api');
  });

  it('makes another mapping under another API', async () => {
    expect(mappingRevision(await withApis(['a']))).not.toBe(mappingRevision(await withApis(['b'])));
  });
});
