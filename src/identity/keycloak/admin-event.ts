import { definedFields } from '../../model/defined-fields.js';
import { isRecord } from '../../model/is-record.js';
import { jsonIn } from '../../model/json-in.js';
import { textIn } from '../records.js';
import type { JsonObject } from './json.js';

/** An event of Keycloak, from the webhook or from the log. The two differ only in a few fields. */
export type KeycloakEvent = NonNullable<ReturnType<typeof parseEvent>>;

/** What an administrator did. */
export type AdminOperation = NonNullable<ReturnType<typeof parseOperation>>;

/** Undefined if the value is not an event of Keycloak. */
export function parseEvent(value: unknown) {
  if (!isRecord(value)) return undefined;
  const id = textIn(value, 'id');
  const occurredAt = instantOf(value.time);
  if (id === undefined || id.length > 100 || occurredAt === undefined) return undefined;
  const admin = parseOperation(value);
  const type = textIn(value, 'type');
  const isAccess = admin === undefined && type !== undefined && !type.startsWith('admin.');
  // An admin event without an operation is invalid.
  if (admin === undefined && !isAccess) return undefined;
  const by = value.authDetails;
  const ip = textIn(by, 'ipAddress');
  const username = textIn(by, 'username');
  const clientId = textIn(by, 'clientId');
  const who = username ?? textIn(by, 'userId') ?? clientId;
  const isOfRealm = textIn(by, 'realmId') !== undefined && textIn(by, 'realmId') === value.realmId;
  return {
    id,
    /** ISO 8601 by Keycloak's clock. */
    occurredAt,
    /** Only webhooks name the realm. */
    realm: textIn(value, 'realmName'),
    /** Undefined for an event of a user (a login). */
    admin,
    /** What a user or a client did. The type has a form like `LOGIN`. */
    access: isAccess ? { type: type.replace(/^access\./, ''), clientId } : undefined,
    principal: who === undefined ? undefined : { id: who, ...definedFields({ ip }) },
    /** The principal's user ID, if it is a user of this realm and the event does not state the user name. */
    userId: isOfRealm && username === undefined ? textIn(by, 'userId') : undefined,
  };
}

function parseOperation(event: JsonObject) {
  const operation = textIn(event, 'operationType');
  const resourceType = textIn(event, 'resourceType');
  if (operation === undefined || resourceType === undefined) return undefined;
  const sent = typeof event.representation === 'string' ? jsonIn(event.representation) : undefined;
  const items: readonly JsonObject[] | undefined =
    Array.isArray(sent) && sent.every(isRecord) ? sent : undefined;
  return {
    operation,
    resourceType,
    /** Segments below the realm; none for the realm itself. */
    path: (textIn(event, 'resourcePath') ?? '').split('/').filter((segment) => segment !== ''),
    failed: textIn(event, 'error') !== undefined,
    /** The body of the administrator's request, or a part of it, if the realm keeps details. */
    representation: isRecord(sent) ? sent : undefined,
    /** The same if the body is a list. */
    items,
  };
}

/** A time of Keycloak as ISO 8601; undefined if it is no valid time. */
export function instantOf(time: unknown): string | undefined {
  // Only four-digit years: ISO 8601 writes later years in another form.
  if (typeof time !== 'number' || !Number.isSafeInteger(time) || time < 0 || time > 253_402_300_799_999) {
    return undefined;
  }
  return new Date(time).toISOString();
}
