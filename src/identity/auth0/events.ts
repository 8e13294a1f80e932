import type { Cause } from '../../model/cause.js';
import { definedFields } from '../../model/defined-fields.js';
import { clientKey } from '../../model/key.js';
import type { RevocationOrder } from '../../model/order.js';
import type { Evidence, Trigger } from '../../model/trigger.js';
import { fullRead, membersRead } from '../effects.js';
import { textIn } from '../records.js';
import type { EventOrigin, IdentityEvent } from '../source.js';
import type { LogEntry, Operation } from './log-entry.js';
import type { Auth0Names } from './names.js';

export interface EventContext extends EventOrigin {
  readonly provider: string;
  readonly names: Auth0Names;
}

/** What an operation leads to, before the cause is added. */
interface OperationEffect {
  readonly clients?: readonly string[];
  /** The directory as a whole: the clients are unknown. */
  readonly everything?: boolean;
  /** The members of the mapped roles. */
  readonly members?: boolean;
  readonly evidence?: Omit<Evidence, 'provider'>;
  readonly order?: Pick<RevocationOrder, 'kind' | 'clientId' | 'subject'>;
  /** The entry has only an ID. A read found whose grant, or which API, it is. */
  readonly isByName?: boolean;
  readonly isCreation?: boolean;
}

const NOTHING: OperationEffect = {};

/**
 * What a log entry means for clients, by method and path of the operation.
 *
 * | operation | leads to |
 * |---|---|
 * | `clients` and below | the client; an order if it was deleted and the entry was polled |
 * | `client-grants` and below | the client of the grant; everything if that client is unknown |
 * | `resource-servers` and below | everything, with the scopes that the API no longer has |
 * | `organizations/ID`, and `client-grants` below | everything: a grant may require an organization |
 * | `users/ID` blocked, deleted, or its sessions, refresh tokens or access ended | an order for the subject if the entry was polled |
 * | `users` and `roles` and below | the members of the mapped roles |
 *
 * A log stream proves itself by a constant header. So it brings hints and never orders, and it may arrive before a read has
 * found the name of an ID. The polled entry gives the same hint under the same ID, and in addition, under an ID of its own,
 * the order that the log proves and what a name adds. So the hint is a duplicate if the stream came first, and the proof
 * never is.
 */
export function toIdentityEvents(entry: LogEntry, context: EventContext): readonly IdentityEvent[] {
  const { provider, kind, receivedAt, names } = context;
  const { id, occurredAt, operation, principal } = entry;
  const unclear = entry.isUnclear ? { everything: true, members: true } : NOTHING;
  const effect = operation === undefined ? unclear : effectOf(operation, names);
  const cause: Cause = { kind, eventId: id, receivedAt, ...definedFields({ principal }) };
  const triggers = toTriggers(effect, provider, cause);
  // A log stream delivers all relevant entries, under the same IDs.
  const hint: IdentityEvent = {
    id,
    occurredAt,
    triggers,
    orders: [],
    ...(kind === 'poll' ? { isSignalled: true } : {}),
  };
  if (kind !== 'poll' || (effect.order === undefined && effect.isByName !== true)) return [hint];
  // An order voids what is older than its time. A time in the future would void what is not issued yet.
  const [at = receivedAt] = [occurredAt, receivedAt].sort();
  const proof: IdentityEvent = {
    id: `log/${id}`,
    partOf: id,
    occurredAt,
    triggers: effect.isByName === true ? triggers : [],
    orders: effect.order === undefined ? [] : [{ ...effect.order, provider, at, cause }],
  };
  return [hint, proof];
}

/** Whether an entry ends a session and has only its ID, so that its person is unknown. */
export function endsUnknownSession({ operation }: LogEntry): boolean {
  const [collection, id, below] = operation?.path ?? [];
  if (collection !== 'sessions' || id === undefined) return false;
  return below === undefined
    ? operation?.method === 'DELETE'
    : operation?.method === 'POST' && below === 'revoke';
}

