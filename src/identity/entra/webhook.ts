import { z } from 'zod';
import { safeParse } from '../../safe-parse.js';
import { digestOf } from '../digest.js';
import { fullRead, membersRead } from '../effects.js';
import { invalidEvent, parseEventBody, unprovenEvent } from '../event-body.js';
import { verifyStaticSecret } from '../signature.js';
import type { EventSource, IdentityEvent, RawRequest, Reception } from '../source.js';
import { createWebhook, type SourceOptions } from '../webhook.js';
import { type EntraTenant, isGuid } from './tenant.js';

/** A secret is the `clientState` of subscriptions. */
interface EntraSourceOptions extends SourceOptions {
  readonly tenant: EntraTenant;
  /** The IDs of subscriptions to renew. Shared with the subscription, which does what lifecycle notifications request. */
  readonly requestedRenewals: Set<string>;
}

const text = z.string().min(1).max(1024);
const NOTIFICATION = z.object({
  id: text.nullish(),
  subscriptionId: text,
  clientState: z.string().max(1024).nullish(),
  tenantId: text.nullish(),
  lifecycleEvent: text.nullish(),
  changeType: text.nullish(),
  resource: text.nullish(),
});
type Notification = z.output<typeof NOTIFICATION>;

const MAX_RENEWALS = 1000;
const BATCH = z.object({ value: z.array(NOTIFICATION).min(1).max(5000) });

/**
 * Change notifications of Graph about users and groups
 * (https://learn.microsoft.com/graph/change-notifications-delivery-webhooks). Their only proof is `clientState`, a constant
 * text. So they are only hints: neither orders nor evidence. A notification without an ID looks like the next one
 * about the same object, so it never counts as a duplicate.
 */
export function createEntraSource(options: EntraSourceOptions): EventSource {
  const { provider, tenant, secrets, requestedRenewals } = options;

  const toEvent = (notification: Notification, at: number, request: RawRequest): IdentityEvent => {
    const { id, lifecycleEvent, subscriptionId, tenantId } = notification;
    const eventId = `notification/${id ?? `${digestOf(notification)}/${request.receivedAt}/${at}`}`;
    const nothing = { id: eventId, triggers: [], orders: [] };
    // Tenants may share a secret. Notifications of another tenant do not concern this provider.
    if (tenantId != null && isGuid(tenantId) && tenantId.toLowerCase() !== tenant.tenantId) return nothing;
    const cause = { kind: 'webhook', eventId, receivedAt: request.receivedAt } as const;
    if (lifecycleEvent == null) return { ...nothing, triggers: [membersRead(provider, cause)] };
    // The sender is proven, but its errors must not fill the memory.
    if (requestedRenewals.size < MAX_RENEWALS) requestedRenewals.add(subscriptionId);
    // A subscription that must be authorized again has lost nothing yet.
    if (lifecycleEvent === 'reauthorizationRequired') return nothing;
    return { ...nothing, triggers: [fullRead(provider, cause)] };
  };

  return createWebhook({
    provider,
    handshake({ method, query: { validationToken } }) {
      if (method !== 'POST') throw invalidEvent('Graph sends notifications by POST');
      return validationToken === undefined ? undefined : reply(validationToken);
    },
    // The proof is in the body: each notification has its own.
    verify({ body }) {
      const batch = safeParse(BATCH, parseEventBody(body));
      if (!batch.success) throw invalidEvent('the request body is not a collection of change notifications');
      // One delivery may combine subscriptions, and one of them may be older than the last rotation of the secret.
      const proven = batch.data.value.filter(({ clientState }) =>
        verifyStaticSecret(secrets, clientState ?? undefined),
      );
      if (proven.length === 0) throw unprovenEvent('no notification has a known clientState');
      return { proven, total: batch.data.value.length };
    },
    receive(request, { proven, total }) {
      const events = proven.map((each, at) => toEvent(each, at, request));
      if (proven.length === total) return { events };
      const message = `${total - proven.length} of ${total} notifications have no known clientState`;
      return { events, rejected: [unprovenEvent(message)] };
    },
  });
}

/** Graph tests the address with a token. A token that could be markup does not come from Graph. */
function reply(validationToken: string): Reception {
  if (!/^[\x20-\x7e]{1,4096}$/.test(validationToken) || /[<>&"']/.test(validationToken)) {
    throw invalidEvent('validationToken contains characters that Graph does not send');
  }
  return { kind: 'reply', status: 200, contentType: 'text/plain', body: validationToken };
}
