import { createHmac } from 'node:crypto';
import { Auth0Names } from '../../src/identity/auth0/names.js';
import { createAuth0Source } from '../../src/identity/auth0/webhook.js';
import { KeycloakNames } from '../../src/identity/keycloak/names.js';
import { createKeycloakSource } from '../../src/identity/keycloak/webhook.js';
import { createOidcSource } from '../../src/identity/oidc/webhook.js';
import { OktaNames } from '../../src/identity/okta/names.js';
import { createOktaSource } from '../../src/identity/okta/webhook.js';
import { Secret } from '../../src/model/secret.js';
import { clockAt, secretOf, signedRequest } from '../identity/oidc/webhook-request.js';
import { toLogEntry } from '../support/auth0/tenant.js';
import { shape } from '../support/okta/shapes.js';
import type { EventSourceHarness } from './event-source.js';

const OIDC = { current: secretOf(1), previous: secretOf(2), unknown: secretOf(3) };

export const OIDC_EVENTS: EventSourceHarness = {
  create: (nowMs) =>
    createOidcSource({
      provider: 'main',
      secrets: [OIDC.current, OIDC.previous],
      clock: clockAt(nowMs),
    }),
  request({ id, atMs, secret }) {
    const timestamp = new Date(atMs).toISOString();
    const body = JSON.stringify({ type: 'client.deleted', timestamp, data: { clientId: 'web-app' } });
    return signedRequest({ id, atMs, secret: OIDC[secret], body });
  },
  signed: (body, atMs) => signedRequest({ atMs, secret: OIDC.current, body }),
  signatureHeader: 'webhook-signature',
  isSameSignature: (text, signature) => text.split(' ').includes(signature),
  toleranceMs: 300_000,
};

const KEYCLOAK = { current: 'one secret', previous: 'an older one', unknown: 'a stranger' };

export const KEYCLOAK_EVENTS: EventSourceHarness = {
  create: () =>
    createKeycloakSource({
      provider: 'main',
      issuer: 'https://sso.example.com/realms/main',
      secrets: [new Secret(KEYCLOAK.current), new Secret(KEYCLOAK.previous)],
      serviceAccountRoles: false,
      names: new KeycloakNames(),
    }),
  request({ id, atMs, secret }) {
    const event = {
      id,
      time: atMs,
      realmName: 'main',
      operationType: 'DELETE',
      resourceType: 'CLIENT',
      resourcePath: 'clients/5cc257c9-81f6-4900-9913-868a79dc25ab',
      representation: JSON.stringify({ clientId: 'web-app' }),
      type: 'admin.CLIENT-DELETE',
    };
    return keycloakRequest(new TextEncoder().encode(JSON.stringify(event)), KEYCLOAK[secret], atMs);
  },
  signed: (body, atMs) => keycloakRequest(body, KEYCLOAK.current, atMs),
  signatureHeader: 'x-keycloak-signature',
  isSameSignature: (text, signature) => text.toLowerCase() === signature,
  toleranceMs: undefined,
};

function keycloakRequest(body: Uint8Array, secret: string, atMs: number) {
  const signature = createHmac('sha256', secret).update(body).digest('hex');
  return {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-keycloak-signature': signature },
    query: {},
    body,
    receivedAt: new Date(atMs).toISOString(),
  };
}

const AUTH0 = { current: 'Bearer one', previous: 'Bearer an older one', unknown: 'Bearer a stranger' };

export const AUTH0_EVENTS: EventSourceHarness = {
  create: () =>
    createAuth0Source({
      provider: 'main',
      secrets: [new Secret(AUTH0.current), new Secret(AUTH0.previous)],
      names: new Auth0Names(),
    }),
  request({ id, atMs, secret }) {
    const entry = toLogEntry({ method: 'DELETE', path: '/clients/web-app' }, 0, atMs);
    const body = JSON.stringify([{ log_id: id, data: { ...entry, log_id: id } }]);
    return staticRequest(new TextEncoder().encode(body), AUTH0[secret], atMs);
  },
  signed: (body, atMs) => staticRequest(body, AUTH0.current, atMs),
  signatureHeader: 'authorization',
  isSameSignature: (text, signature) => text === signature,
  coversBody: false,
  toleranceMs: undefined,
};

function staticRequest(body: Uint8Array, authorization: string, atMs: number) {
  return {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization },
    query: {},
    body,
    receivedAt: new Date(atMs).toISOString(),
  };
}

const OKTA = { current: 'one secret', previous: 'an older one', unknown: 'a stranger' };

export const OKTA_EVENTS: EventSourceHarness = {
  create: () =>
    createOktaSource({
      provider: 'main',
      secrets: [new Secret(OKTA.current), new Secret(OKTA.previous)],
      names: new OktaNames(),
    }),
  request({ id, atMs, secret }) {
    const event = shape('log-event', {
      uuid: id,
      published: new Date(atMs).toISOString(),
      eventType: 'application.lifecycle.deactivate',
      target: [{ id: '0oaexample00000000001', type: 'AppInstance' }],
    });
    const body = JSON.stringify(shape('event-hook', { data: { events: [event] } }));
    return staticRequest(new TextEncoder().encode(body), OKTA[secret], atMs);
  },
  signed: (body, atMs) => staticRequest(body, OKTA.current, atMs),
  signatureHeader: 'authorization',
  isSameSignature: (text, signature) => text === signature,
  coversBody: false,
  toleranceMs: undefined,
};
