import { isObject, type JsonObject, objectIn, objectsIn, textAt } from './json.js';

/** One event of Keycloak, by webhook or read from the log; the two differ in a few fields only. */
export interface KeycloakEvent {
  readonly id: string;
  /** ISO 8601 by Keycloak's clock. */
  readonly occurredAt: string;
  /** Only webhooks name the realm. */
  readonly realm?: string;
  /** What an administrator did; absent for an event of a user (a login). */
  readonly admin?: {
    readonly operation: string;
    readonly resourceType: string;
    /** Segments below the realm; none for the realm itself. */
    readonly path: readonly string[];
    /** The body of the administrator's request, or part of it, if the realm keeps details. */
    readonly representation?: JsonObject;
    /** The same, where the body is a list. */
    readonly items?: readonly JsonObject[];
    readonly failed: boolean;
  };
  /** What a user or a client did: the type as in `LOGIN`. */
  readonly access?: { readonly type: string; readonly clientId?: string };
  readonly principal?: { readonly id: string; readonly ip?: string };
  /** Of the principal, where it is a user of this very realm whose name is not told. */
  readonly userId?: string;
}

/** Undefined for anything that is not an event of Keycloak. */
export function parseEvent(value: unknown): KeycloakEvent | undefined {
  if (!isObject(value)) return undefined;
  const id = textAt(value, 'id');
  const occurredAt = instantOf(value.time);
  if (id === undefined || id.length > 100 || occurredAt === undefined) return undefined;
  const realm = textAt(value, 'realmName');
  const by = isObject(value.authDetails) ? value.authDetails : {};
  const ip = textAt(by, 'ipAddress');
  const who = textAt(by, 'username') ?? textAt(by, 'userId') ?? textAt(by, 'clientId');
  const userId = textAt(by, 'username') === undefined ? textAt(by, 'userId') : undefined;
  const isOfRealm = textAt(by, 'realmId') !== undefined && by.realmId === value.realmId;
  const origin = {
    id,
    occurredAt,
    ...(realm === undefined ? {} : { realm }),
    ...(userId === undefined || !isOfRealm ? {} : { userId }),
    ...(who === undefined ? {} : { principal: { id: who, ...(ip === undefined ? {} : { ip }) } }),
  };
  const operation = textAt(value, 'operationType');
  const resourceType = textAt(value, 'resourceType');
  if (operation !== undefined && resourceType !== undefined) {
    const representation = objectIn(value.representation);
    const path = (textAt(value, 'resourcePath') ?? '').split('/').filter((segment) => segment !== '');
    const failed = textAt(value, 'error') !== undefined;
    const items = representation === undefined ? objectsIn(value.representation) : undefined;
    const body = { ...(representation && { representation }), ...(items && { items }) };
    return { ...origin, admin: { operation, resourceType, path, failed, ...body } };
  }
  const type = textAt(value, 'type');
  if (type === undefined) return undefined;
  // An administrator's event without its operation is broken; everything else is somebody's doing.
  if (type.startsWith('admin.')) return undefined;
  const clientId = textAt(by, 'clientId');
  const access = { type: type.replace(/^access\./, '') };
  return { ...origin, access: clientId === undefined ? access : { ...access, clientId } };
}

/** ISO 8601 of what Keycloak gives as a time; undefined for what is none. */
export function instantOf(time: unknown): string | undefined {
  // Four-digit years: what lies beyond has another form in ISO 8601.
  if (typeof time !== 'number' || !Number.isSafeInteger(time) || time < 0 || time > 253_402_300_799_999) {
    return undefined;
  }
  return new Date(time).toISOString();
}
