import type { ClaimRecord } from '../model/catalog.js';
import type { ServiceName } from '../model/intention.js';
import type { GuardedChange } from './guards/guard.js';
import type { Guardable } from './guards/guards.js';
import { EXTEND_FORBIDS, type WritePolicy } from './mode.js';
import { claimFacts, type Hold, holdOf, type PlannedClient } from './plan.js';
import type { ClientPlan } from './plan-client.js';
import { type ClientId, clientText, serviceText } from './world.js';

/** A record of `claims: first` that would be created or deleted. */
export interface ClaimChange {
  readonly client: ClientId;
  readonly service: ServiceName;
  readonly verb: 'created' | 'deleted';
}

/** Two changes of claims are the same if their texts are. */
export function claimChangeText({ client, service, verb }: ClaimChange): string {
  return JSON.stringify([verb, clientText(client), serviceText(service)]);
}

/** A change in the form for guards. */
export interface GuardedClaim
  extends GuardedChange,
    ClaimChange,
    Pick<Hold, 'resource' | 'action' | 'scopes'> {
  readonly client: PlannedClient;
  /** The record to delete. */
  readonly removed?: ClaimRecord;
}

interface ClaimPlan {
  readonly changes: readonly GuardedClaim[];
  readonly holds: readonly Hold[];
}

/**
 * The plan of a client's record for the guards; in `extend` no record is deleted. A record opens nothing by itself: what it
 * lets open is guarded at its destination, and it takes the client from every other service. Its deletion takes it from one.
 */
export function guardableClaims(
  { client, create, remove }: Pick<ClientPlan, 'client' | 'create' | 'remove'>,
  { plansNarrowing }: Pick<WritePolicy, 'plansNarrowing'>,
): Guardable<GuardedClaim, ClaimPlan> {
  const toGuarded = (verb: ClaimChange['verb'], serviceName: ServiceName): GuardedClaim => {
    const facts = claimFacts(client, serviceName, verb === 'created');
    const { subject, reason, resource, action, scopes } = facts;
    return {
      client,
      service: serviceName,
      verb,
      subject,
      reason,
      resource,
      action,
      scopes,
      narrows: true,
      widens: false,
      isInferred: false,
    };
  };
  const created = create === undefined ? [] : [toGuarded('created', create)];
  const deleted = remove === undefined ? [] : [{ ...toGuarded('deleted', remove.service), removed: remove }];
  const plan = plansNarrowing
    ? { changes: [...deleted, ...created], holds: [] }
    : { changes: created, holds: deleted.map((change) => holdOf(change, 'ModeForbids', EXTEND_FORBIDS)) };
  return {
    plan,
    losses: [],
    keeping: () => plan,
    approved: (change) => change,
    toHold: holdOf,
    narrowing: () => undefined,
    opensLast: false,
    contendedText: '',
  };
}

/** The records after the changes. */
export function withClaims(
  records: readonly ClaimRecord[],
  claims: readonly ClaimChange[],
): readonly ClaimRecord[] {
  const gone = new Set(
    claims.filter(({ verb }) => verb === 'deleted').map(({ client }) => clientText(client)),
  );
  const made = claims.filter(({ verb }) => verb === 'created');
  return [
    ...records.filter((record) => !gone.has(clientText(record))),
    ...made.map(({ client, service }) => ({ ...client, service, modifyIndex: 0 })),
  ];
}
