import type { RawRequest } from '../../../src/identity/source.js';
import { TENANT_ID } from './entra.js';
import { shape } from './shapes.js';
import { guidOf } from './tenant.js';

/** One notification about a person, as Graph sends it. */
export function notification(fields: object = {}): Record<string, unknown> {
  const id = guidOf('ann');
  const { resourceData, clientState: _, ...rest } = shape('change-notification', { resource: `Users/${id}` });
  return {
    ...rest,
    subscriptionId: guidOf('subscription'),
    resourceData: { ...(resourceData as object), '@odata.id': `Users/${id}`, id, organizationId: TENANT_ID },
    tenantId: TENANT_ID,
    ...fields,
  };
}

export function requestOf(body: unknown, query: Record<string, string> = {}, atMs = 0): RawRequest {
  return {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    query,
    body: body instanceof Uint8Array ? body : new TextEncoder().encode(JSON.stringify(body)),
    receivedAt: new Date(atMs).toISOString(),
  };
}
