import { clientKey, providerKey } from '../../model/key.js';
import type { RevocationOrder } from '../../model/order.js';
import type { Cause, Evidence, Trigger } from '../../model/trigger.js';
import type { IdentityEvent } from '../source.js';
import type { LogEntry } from './log-entry.js';
import type { Auth0Names } from './names.js';

export interface EventContext {
  readonly provider: string;
  readonly kind: 'webhook' | 'poll';
  /** ISO 8601. */
  readonly receivedAt: string;
  readonly names: Auth0Names;
}

/** What an entry leads to, before it has its cause. */
interface Told {
  readonly clients?: readonly string[];
  /** The directory as a whole: it is not known which clients are concerned. */
  readonly everything?: boolean;
  /** Who belongs to the mapped roles. */
  readonly members?: boolean;
  readonly evidence?: Omit<Evidence, 'provider'>;
  readonly order?: Pick<RevocationOrder, 'kind' | 'clientId' | 'subject'>;
  /** The entry itself does not say it: only a read has shown whose the grant, or which API it was. */
  readonly isByName?: boolean;
  readonly isCreation?: boolean;
}

const NOTHING: Told = {};

/**
 * What a log entry says of clients, told apart by method and path of the operation.
 *
 * | operation | leads to |
 * |---|---|
 * | `clients` and below | the client; an order if it was deleted and the entry was polled |
 * | `client-grants` and below | the client of the grant; everything, where no read has shown whose it is |
 * | `resource-servers` and below | everything, with the scopes that the API had and has no more |
 * | `users/ID` blocked, deleted, or its sessions, refresh tokens or access ended | an order for the subject, where the entry was polled |
 * | `users` and `roles` and below | the members of the mapped roles |
 *
 * A log stream proves itself by a header that never changes: what it brings is a hint and never an order; and it may have
 * come before a read had shown of what it tells. The polled entry is the same hint under the same id, and beside it, under
 * an id of its own, the order that the log proves and what only names told: the one is a duplicate where the stream came
 * before, the other never is.
 */
export function toIdentityEvents(entry: LogEntry, context: EventContext): readonly IdentityEvent[] {
  const { provider, kind, receivedAt, names } = context;
  const unclear = entry.isUnclear === true ? { everything: true, members: true } : NOTHING;
  const told = entry.done === undefined ? unclear : interpret(entry.done, names);
  const cause: Cause = {
    kind,
    eventId: entry.id,
    receivedAt,
    ...(entry.principal === undefined ? {} : { principal: entry.principal }),
  };
  const evidence = told.evidence === undefined ? {} : { evidence: [{ provider, ...told.evidence }] };
  const urgent = told.isCreation === true ? {} : { urgent: true };
  const triggers: Trigger[] = (told.clients ?? []).map((clientId) => ({
    key: clientKey(provider, clientId),
    cause,
    ...urgent,
    ...evidence,
  }));
  if (told.everything === true)
    triggers.push({ key: providerKey(provider), cause, fullRead: true, ...urgent, ...evidence });
  if (told.members === true)
    triggers.push({ key: providerKey(provider), cause, members: true, ...urgent, ...evidence });
  const hint: IdentityEvent = {
    id: entry.id,
    occurredAt: entry.occurredAt,
    triggers,
    orders: [],
    // A log stream brings all entries that mean something here, under the same ids.
    ...(kind === 'poll' ? { isSignalled: true } : {}),
  };
  if (kind !== 'poll' || (told.order === undefined && told.isByName !== true)) return [hint];
  const at = notAfter(entry.occurredAt, receivedAt);
  const proof: IdentityEvent = {
    id: `log/${entry.id}`,
    occurredAt: entry.occurredAt,
    triggers: told.isByName === true ? triggers : [],
    orders: told.order === undefined ? [] : [{ ...told.order, provider, at, cause }],
  };
  return [hint, proof];
}

