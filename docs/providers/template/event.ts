import { z } from 'zod';
import type { IdentityEvent } from '../../../src/identity/source.js';
import type { Cause } from '../../../src/model/cause.js';
import { clientKey, providerKey } from '../../../src/model/key.js';
import type { RevocationOrder } from '../../../src/model/order.js';
import type { Evidence } from '../../../src/model/trigger.js';

export const EVENT = z.object({
  /** The same by webhook and in the log: it is how an event is known to have been taken already. */
  id: z.string().min(1).max(255),
  at: z.iso.datetime(),
  type: z.string().min(1).max(255),
  clientId: z.string().min(1).max(255).optional(),
  api: z.string().max(1024).optional(),
  scope: z.string().max(1024).optional(),
});
export type TemplateEvent = z.infer<typeof EVENT>;

/**
 * | type | what follows |
 * |---|---|
 * | `client.created`, `client.updated` | the client is read |
 * | `client.disabled`, `client.deleted` | the same; closed where it cannot be read (an order) |
 * | `scope.deleted` | everything is read: every holder has lost it |
 * | anything else | nothing |
 *
 * An event only says where to look. What it says of removals is kept as evidence, so that a removal that is found
 * later is known to be meant.
 */
export function toIdentityEvent(
  event: TemplateEvent,
  context: { readonly provider: string; readonly kind: 'webhook' | 'poll'; readonly receivedAt: string },
): IdentityEvent {
  const { provider, kind, receivedAt } = context;
  const { id, at, type, clientId, api, scope } = event;
  const cause: Cause = { kind, eventId: id, receivedAt };
  const base = { id, occurredAt: at };
  if (type === 'scope.deleted' && scope !== undefined) {
    const evidence: Evidence = { provider, scopes: [scope], ...(api === undefined ? {} : { api }) };
    const trigger = { key: providerKey(provider), cause, urgent: true, fullRead: true, evidence: [evidence] };
    return { ...base, triggers: [trigger], orders: [] };
  }
  if (!type.startsWith('client.') || clientId === undefined) return { ...base, triggers: [], orders: [] };
  const evidence: Evidence = { provider, clients: [clientId] };
  // All but a creation may take something away, and goes before what only grants.
  const urgent = type === 'client.created' ? {} : { urgent: true };
  const trigger = { key: clientKey(provider, clientId), cause, evidence: [evidence], ...urgent };
  return { ...base, triggers: [trigger], orders: ordersOf(event, clientId, provider, cause) };
}

/** Only from what is proven: a signed event, or a log that was read with our token. Never by a static header. */
function ordersOf(
  { type, at }: TemplateEvent,
  clientId: string,
  provider: string,
  cause: Cause,
): readonly RevocationOrder[] {
  if (type !== 'client.disabled' && type !== 'client.deleted') return [];
  const kind = type === 'client.disabled' ? 'client-disabled' : 'client-deleted';
  return [{ kind, provider, clientId, at, cause }];
}
