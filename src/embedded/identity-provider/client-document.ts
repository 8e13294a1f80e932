import { z } from 'zod';
import { Secret } from '../../model/secret.js';
import type { EmbeddedClient, StoredClient } from './client-store.js';

const text = z.string().min(1).max(255);
const scope = z
  .string()
  .max(512)
  .regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, 'is no scope of RFC 6749');

const fields = {
  name: z.string().max(1024),
  enabled: z.boolean(),
  grantTypes: z.array(text).max(50),
  scopes: z.array(scope).max(5000),
  accessTokenLifetimeSeconds: z.int().min(1).max(86_400),
  attributes: z.record(z.string(), z.string().max(16_384)),
  clientSecret: z.string().min(1).max(1024),
};

const whole = z
  .strictObject({ ...fields, clientId: text })
  .partial()
  .required({ scopes: true });
const patch = z
  .strictObject({ ...fields, attributes: z.record(z.string(), z.string().max(16_384).nullable()) })
  .partial();

/** Parses the body of PUT /clients/<id>. Throws ZodError, also for an unknown key, because it may be mistyped. */
export function parseClientBody(json: unknown, clientId: string): EmbeddedClient {
  const { clientSecret, clientId: named, ...client } = whole.parse(json);
  if (named !== undefined && named !== clientId)
    throw new TypeError('clientId differs from the client in the path');
  return { ...client, clientId, secret: toSecret(clientSecret) };
}

/** Parses the body of PATCH /clients/<id>. Attributes are merged one by one, and null removes one. */
export function applyPatch(json: unknown, before: StoredClient): EmbeddedClient {
  const { clientSecret, attributes = {}, ...client } = patch.parse(json);
  const merged = Object.entries({ ...before.attributes, ...attributes });
  return {
    ...before,
    ...client,
    scopes: client.scopes ?? before.scopes,
    attributes: Object.fromEntries(merged.filter((entry): entry is [string, string] => entry[1] !== null)),
    secret: toSecret(clientSecret) ?? before.secret,
  };
}

/** The client in the `oidc` document: everything except the secret. */
export function toDocument(client: StoredClient): Readonly<Record<string, unknown>> {
  const { secret: _secret, ...shown } = client;
  return shown;
}

function toSecret(value: string | undefined): Secret | undefined {
  return value === undefined ? undefined : new Secret(value);
}
