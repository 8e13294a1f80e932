import { z } from 'zod';
import type { Grant, OAuthClient } from '../../model/client.js';
import { definedFields } from '../../model/defined-fields.js';

/**
 * The fields of an application that are read (auth0.com/docs/api/management/v2/clients/get-clients). Its secret and signing
 * keys are never requested. Auth0 states `grant_types` and `is_first_party` only with the permission read:clients, so an
 * answer without them is not a complete client.
 */
export const CLIENT = z.object({
  client_id: z.string().min(1).max(255),
  name: z.string().optional(),
  global: z.boolean().optional(),
  is_first_party: z.boolean(),
  grant_types: z.array(z.string()),
  client_metadata: z.record(z.string(), z.unknown()).nullish(),
});
export type Auth0Client = z.output<typeof CLIENT>;

export const CLIENT_FIELDS = {
  fields: Object.keys(CLIENT.shape).join(','),
  include_fields: true,
} as const;

/** Auth0's own names of grant types in `grant_types`. */
const GRANT_TYPES: Readonly<Record<string, string>> = {
  'http://auth0.com/oauth/grant-type/password-realm': 'password',
  'http://auth0.com/oauth/grant-type/mfa-oob': 'password',
  'http://auth0.com/oauth/grant-type/mfa-otp': 'password',
  'http://auth0.com/oauth/grant-type/mfa-recovery-code': 'password',
  'http://auth0.com/oauth/grant-type/passwordless/otp': 'password',
};

/** A client grant: what a client may obtain of one API (auth0.com/docs/api/management/v2/client-grants). */
export const CLIENT_GRANT = z.object({
  id: z.string().min(1),
  /** Absent for a default that all third-party clients get, which opens nothing here. */
  client_id: z.string().optional(),
  audience: z.string(),
  scope: z.array(z.string()).nullish(),
  allow_all_scopes: z.boolean().nullish(),
  subject_type: z.string().nullish(),
  organization_usage: z.string().nullish(),
  allow_any_organization: z.boolean().nullish(),
});
export type ClientGrant = z.output<typeof CLIENT_GRANT>;

const POLICY = z.object({ policy: z.string().nullish() }).nullish();

/** An API (auth0.com/docs/api/management/v2/resource-servers). Lifetimes are in seconds. */
export const RESOURCE_SERVER = z.object({
  id: z.string().min(1),
  identifier: z.string(),
  scopes: z.array(z.object({ value: z.string() })).nullish(),
  token_lifetime: z.number().nullish(),
  token_lifetime_for_web: z.number().nullish(),
  subject_type_authorization: z.object({ client: POLICY, user: POLICY }).nullish(),
});
export type ResourceServer = z.output<typeof RESOURCE_SERVER>;

/**
 * Whether the client can get a token by the grant. A grant for the client itself needs the grant type client_credentials; a
 * grant for users needs a grant type with which a user can sign in. Neither helps if the API denies it to all. A grant for
 * anonymous users opens nothing.
 */
function isUsable(
  { subject_type, audience }: ClientGrant,
  grantTypes: readonly string[],
  apis: ReadonlyMap<string, ResourceServer>,
): boolean {
  const subject = subject_type ?? 'client';
  if (subject !== 'client' && subject !== 'user') return false;
  if (apis.get(audience)?.subject_type_authorization?.[subject]?.policy === 'deny_all') return false;
  if (subject === 'client') return grantTypes.includes('client_credentials');
  // A refresh token comes from another flow. It signs nobody in.
  return grantTypes.some((type) => !['client_credentials', 'refresh_token'].includes(type));
}

/** `apis` are the resource servers that count, by identifier. */
export function toOAuthClient(
  provider: string,
  client: Auth0Client,
  clientGrants: readonly ClientGrant[],
  apis: ReadonlyMap<string, ResourceServer>,
): OAuthClient {
  const grantTypes = [...new Set(client.grant_types.map((type) => GRANT_TYPES[type] ?? type))].sort();
  const counted = clientGrants.filter(
    (grant) => grant.client_id === client.client_id && isUsable(grant, grantTypes, apis),
  );
  return {
    provider,
    clientId: client.client_id,
    ...definedFields({ name: client.name, accessTokenLifetimeSeconds: lifetimeOf(counted, apis) }),
    // Auth0 cannot disable a client. A client without a grant type gets no token.
    enabled: grantTypes.length > 0,
    grantTypes,
    grants: counted.flatMap((grant) => grantsOf(grant, apis)),
    attributes: textsOf(client.client_metadata),
  };
}

function grantsOf(grant: ClientGrant, apis: ReadonlyMap<string, ResourceServer>): readonly Grant[] {
  const api = apis.get(grant.audience);
  if (api === undefined) return [];
  const offered = scopesOf(api);
  // A grant may still name a scope that its API no longer has.
  const named = (grant.scope ?? []).filter((name) => api.scopes == null || offered.includes(name));
  const names = grant.allow_all_scopes ? offered : named;
  return [...new Set(names)].sort().map((name) => ({ api: grant.audience, name }));
}

export function scopesOf(api: ResourceServer): readonly string[] {
  return (api.scopes ?? []).map(({ value }) => value);
}

/** The shortest lifetime of the APIs of the client's grants. An API may have another lifetime for browsers. */
function lifetimeOf(
  grants: readonly ClientGrant[],
  apis: ReadonlyMap<string, ResourceServer>,
): number | undefined {
  const found = grants.flatMap(({ audience }) => {
    const api = apis.get(audience);
    return [api?.token_lifetime, api?.token_lifetime_for_web].filter(
      (seconds) => typeof seconds === 'number' && Number.isSafeInteger(seconds) && seconds > 0,
    );
  });
  return found.length === 0 ? undefined : Math.min(...found.map(Number));
}

function textsOf(metadata: Auth0Client['client_metadata']): Readonly<Record<string, string>> {
  const texts = Object.entries(metadata ?? {}).flatMap(([name, value]) =>
    typeof value === 'string' ? [[name, value] as const] : [],
  );
  return Object.fromEntries(texts);
}
