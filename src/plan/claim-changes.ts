import type { ClaimRecord } from '../model/catalog.js';
import type { ServiceName } from '../model/intention.js';
import type { Mapping } from '../model/rule.js';
import { policyOf } from './mode.js';
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

/** In `extend` no record is deleted. In `observe` the plan still shows what the records would open. */
export function toClaimChanges(client: ClientId, plan: ClientPlan, mapping: Mapping): readonly ClaimChange[] {
  const { create, remove } = plan;
  return [
    ...(remove === undefined || !policyOf(mapping).plansNarrowing
      ? []
      : [{ client, service: remove.service, verb: 'deleted' as const }]),
    ...(create === undefined ? [] : [{ client, service: create, verb: 'created' as const }]),
  ];
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
