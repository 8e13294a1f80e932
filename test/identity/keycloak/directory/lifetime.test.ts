import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseClient, secondsOf } from '../../../../src/identity/keycloak/client.js';
import { lifetimeOf, toRealmLifespans } from '../../../../src/identity/keycloak/directory.js';

const recorded = JSON.parse(
  readFileSync(new URL('../../../fixtures/keycloak/client-get.json', import.meta.url), 'utf8'),
);
const REALM = {
  accessTokenLifespan: 300,
  accessTokenLifespanForImplicitFlow: 900,
  ssoSessionMaxLifespan: 36_000,
};

const lifetime = (attributes: Record<string, string>, realm: object = {}, flows: object = {}) =>
  lifetimeOf(
    parseClient({ ...recorded, ...flows, attributes }, 'here'),
    toRealmLifespans({ ...REALM, ...realm }),
  );

describe('the lifetime of access tokens', () => {
  it('is a positive number of seconds of the client, or else of the realm', () => {
    const own = (text: string) => lifetime({ 'access.token.lifespan': text });
    expect(['60', '', '0', '1.5', 'x', '1e9'].map(own)).toEqual([60, 300, 300, 300, 300, 300]);
    expect(secondsOf(Number.NaN)).toBeUndefined();
  });

  it('is never longer than the session, the client’s own or the realm’s', () => {
    const long = { 'access.token.lifespan': '7200' };
    expect(lifetime(long)).toBe(7200);
    expect(lifetime({ ...long, 'client.session.max.lifespan': '60' })).toBe(60);
    expect(lifetime(long, { clientSessionMaxLifespan: 100 })).toBe(100);
    expect(lifetime(long, { ssoSessionMaxLifespan: 200 })).toBe(200);
    const own = { ...long, 'client.session.max.lifespan': '150' };
    expect(lifetime(own, { clientSessionMaxLifespan: 100 })).toBe(150);
    expect(lifetime(own, { clientSessionMaxLifespan: 100, ssoSessionMaxLifespan: 120 })).toBe(120);
    expect(lifetime({ 'client.session.max.lifespan': '60' })).toBe(60);
  });

  it('is the session’s if the client says -1', () => {
    const unlimited = { 'access.token.lifespan': '-1' };
    expect(lifetime(unlimited)).toBe(36_000);
    expect(lifetime(unlimited, { clientSessionMaxLifespan: 100 })).toBe(100);
    expect(lifetime(unlimited, { ssoSessionMaxLifespan: undefined })).toBeUndefined();
  });

  it('is always the realm’s for the implicit flow, and the shorter one with another flow', () => {
    const implicit = { implicitFlowEnabled: true, serviceAccountsEnabled: false };
    const own = { 'access.token.lifespan': '60' };
    expect(lifetime(own, {}, implicit)).toBe(900);
    expect(lifetime(own, {}, { ...implicit, standardFlowEnabled: true })).toBe(60);
    expect(
      lifetime({ 'access.token.lifespan': '1000' }, {}, { ...implicit, standardFlowEnabled: true }),
    ).toBe(900);
    const unread = { accessTokenLifespanForImplicitFlow: undefined };
    expect(lifetime(own, unread, implicit)).toBeUndefined();
  });

  it('is unknown if the realm is not visible, and known for a client with its own', () => {
    const hidden = { accessTokenLifespan: undefined, ssoSessionMaxLifespan: undefined };
    expect(lifetime({}, hidden)).toBeUndefined();
    expect(lifetime({ 'client.session.max.lifespan': '60' }, hidden)).toBeUndefined();
    expect(lifetime({ 'access.token.lifespan': '60' }, hidden)).toBe(60);
  });
});
