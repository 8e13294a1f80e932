import type { Grant, OAuthClient } from '../../model/client.js';
import { definedFields } from '../../model/defined-fields.js';
import { isRecord } from '../../model/is-record.js';
import { wrongShape } from '../read-errors.js';
import { textIn } from '../records.js';
import { type JsonObject, textsIn } from './json.js';

/** The part of a ClientRepresentation that the directory needs. It never contains the `secret`. */
export type KeycloakClient = ReturnType<typeof parseClient>;

/**
 * Parses a ClientRepresentation. Throws WrongShape if a field is missing that a full view always has: Keycloak shows some
 * administrators only an ID and a name, and that must not look like a client without scopes.
 */
export function parseClient(value: unknown, place: string) {
  if (!isRecord(value)) throw wrongShape(place, 'a client is not an object');
  const internalId = textIn(value, 'id');
  const clientId = textIn(value, 'clientId');
  if (internalId === undefined || clientId === undefined) throw wrongShape(place, 'a client has no id');
  if (typeof value.enabled !== 'boolean') throw wrongShape(place, 'a client is shown only in part');
  const isOAuth = (textIn(value, 'protocol') ?? 'openid-connect') === 'openid-connect';
  const bearerOnly = value.bearerOnly === true;
  const attributes = attributesOf(value.attributes, place);
  const hasServiceAccount = value.serviceAccountsEnabled === true && value.publicClient !== true;
  return {
    internalId,
    clientId,
    /** False for SAML clients, which are not OAuth clients. */
    isOAuth,
    name: textIn(value, 'name'),
    enabled: value.enabled,
    grantTypes: bearerOnly ? [] : grantTypesOf(value, attributes, hasServiceAccount),
    /** The names of the default and optional client scopes. */
    scopes: bearerOnly || !isOAuth ? [] : scopesOf(value, place),
    hasServiceAccount: hasServiceAccount && !bearerOnly,
    /** Every role of its service account goes into its tokens. Otherwise only roles in its scope mappings do. */
    fullScopeAllowed: value.fullScopeAllowed === true,
    attributes,
  };
}

export function toOAuthClient(
  provider: string,
  client: KeycloakClient,
  roles: readonly Grant[],
  /** Undefined if it cannot be read. Every client has one. */
  lifetimeSeconds: number | undefined,
): OAuthClient {
  return {
    provider,
    clientId: client.clientId,
    internalId: client.internalId,
    ...definedFields({ name: client.name }),
    enabled: client.enabled,
    grantTypes: client.grantTypes,
    grants: [...client.scopes.map((name) => ({ name })), ...roles],
    ...(lifetimeSeconds === undefined
      ? { isLifetimeUnread: true }
      : { accessTokenLifetimeSeconds: lifetimeSeconds }),
    attributes: client.attributes,
    ...secretCreatedAt(client.attributes['client.secret.creation.time']),
  };
}

/** Keycloak records when a secret was created, in whole seconds since the epoch. So a secret may seem a little older. */
function secretCreatedAt(seconds: string | undefined): { readonly secretCreatedAt?: string } {
  if (seconds === undefined || !/^\d{1,11}$/.test(seconds)) return {};
  return { secretCreatedAt: new Date(Number(seconds) * 1000).toISOString() };
}

/** The seconds of a Keycloak lifespan. Undefined for 0, -1 and the like, which mean that another lifespan applies. */
export function secondsOf(value: unknown): number | undefined {
  const seconds = typeof value === 'string' && /^\d{1,10}$/.test(value) ? Number(value) : value;
  return typeof seconds === 'number' && Number.isSafeInteger(seconds) && seconds > 0 ? seconds : undefined;
}

function scopesOf(client: JsonObject, place: string): readonly string[] {
  const scopes = textsIn(client.defaultClientScopes);
  const optional = textsIn(client.optionalClientScopes);
  if (scopes === undefined || optional === undefined)
    throw wrongShape(place, 'a client has no list of scopes');
  return [...new Set([...scopes, ...optional])].sort();
}

function grantTypesOf(
  client: JsonObject,
  attributes: Readonly<Record<string, string>>,
  hasServiceAccount: boolean,
): readonly string[] {
  const types: readonly (readonly [string, boolean])[] = [
    ['authorization_code', client.standardFlowEnabled === true],
    ['client_credentials', hasServiceAccount],
    ['implicit', client.implicitFlowEnabled === true],
    ['password', client.directAccessGrantsEnabled === true],
    [
      'urn:ietf:params:oauth:grant-type:device_code',
      attributes['oauth2.device.authorization.grant.enabled'] === 'true',
    ],
    [
      'urn:ietf:params:oauth:grant-type:token-exchange',
      attributes['standard.token.exchange.enabled'] === 'true',
    ],
    [
      'urn:ietf:params:oauth:grant-type:jwt-bearer',
      attributes['oauth2.jwt.authorization.grant.enabled'] === 'true',
    ],
    ['urn:openid:params:grant-type:ciba', attributes['oidc.ciba.grant.enabled'] === 'true'],
  ];
  return types.filter(([, is]) => is).map(([type]) => type);
}

// Attributes also contain rotated client secrets and SAML keys. The time of a secret's creation is kept, because it shows
// that a compromised secret was replaced.
const CONFIDENTIAL = /secret(?!\.creation\.time$)|private|password/i;

function attributesOf(value: unknown, place: string): Record<string, string> {
  if (value === undefined || value === null) return {};
  if (!isRecord(value)) throw wrongShape(place, 'the attributes of a client are not an object');
  const attributes: [string, string][] = [];
  for (const [name, text] of Object.entries(value)) {
    if (typeof text === 'string' && !CONFIDENTIAL.test(name)) attributes.push([name, text]);
  }
  return Object.fromEntries(attributes);
}
