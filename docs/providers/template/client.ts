import { z } from 'zod';
import { ClientUnreadable } from '../../../src/errors.js';
import type { OAuthClient } from '../../../src/model/client.js';

// Only what is read is named: an IdP may add what it likes. But what is read must be there, and be of the type that
// the IdP's documentation says; name the page here.
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
 * One client of an answer, or ClientUnreadable, which the complete read lists: left out it would look deleted, and what
 * it may do would be closed.
 */
export function parseClient(
  value: unknown,
  options: { readonly provider: string; readonly apis: readonly string[] },
  place: string,
): OAuthClient {
  const parsed = CLIENT.safeParse(value);
  if (!parsed.success) {
    const clientId = z.object({ clientId: CLIENT.shape.clientId }).safeParse(value).data?.clientId;
    throw new ClientUnreadable(place, clientId, 'it has another form than expected');
  }
  const { id, clientId, enabled, grantTypes, grants, tokenLifetime, metadata } = parsed.data;
  return {
    provider: options.provider,
    clientId,
    internalId: id,
    enabled,
    grantTypes,
    // A scope is (provider, api, name). Those of APIs that nobody listed are none of ours.
    grants: grants
      .filter(({ api }) => options.apis.includes(api))
      .map(({ api, scope }) => ({ api, name: scope })),
    // Where the IdP gives a range: its lower end.
    ...(tokenLifetime === undefined ? {} : { accessTokenLifetimeSeconds: tokenLifetime }),
    // `consul-services` names the services that may claim the client.
    attributes: metadata,
  };
}