/** Whether an entry tells of the end of a session of which it gives the id alone, so that nobody knows whose it was. */
export function endsUnknownSession({ done }: LogEntry): boolean {
  const [collection, id, below] = done?.path ?? [];
  if (collection !== 'sessions' || id === undefined) return false;
  return below === undefined ? done?.method === 'DELETE' : done?.method === 'POST' && below === 'revoke';
}

/** An order voids what is older than its instant: one dated ahead would void what is yet to be issued. */
function notAfter(instant: string, now: string): string {
  return instant < now ? instant : now;
}

function interpret(done: NonNullable<LogEntry['done']>, names: Auth0Names): Told {
  const [collection, id] = done.path;
  switch (collection) {
    case 'clients':
      return ofClient(done, id);
    case 'client-grants':
      return ofGrant(done, id, names);
    case 'resource-servers':
      return ofApi(done, id, names);
    case 'users':
      return ofUser(done, id);
    case 'roles':
      return done.method === 'GET' || id === undefined ? NOTHING : { members: true };
    default:
      return NOTHING;
  }
}

function ofClient({ method, path, answered }: NonNullable<LogEntry['done']>, id: string | undefined): Told {
  if (id === undefined) {
    const made = textOf(answered.client_id);
    return made === undefined ? { everything: true } : { clients: [made], isCreation: true };
  }
  const told: Told = { clients: [id], evidence: { clients: [id] } };
  if (method === 'DELETE' && path.length === 2)
    return { ...told, order: { kind: 'client-deleted', clientId: id } };
  return method === 'GET' ? NOTHING : told;
}

function ofGrant(
  { method, sent, answered }: NonNullable<LogEntry['done']>,
  id: string | undefined,
  names: Auth0Names,
): Told {
  if (method === 'GET') return NOTHING;
  const said = textOf(answered.client_id) ?? textOf(sent.client_id);
  const clientId = (id === undefined ? undefined : names.clientOfGrant(id)) ?? said;
  if (clientId === undefined) return { everything: true };
  const isCreation = method === 'POST' && id === undefined;
  return isCreation
    ? { clients: [clientId], isCreation }
    : { clients: [clientId], evidence: { clients: [clientId] }, isByName: said === undefined };
}

function ofApi(
  { method, sent }: NonNullable<LogEntry['done']>,
  id: string | undefined,
  names: Auth0Names,
): Told {
  if (method === 'GET') return NOTHING;
  const api = id === undefined ? undefined : names.api(id);
  if (api === undefined) return { everything: true };
  const kept = method === 'DELETE' ? [] : scopesIn(sent.scopes);
  const lost = kept === undefined ? [] : api.scopes.filter((scope) => !kept.includes(scope));
  if (lost.length === 0) return { everything: true };
  return { everything: true, evidence: { api: api.identifier, scopes: lost }, isByName: true };
}

/**
 * A user who may not sign in any more, or whose sessions were ended, loses what was issued before; all of it also where one
 * session alone was meant, for no token tells of which it is.
 */
function ofUser({ method, path, sent }: NonNullable<LogEntry['done']>, subject: string | undefined): Told {
  if (subject === undefined || method === 'GET') return NOTHING;
  const [, , below] = path;
  const isSession =
    method === 'DELETE'
      ? below === 'sessions' || below === 'refresh-tokens'
      : method === 'POST' && below === 'revoke-access';
  const isGone = method === 'DELETE' && below === undefined;
  const isBlocked = method === 'PATCH' && below === undefined && sent.blocked === true;
  const order = { kind: 'session-revoked' as const, subject };
  const evidence = { people: [subject] };
  if (isSession) return { order };
  if (isGone || isBlocked) return { members: true, evidence, order };
  const isMembership = below === 'roles' || (below === undefined && 'blocked' in sent);
  return isMembership ? { members: true, evidence } : NOTHING;
}

/** Undefined where the operation did not touch the scopes. */
function scopesIn(value: unknown): readonly string[] | undefined {
  if (!Array.isArray(value)) return undefined;
  return value.flatMap((each: unknown) =>
    typeof each === 'object' && each !== null && 'value' in each && typeof each.value === 'string'
      ? [each.value]
      : [],
  );
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
