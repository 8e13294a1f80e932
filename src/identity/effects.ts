import type { Cause } from '../model/cause.js';
import { definedFields } from '../model/defined-fields.js';
import { clientKey, type Key, providerKey } from '../model/key.js';
import type { RevocationOrder } from '../model/order.js';
import type { Evidence, Trigger } from '../model/trigger.js';
import type { IdentityEvent } from './source.js';

/** What an event leads to. */
export type Effect = Pick<IdentityEvent, 'triggers' | 'orders'>;

export const NO_EFFECT: Effect = { triggers: [], orders: [] };

/** A client as an event names it: by either ID, or by both. */
export interface NamedClient {
  readonly clientId?: string | undefined;
  readonly internalId?: string | undefined;
}

export function joinEffects(...effects: readonly Effect[]): Effect {
  return {
    triggers: effects.flatMap(({ triggers }) => triggers),
    orders: effects.flatMap(({ orders }) => orders),
  };
}

export function onlyTriggers(...triggers: readonly Trigger[]): Effect {
  return { triggers, orders: [] };
}

export function onlyOrder(order: RevocationOrder): Effect {
  return { triggers: [], orders: [order] };
}

/** The client ID saves a lookup by the internal ID. */
export function keyOfClient(provider: string, clientId: string | undefined, internalId: string): Key {
  return clientId === undefined ? keyById(provider, internalId) : clientKey(provider, clientId);
}

export function keyById(provider: string, internalId: string): Key {
  return { kind: 'client', provider, by: 'internalId', value: internalId };
}

/**
 * The identity provider says that this one client was changed. So everything that the next read does not find any more was
 * removed on purpose: that is evidence, for an update too.
 */
export function clientChanged(provider: string, key: Key, named: NamedClient, cause: Cause): Trigger {
  return { key, cause, urgent: true, evidence: [clientEvidence(provider, named)] };
}

export function clientEvidence(provider: string, { clientId, internalId }: NamedClient): Evidence {
  const listOf = (id: string | undefined) => (id === undefined ? undefined : [id]);
  return { provider, ...definedFields({ internalIds: listOf(internalId), clients: listOf(clientId) }) };
}

interface ReadOptions {
  /** True by default. Only a read that can find nothing but new access is not urgent. */
  readonly urgent?: boolean;
  readonly evidence?: readonly Evidence[];
}

/** A complete comparison with the directory. */
export function fullRead(provider: string, cause: Cause, options: ReadOptions = {}): Trigger {
  return { ...providerTrigger(provider, cause, options), fullRead: true };
}

/** A new read of who belongs to the mapped groups. */
export function membersRead(provider: string, cause: Cause, options: ReadOptions = {}): Trigger {
  return { ...providerTrigger(provider, cause, options), members: true };
}

function providerTrigger(
  provider: string,
  cause: Cause,
  { urgent = true, evidence = [] }: ReadOptions,
): Trigger {
  return { key: providerKey(provider), cause, urgent, ...(evidence.length === 0 ? {} : { evidence }) };
}

export function clientOrder(
  kind: RevocationOrder['kind'],
  provider: string,
  { clientId, internalId }: NamedClient,
  at: string,
  cause: Cause,
): RevocationOrder {
  return { kind, provider, ...definedFields({ internalId, clientId }), at, cause };
}

/** Without a subject, the sessions of everybody. `account`: the `sub` of ID tokens, if it is another name. */
export function sessionOrder(
  provider: string,
  subject: string | undefined,
  at: string,
  cause: Cause,
  account?: string,
): RevocationOrder {
  return { kind: 'session-revoked', provider, ...definedFields({ subject, account }), at, cause };
}

export function withoutEvidence({ evidence: _, ...trigger }: Trigger): Trigger {
  return trigger;
}
