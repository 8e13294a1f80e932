import { z } from 'zod';
import { ClientUnreadable } from '../../../src/errors.js';
import type { OAuthClient } from '../../../src/model/client.js';

// Only the fields that are read: an identity provider may add others. But these fields must exist and have the documented
// type. Name the page of the documentation here.
const CLIENT = z.object({
  id: z.string().min(1),
  clientId: z.string().min(1),
  enabled: z.boolean(),
  grantTypes: z.array(z.string()),
  grants: z.array(z.object({ api: z.string(), scope: z.string() })),
  tokenLifetime: z.number().optional(),
  metadata: z.record(z.string(), z.string()).prefault({}),
});

/**
 * One client of an answer. Throws ClientUnreadable, which the complete read lists. If it were left out, it would look deleted,
 * and its access would be closed.
 */
export function parseClient(
  value: unknown,
  options: { readonly provider: string; readonly apis: readonly string[] },
  place: string,
): OAuthClient {
  const parsed = CLIENT.safeParse(value);
  if (!parsed.success) {
    const clientId = z.object({ clientId: CLIENT.shape.clientId }).safeParse(value).data?.clientId;
    throw new ClientUnreadable(place, clientId, 'it does not have the documented form');
  }
  const { id, clientId, enabled, grantTypes, grants, tokenLifetime, metadata } = parsed.data;
  return {
    provider: options.provider,
    clientId,
    internalId: id,
    enabled,
    grantTypes,
    // A scope is (provider, api, name). Scopes of APIs that are not configured do not count.
    grants: grants
      .filter(({ api }) => options.apis.includes(api))
      .map(({ api, scope }) => ({ api, name: scope })),
    // If the identity provider gives a range, its lower end.
    ...(tokenLifetime === undefined ? {} : { accessTokenLifetimeSeconds: tokenLifetime }),
    // `consul-services` names the services that may claim the client.
    attributes: metadata,
  };
}
