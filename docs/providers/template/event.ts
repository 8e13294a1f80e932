import { z } from 'zod';
import {
  clientEvidence,
  clientOrder,
  fullRead,
  NO_EFFECT,
  onlyTriggers,
} from '../../../src/identity/effects.js';
import type { IdentityEvent } from '../../../src/identity/source.js';
import type { Cause } from '../../../src/model/cause.js';
import { clientKey } from '../../../src/model/key.js';
import type { RevocationOrder } from '../../../src/model/order.js';
import type { Evidence } from '../../../src/model/trigger.js';

export const EVENT = z.object({
  /** The same by webhook and in the log, so that duplicates are found. */
  id: z.string().min(1).max(255),
  at: z.iso.datetime(),
  type: z.string().min(1).max(255),
  clientId: z.string().min(1).max(255).optional(),
  api: z.string().max(1024).optional(),
  scope: z.string().max(1024).optional(),
});
export type TemplateEvent = z.infer<typeof EVENT>;

/**
 * | type | leads to |
 * |---|---|
 * | `client.created`, `client.updated` | a read of the client |
 * | `client.disabled`, `client.deleted` | the same, and an order: the client is closed if it cannot be read |
 * | `scope.deleted` | a complete read: every holder has lost it |
 * | anything else | nothing |
 *
 * An event only says where to look. What it says about removals is kept as evidence, so that a removal that a read finds is
 * known to be intended.
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
    return { ...base, ...onlyTriggers(fullRead(provider, cause, { evidence: [evidence] })) };
  }
  if (!type.startsWith('client.') || clientId === undefined) return { ...base, ...NO_EFFECT };
  // Everything except a creation may take something away, and is handled before grants.
  const urgent = type === 'client.created' ? {} : { urgent: true };
  const evidence = [clientEvidence(provider, { clientId })];
  return {
    ...base,
    triggers: [{ key: clientKey(provider, clientId), cause, evidence, ...urgent }],
    orders: ordersOf(event, clientId, provider, cause),
  };
}

/** Orders need proof: a signed event, or a log that was read with our credentials. A constant header is no proof. */
function ordersOf(
  { type, at }: TemplateEvent,
  clientId: string,
  provider: string,
  cause: Cause,
): readonly RevocationOrder[] {
  if (type !== 'client.disabled' && type !== 'client.deleted') return [];
  const kind = type === 'client.disabled' ? 'client-disabled' : 'client-deleted';
  return [clientOrder(kind, provider, { clientId }, at, cause)];
}
