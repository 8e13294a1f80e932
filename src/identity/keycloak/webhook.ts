import { withoutEvidence } from '../effects.js';
import { invalidEvent, parseEventBody, unprovenEvent } from '../event-body.js';
import { verifyHmacSha256 } from '../signature.js';
import type { EventSource, IdentityEvent } from '../source.js';
import { createWebhook, MAX_REPLAY_AGE_MS, type SourceOptions } from '../webhook.js';
import { parseEvent } from './admin-event.js';
import type { KeycloakDirectoryOptions } from './directory.js';
import { toIdentityEvent } from './events.js';
import { parseIssuer } from './issuer.js';

export type KeycloakSourceOptions = SourceOptions &
  Pick<KeycloakDirectoryOptions, 'issuer' | 'insecure' | 'serviceAccountRoles' | 'apis' | 'names'>;

const SIGNATURE = 'x-keycloak-signature';

/**
 * Events of the Phase Two webhook extension: one per request, signed with the hex HMAC-SHA256 of the raw body. The
 * signature covers no time, so an old event can be replayed. While event IDs are remembered, its ID shows that. After that
 * time it is only a hint that leads to a read: neither an order, nor evidence that would take a removal past the mass
 * guard.
 */
export function createKeycloakSource(options: KeycloakSourceOptions): EventSource {
  const { provider, secrets, serviceAccountRoles, apis, names } = options;
  const { realm } = parseIssuer(options.issuer, options.insecure);
  return createWebhook({
    provider,
    verify({ body, headers }) {
      if (!verifyHmacSha256(secrets, body, headers[SIGNATURE], 'hex'))
        throw unprovenEvent(`the request has no valid ${SIGNATURE} header`);
    },
    receive({ body, receivedAt }) {
      const event = parseEvent(parseEventBody(body));
      if (event === undefined) throw invalidEvent('the request body is not an event of Keycloak');
      // Realms may share a secret. Events of another realm do not concern this provider's clients.
      if (event.realm !== realm)
        return { events: [{ id: event.id, occurredAt: event.occurredAt, triggers: [], orders: [] }] };
      const context = { provider, kind: 'webhook', receivedAt, serviceAccountRoles, apis, names } as const;
      const identityEvent = toIdentityEvent(event, context);
      const isOld = Date.parse(receivedAt) - Date.parse(event.occurredAt) > MAX_REPLAY_AGE_MS;
      return { events: [isOld ? toHint(identityEvent) : identityEvent] };
    },
  });
}

function toHint(event: IdentityEvent): IdentityEvent {
  return { ...event, triggers: event.triggers.map(withoutEvidence), orders: [] };
}
