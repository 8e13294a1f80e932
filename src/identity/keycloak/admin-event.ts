import { definedFields } from '../../model/defined-fields.js';
import { isRecord } from '../../model/is-record.js';
import { jsonIn } from '../../model/json-in.js';
import { textIn } from '../records.js';
import type { JsonObject } from './json.js';

/** What an administrator did. */
export interface AdminOperation {
  readonly operation: string;
  readonly resourceType: string;
  /** Segments below the realm; none for the realm itself. */
  readonly path: readonly string[];
  /** The body of the administrator's request, or a part of it, if the realm keeps details. */
  readonly representation?: JsonObject;
  /** The same if the body is a list. */
  readonly items?: readonly JsonObject[];
  readonly failed: boolean;
}

/** An event of Keycloak, from the webhook or from the log. The two differ only in a few fields. */
export interface KeycloakEvent {
  readonly id: string;
  /** ISO 8601 by Keycloak's clock. */
  readonly occurredAt: string;
  /** Only webhooks name the realm. */
  readonly realm?: string;
  /** Absent for an event of a user (a login). */
  readonly admin?: AdminOperation;
  /** What a user or a client did. The type has a form like `LOGIN`. */
  readonly access?: { readonly type: string; readonly clientId?: string };
  readonly principal?: { readonly id: string; readonly ip?: string };
  /** The principal's user ID, if it is a user of this realm and the event does not state the user name. */
  readonly userId?: string;
}

/** Undefined if the value is not an event of Keycloak. */
export function parseEvent(value: unknown): KeycloakEvent | undefined {
  if (!isRecord(value)) return undefined;
  const id = textIn(value, 'id');
  const occurredAt = instantOf(value.time);
  if (id === undefined || id.length > 100 || occurredAt === undefined) return undefined;
  const by = value.authDetails;
  const ip = textIn(by, 'ipAddress');
  const username = textIn(by, 'username');
  const clientId = textIn(by, 'clientId');
  const who = username ?? textIn(by, 'userId') ?? clientId;
  const isOfRealm = textIn(by, 'realmId') !== undefined && textIn(by, 'realmId') === value.realmId;
  const origin = {
    id,
    occurredAt,
    ...definedFields({
      realm: textIn(value, 'realmName'),
      userId: isOfRealm && username === undefined ? textIn(by, 'userId') : undefined,
      principal: who === undefined ? undefined : { id: who, ...definedFields({ ip }) },
    }),
  };
  const operation = textIn(value, 'operationType');
  const resourceType = textIn(value, 'resourceType');
  if (operation !== undefined && resourceType !== undefined) {
    const path = (textIn(value, 'resourcePath') ?? '').split('/').filter((segment) => segment !== '');
    const failed = textIn(value, 'error') !== undefined;
    const sent = typeof value.representation === 'string' ? jsonIn(value.representation) : undefined;
    const body = isRecord(sent)
      ? { representation: sent }
      : Array.isArray(sent) && sent.every(isRecord)
        ? { items: sent }
        : {};
    return { ...origin, admin: { operation, resourceType, path, failed, ...body } };
  }
  const type = textIn(value, 'type');
  // An admin event without an operation is invalid.
  if (type === undefined || type.startsWith('admin.')) return undefined;
  return { ...origin, access: { type: type.replace(/^access\./, ''), ...definedFields({ clientId }) } };
}

/** A time of Keycloak as ISO 8601; undefined if it is no valid time. */
export function instantOf(time: unknown): string | undefined {
  // Only four-digit years: ISO 8601 writes later years in another form.
  if (typeof time !== 'number' || !Number.isSafeInteger(time) || time < 0 || time > 253_402_300_799_999) {
    return undefined;
  }
  return new Date(time).toISOString();
}
