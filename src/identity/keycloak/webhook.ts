import { RejectedEvent } from '../../errors.js';
import type { Secret } from '../../model/secret.js';
import { invalidEvent, parseEventBody } from '../event-body.js';
import { verifyHmacSha256 } from '../signature.js';
import type { EventSource, IdentityEvent, RawRequest } from '../source.js';
import { type KeycloakEvent, parseEvent } from './admin-event.js';
import { toIdentityEvent } from './events.js';
import { parseIssuer } from './issuer.js';
import { createKeycloakNames, type KeycloakNames } from './names.js';

export interface KeycloakSourceOptions {
  readonly provider: string;
  readonly issuer: string;
  readonly insecure?: boolean;
  /** Of the webhook at the realm; several while one is rotated. */
  readonly secrets: readonly Secret[];
  readonly serviceAccountRoles: boolean;
  readonly apis?: readonly string[];
  /** The longest body; 1 MiB by default. */
  readonly maxBytes?: number;
  readonly names?: KeycloakNames;
}

/** Shorter than the intake remembers ids; longer than Keycloak tries again, which it does in memory alone. */
const BELIEVED_MS = 6 * 24 * 3600_000;

const SIGNATURE = 'x-keycloak-signature';

/**
 * Events as the webhook extension of Phase Two sends them: one to a request, signed with the hex HMAC-SHA256 of
 * the raw body. The signature covers no time, so an old event can be sent again; being a hint that leads to a
 * new read, it does no harm, and its id tells it apart for as long as ids are remembered. Beyond that it is a hint
 * and no more: neither an order nor evidence that would carry a removal past the mass guard.
 */
export function createKeycloakSource(options: KeycloakSourceOptions): EventSource {
  const { provider, secrets, serviceAccountRoles, maxBytes = 1024 * 1024 } = options;
  const { realm } = parseIssuer(options.issuer, options.insecure);
  const names = options.names ?? createKeycloakNames();
  const whichApis = options.apis === undefined ? {} : { apis: options.apis };
  return {
    provider,
    async receive(request) {
      if (request.body.byteLength > maxBytes) {
        throw new RejectedEvent('ERR_EVENT_INVALID', `the event is longer than ${maxBytes} bytes`, 413);
      }
      if (!verifyHmacSha256(secrets, request.body, request.headers[SIGNATURE], 'hex')) {
        throw new RejectedEvent('ERR_SIGNATURE', `the event has no valid ${SIGNATURE}`, 401);
      }
      const event = parse(request);
      // Several realms may share a secret; what happens in another one says nothing of this provider's clients.
      if (event.realm !== realm) {
        const ignored = { id: event.id, occurredAt: event.occurredAt, triggers: [], orders: [] };
        return { kind: 'events', events: [ignored] };
      }
      const { receivedAt } = request;
      const context = {
        provider,
        kind: 'webhook',
        receivedAt,
        serviceAccountRoles,
        ...whichApis,
        names,
      } as const;
      const told = toIdentityEvent(event, context);
      const isOld = Date.parse(receivedAt) - Date.parse(event.occurredAt) > BELIEVED_MS;
      return { kind: 'events', events: [isOld ? toHint(told) : told] };
    },
  };
}

function toHint(event: IdentityEvent): IdentityEvent {
  return { ...event, triggers: event.triggers.map(({ evidence: _, ...trigger }) => trigger), orders: [] };
}

function parse({ body }: RawRequest): KeycloakEvent {
  const event = parseEvent(parseEventBody(body));
  if (event === undefined) throw invalidEvent('the event is none that Keycloak sends');
  return event;
}
