import type { ClaimWrite } from '../consul/consul.js';
import { SyncError } from '../errors.js';
import type { ClassifiedKind } from '../model/actor.js';
import type { Cause } from '../model/cause.js';
import type { DraftDecision } from '../model/decision.js';
import type { ServiceName } from '../model/intention.js';
import { classify } from '../plan/actor.js';
import { claimSubject } from '../plan/plan.js';
import type { ClientPlan } from '../plan/plan-client.js';
import type { ClientId } from '../plan/world.js';
import { settledOf } from './decide.js';
import { type ReconcilerDeps, stampOf } from './deps.js';

/**
 * Makes or takes back the record of who claimed a client first; each write with its decision. True if there was
 * anything to write, and so the records were read again.
 */
export async function writeClaims(
  key: string,
  client: ClientId,
  plan: ClientPlan,
  cause: Cause,
  deps: ReconcilerDeps,
  signal: AbortSignal,
): Promise<boolean> {
  if (deps.world.mapping.mode === 'observe') return false;
  const { create, remove } = plan;
  if (remove !== undefined && deps.world.mapping.mode === 'enforce') {
    await writeOne(
      key,
      client,
      remove.service,
      'deleted',
      cause,
      remove.modifyIndex,
      { do: 'delete', record: remove },
      deps,
      signal,
    );
  }
  if (create !== undefined) {
    await writeOne(
      key,
      client,
      create,
      'created',
      cause,
      0,
      { do: 'create', record: { ...client, service: create } },
      deps,
      signal,
    );
  }
  if (create === undefined && remove === undefined) return false;
  const read = deps.world.beginRead();
  deps.world.putClaimRecords(await deps.consul.claims.list(signal), read);
  return true;
}

async function writeOne(
  key: string,
  client: ClientId,
  service: ServiceName,
  verb: 'created' | 'deleted',
  cause: Cause,
  expectedIndex: number,
  write: ClaimWrite,
  deps: ReconcilerDeps,
  signal: AbortSignal,
): Promise<void> {
  const stamp = stampOf(deps);
  const draft: DraftDecision = {
    id: stamp.newId(),
    type: `dev.scopemesh.claim.${verb}`,
    subject: claimSubject(client, service.name),
    source: stamp.source,
    action: verb === 'created' ? 'grant' : 'revoke',
    reason: verb === 'created' ? 'ClaimAdded' : 'ClaimRemoved',
    resource: {
      kind: 'claim',
      name: service.name,
      namespace: service.namespace,
      partition: service.partition,
    },
    client: { provider: client.provider, clientId: client.clientId, actorKind: kindOf(client, deps) },
    scopes: [],
    ...(cause.principal === undefined ? {} : { principal: cause.principal }),
    cause,
    before: verb === 'created' ? null : { service: service.name },
    after: verb === 'created' ? { service: service.name } : null,
    mappingRevision: stamp.mappingRevision,
    expectedIndex,
  };
  await deps.journal.record(key, [draft]);
  const [result] = await deps.consul.claims.write([write], signal);
  // As where a write throws: the draft stays pending.
  if (result === undefined || result.kind === 'refused') {
    throw new SyncError('ERR_CONSUL_REJECTED', result?.detail ?? 'Consul said nothing', { retriable: false });
  }
  const nowMs = deps.clock.now();
  const time = new Date(nowMs).toISOString();
  const decision =
    result.kind === 'written'
      ? settledOf(draft, {
          outcome: 'applied',
          nowMs,
          time,
        })
      : settledOf(draft, {
          outcome: 'failed',
          reason: 'Conflict',
          nowMs,
          time,
          detail: 'another writer was first',
        });
  await deps.journal.settle(key, [decision]);
  deps.metrics.count('scopemesh_decisions_total', { outcome: decision.outcome, reason: decision.reason });
  deps.onSettled();
}

function kindOf(id: ClientId, { world }: Pick<ReconcilerDeps, 'world'>): ClassifiedKind {
  const client = world.client(id);
  return client === undefined ? 'unknown' : classify(client, world.mapping);
}
