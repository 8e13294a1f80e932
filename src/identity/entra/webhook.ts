import { createHash } from 'node:crypto';
import { z } from 'zod';
import { RejectedEvent } from '../../errors.js';
import { providerKey } from '../../model/key.js';
import type { Secret } from '../../model/secret.js';
import type { Trigger } from '../../model/trigger.js';
import { invalidEvent, parseEventBody } from '../event-body.js';
import { verifyStaticSecret } from '../signature.js';
import type { EventSource, IdentityEvent, RawRequest, Reception } from '../source.js';
import type { Upkeep } from './subscription.js';
import { type EntraTenant, isGuid } from './tenant.js';

export interface EntraSourceOptions {
  readonly provider: string;
  readonly tenant: EntraTenant;
  /** `clientState` of the subscriptions; several while one is rotated. */
  readonly secrets: readonly Secret[];
  /** Shared with the subscription, which does what lifecycle notifications ask for. */
  readonly upkeep: Upkeep;
  /** The longest body; 1 MiB by default. */
  readonly maxBytes?: number;
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

const BATCH = z.object({ value: z.array(NOTIFICATION).min(1).max(5000) });

/**
 * Change notifications of Graph about users and groups
 * (https://learn.microsoft.com/graph/change-notifications-delivery-webhooks). Their only proof is `clientState`, a text
 * that never changes, so they are hints alone: neither an order nor evidence. A notification without an id of its own
 * cannot be told from the next one about the same object, so none is taken for a repetition.
 */
export function createEntraSource(options: EntraSourceOptions): EventSource {
  const { provider, tenant, secrets, upkeep, maxBytes = 1024 * 1024 } = options;

  const toEvent = (notification: Notification, at: number, request: RawRequest): IdentityEvent => {
    const { id, lifecycleEvent, subscriptionId, tenantId } = notification;
    const told = createHash('sha256').update(JSON.stringify(notification)).digest('base64url');
    const eventId = `notification/${id ?? `${told}/${request.receivedAt}/${at}`}`;
    const nothing = { id: eventId, triggers: [], orders: [] };
    // Several tenants may share a secret; what happens in another one says nothing of this provider.
    if (tenantId != null && isGuid(tenantId) && tenantId.toLowerCase() !== tenant.tenantId) return nothing;
    const cause = { kind: 'webhook', eventId, receivedAt: request.receivedAt } as const;
    const trigger: Trigger = { key: providerKey(provider), cause, urgent: true };
    if (lifecycleEvent == null) return { ...nothing, triggers: [{ ...trigger, members: true }] };
    upkeep.note(lifecycleEvent, subscriptionId);
    // A subscription that only wants to be authorised again has lost nothing yet.
    if (lifecycleEvent === 'reauthorizationRequired') return nothing;
    return { ...nothing, triggers: [{ ...trigger, fullRead: true }] };
  };

  return {
    provider,
    async receive(request): Promise<Reception> {
      if (request.method !== 'POST') throw invalidEvent('Graph sends notifications by POST');
      const { validationToken } = request.query;
      if (validationToken !== undefined) return reply(validationToken);
      if (request.body.byteLength > maxBytes) {
        throw new RejectedEvent('ERR_EVENT_INVALID', `the body is longer than ${maxBytes} bytes`, 413);
      }
      const notifications = parseBatch(request.body);
      // One delivery may bundle subscriptions, one of them older than the last rotation of the secret.
      const proven = notifications.filter(({ clientState }) =>
        verifyStaticSecret(secrets, clientState ?? undefined),
      );
      if (proven.length === 0) {
        throw new RejectedEvent('ERR_SIGNATURE', 'no notification has a clientState that is known', 401);
      }
      const events = proven.map((each, at) => toEvent(each, at, request));
      const unproven = notifications.length - proven.length;
      if (unproven === 0) return { kind: 'events', events };
      const message = `${unproven} of ${notifications.length} notifications have no clientState that is known`;
      return { kind: 'events', events, rejected: [new RejectedEvent('ERR_SIGNATURE', message, 401)] };
    },
  };
}

/** Graph asks whether the address wants notifications; a text that could be markup is no token of Graph's. */
function reply(validationToken: string): Reception {
  if (!/^[\x20-\x7e]{1,4096}$/.test(validationToken) || /[<>&"']/.test(validationToken)) {
    throw invalidEvent('validationToken has characters that Graph does not send');
  }
  return { kind: 'reply', status: 200, contentType: 'text/plain', body: validationToken };
}

function parseBatch(body: Uint8Array): readonly Notification[] {
  const batch = BATCH.safeParse(parseEventBody(body));
  if (!batch.success) throw invalidEvent('the body is no collection of change notifications');
  return batch.data.value;
}
