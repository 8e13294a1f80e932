import { createHmac } from 'node:crypto';
import { KeycloakNames } from '../../../src/identity/keycloak/names.js';
import { createKeycloakSource, type KeycloakSourceOptions } from '../../../src/identity/keycloak/webhook.js';
import type { IdentityEvent, RawRequest } from '../../../src/identity/source.js';
import { formatKey } from '../../../src/model/key.js';
import { Secret } from '../../../src/model/secret.js';
import { RECEIVED_AT } from './recordings.js';

export const CLIENT = '5cc257c9-81f6-4900-9913-868a79dc25ab';
export const USER = 'f370e420-47f2-4557-ad6c-d66db05290f5';
export const byId = `client/main/~id/${CLIENT}`;
export const byUser = `client/main/~user/${USER}`;
export const person = `provider/main ! @ < ${USER}`;

export const open = (options: Partial<KeycloakSourceOptions> = {}) =>
  createKeycloakSource({
    provider: 'main',
    issuer: 'http://127.0.0.1:18080/realms/wh2',
    secrets: [new Secret('whsecret')],
    serviceAccountRoles: true,
    names: new KeycloakNames(),
    ...options,
  });

export async function one(source: ReturnType<typeof open>, request: RawRequest): Promise<IdentityEvent> {
  const reception = await source.receive(request);
  const [event, ...more] = reception.kind === 'events' ? reception.events : [];
  if (event === undefined || more.length > 0) throw new Error('not one event');
  return event;
}

/** `key !` is urgent, `key *` a full read, `key @` one of members, `<` what is evident, and orders are lines of their own. */
export function inShort(event: IdentityEvent): readonly string[] {
  const triggers = event.triggers.map((trigger) => {
    const evidence = (trigger.evidence ?? []).flatMap((each) => [
      ...(each.clients ?? []),
      ...(each.scopes ?? []).map((scope) => (each.api === undefined ? scope : `${each.api}#${scope}`)),
      ...(each.people ?? []),
      ...(each.groups ?? []),
    ]);
    const marks = `${trigger.urgent ? ' !' : ''}${trigger.fullRead ? ' *' : ''}${trigger.members ? ' @' : ''}`;
    return `${formatKey(trigger.key)}${marks}${evidence.length > 0 ? ` < ${evidence.join()}` : ''}`;
  });
  const orders = event.orders.map(({ kind, subject, clientId, internalId }) =>
    subject === undefined ? `${kind} ${clientId} ${internalId}` : `${kind} ${subject}`,
  );
  return [...triggers, ...orders];
}

export function signed(body: unknown, secret = 'whsecret'): RawRequest {
  const bytes =
    typeof body === 'string'
      ? Buffer.from(body)
      : body instanceof Uint8Array
        ? body
        : Buffer.from(JSON.stringify(body));
  const signature = createHmac('sha256', secret).update(bytes).digest('hex');
  return {
    method: 'POST',
    headers: { 'x-keycloak-signature': signature },
    query: {},
    body: bytes,
    receivedAt: RECEIVED_AT,
  };
}

export const admin = (operationType: string, resourcePath: string | null, more: object = {}) =>
  signed({
    id: 'e1',
    time: 1795560651981,
    realmName: 'wh2',
    operationType,
    resourcePath,
    resourceType: 'X',
    type: 'admin.X',
    ...more,
  });