function toTriggers(effect: OperationEffect, provider: string, cause: Cause): readonly Trigger[] {
  const evidence = effect.evidence === undefined ? {} : { evidence: [{ provider, ...effect.evidence }] };
  const urgent = effect.isCreation === true ? {} : { urgent: true };
  const clients = (effect.clients ?? []).map((id) => ({
    key: clientKey(provider, id),
    cause,
    ...urgent,
    ...evidence,
  }));
  return [
    ...clients,
    ...(effect.everything === true ? [fullRead(provider, cause, evidence)] : []),
    ...(effect.members === true ? [membersRead(provider, cause, evidence)] : []),
  ];
}

function effectOf(operation: Operation, names: Auth0Names): OperationEffect {
  const [collection, id] = operation.path;
  if (operation.method === 'GET') return NOTHING;
  switch (collection) {
    case 'clients':
      return clientEffect(operation, id);
    case 'client-grants':
      return grantEffect(operation, id, names);
    case 'resource-servers':
      return apiEffect(operation, id, names);
    case 'organizations':
      // A grant may require an organization, and may have lost its last one.
      return operation.path.length === 2 || operation.path[2] === 'client-grants'
        ? { everything: true }
        : NOTHING;
    case 'users':
      return id === undefined ? NOTHING : userEffect(operation, id);
    case 'roles':
      return id === undefined ? NOTHING : { members: true };
    default:
      return NOTHING;
  }
}

function clientEffect({ method, path, response }: Operation, id: string | undefined): OperationEffect {
  if (id === undefined) {
    const created = textIn(response, 'client_id');
    return created === undefined ? { everything: true } : { clients: [created], isCreation: true };
  }
  const effect: OperationEffect = { clients: [id], evidence: { clients: [id] } };
  const isDeleted = method === 'DELETE' && path.length === 2;
  return isDeleted ? { ...effect, order: { kind: 'client-deleted', clientId: id } } : effect;
}

function grantEffect(
  { method, request, response }: Operation,
  id: string | undefined,
  names: Auth0Names,
): OperationEffect {
  const stated = textIn(response, 'client_id') ?? textIn(request, 'client_id');
  const clientId = (id === undefined ? undefined : names.clientsByGrant.get(id)) ?? stated;
  if (clientId === undefined) return { everything: true };
  if (method === 'POST' && id === undefined) return { clients: [clientId], isCreation: true };
  return { clients: [clientId], evidence: { clients: [clientId] }, isByName: stated === undefined };
}

function apiEffect(
  { method, request }: Operation,
  id: string | undefined,
  names: Auth0Names,
): OperationEffect {
  const api = id === undefined ? undefined : names.apis.get(id);
  if (api === undefined) return { everything: true };
  const kept = method === 'DELETE' ? [] : scopesIn(request.scopes);
  const lost = kept === undefined ? [] : api.scopes.filter((scope) => !kept.includes(scope));
  if (lost.length === 0) return { everything: true };
  return { everything: true, evidence: { api: api.identifier, scopes: lost }, isByName: true };
}

/**
 * A user who may not sign in any more, or whose sessions ended, loses everything that was issued before. That includes other
 * sessions if only one ended, because tokens do not name their session.
 */
function userEffect({ method, path, request }: Operation, subject: string): OperationEffect {
  const [, , below] = path;
  const isSession =
    method === 'DELETE'
      ? below === 'sessions' || below === 'refresh-tokens'
      : method === 'POST' && below === 'revoke-access';
  const isDeleted = method === 'DELETE' && below === undefined;
  const isBlocked = method === 'PATCH' && below === undefined && request.blocked === true;
  const order = { kind: 'session-revoked' as const, subject };
  const evidence = { people: [subject] };
  if (isSession) return { order };
  if (isDeleted || isBlocked) return { members: true, evidence, order };
  const isMembership = below === 'roles' || (below === undefined && 'blocked' in request);
  return isMembership ? { members: true, evidence } : NOTHING;
}

/** Undefined if the operation did not change the scopes. */
function scopesIn(value: unknown): readonly string[] | undefined {
  if (!Array.isArray(value)) return undefined;
  return value.flatMap((each: unknown) => textIn(each, 'value') ?? []);
}
