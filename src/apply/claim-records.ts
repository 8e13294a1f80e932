import type { ClaimWrite, WriteResult } from '../consul/consul.js';
import { SyncError } from '../errors.js';
import type { ClassifiedKind } from '../model/actor.js';
import type { Cause } from '../model/cause.js';
import type { DraftDecision } from '../model/decision.js';
import { classify } from '../plan/actor.js';
import { policyOf } from '../plan/mode.js';
import { claimFacts } from '../plan/plan.js';
import type { ClientPlan } from '../plan/plan-client.js';
import type { ClientId } from '../plan/world.js';
import type { Touched } from '../state/touched.js';
import { stampOf, type TargetDeps } from './deps.js';
import { journaledWrite, settleRefused, type WriteEnd } from './journaled-write.js';

/**
 * Creates or deletes the record of who claimed a client first, each with its decision. True if there was anything to
 * write. `onTouched` gets what that changed. If the answer does not show the record, all are read again, and `onTouched`
 * gets what that changed about other clients too.
 * `overtaken`: earlier writes of the record whose answer was lost.
 */
export async function writeClaims(
  key: string,
  client: ClientId,
  plan: ClientPlan,
  overtaken: readonly DraftDecision[],
  cause: Cause,
  onTouched: (touched: Touched) => Promise<void>,
  deps: TargetDeps,
  signal: AbortSignal,
): Promise<boolean> {
  const policy = policyOf(deps.world.mapping);
  if (!policy.writes) return false;
  const { create, remove } = plan;
  const isRemoved = remove !== undefined && policy.removes;
  const writes: readonly ClaimWrite[] = [
    ...(isRemoved ? [{ do: 'delete' as const, record: remove }] : []),
    ...(create === undefined ? [] : [{ do: 'create' as const, record: { ...client, service: create } }]),
  ];
  let refusal: SyncError | undefined;
  let isKnown = writes.length > 0;
  let open = overtaken;
  for (const write of writes) {
    let touched: Touched | undefined;
    const onWritten = (modifyIndex: number | undefined) => {
      touched = putWritten(write, modifyIndex, deps);
    };
    const end = await writeOne(key, write, open, cause, onWritten, deps, signal);
    if (touched === undefined) isKnown = false;
    else await onTouched(touched);
    if (end.kind === 'written') open = [];
    if (end.kind !== 'refused') continue;
    refusal = end.error;
    break;
  }
  if (create === undefined && remove === undefined) return false;
  if (!isKnown) {
    const read = deps.world.beginRead();
    await onTouched(deps.world.putClaimRecords(await deps.consul.claims.list(signal), read));
  }
  if (refusal !== undefined) throw refusal;
  return true;
}

/** Puts into the world what was written. Undefined if the answer does not show it. */
function putWritten(
  write: ClaimWrite,
  modifyIndex: number | undefined,
  { world }: Pick<TargetDeps, 'world'>,
): Touched | undefined {
  const { record } = write;
  if (write.do === 'delete') return world.putClaimRecord(record, undefined);
  return modifyIndex === undefined ? undefined : world.putClaimRecord(record, { ...record, modifyIndex });
}

async function writeOne(
  key: string,
  write: ClaimWrite,
  overtaken: readonly DraftDecision[],
  cause: Cause,
  onWritten: (modifyIndex: number | undefined) => void,
  deps: TargetDeps,
  signal: AbortSignal,
): Promise<WriteEnd> {
  const draft = toDraft(write, cause, deps);
  const send = async (stop: AbortSignal): Promise<WriteResult> => {
    const [result] = await deps.consul.claims.write([write], stop);
    if (result?.kind !== 'refused') return result ?? { kind: 'conflict' };
    throw new SyncError('ERR_CONSUL_REJECTED', result.detail, { retriable: false });
  };
  const end = await journaledWrite({ key, drafts: [draft], overtaken, send, onWritten }, deps, signal);
  if (end.kind === 'refused') await settleRefused(key, [draft], end.error, deps);
  return end;
}

function toDraft(write: ClaimWrite, cause: Cause, deps: TargetDeps): DraftDecision {
  const stamp = stampOf(deps);
  const { provider, clientId, service } = write.record;
  const isNew = write.do === 'create';
  return {
    id: stamp.newId(),
    type: `dev.scopemesh.claim.${isNew ? 'created' : 'deleted'}`,
    ...claimFacts(write.record, service, isNew),
    source: stamp.source,
    client: { provider, clientId, actorKind: kindOf({ provider, clientId }, deps) },
    ...(cause.principal === undefined ? {} : { principal: cause.principal }),
    cause,
    mappingRevision: stamp.mappingRevision,
    expectedIndex: write.do === 'create' ? 0 : write.record.modifyIndex,
    recordedAt: stamp.time,
  };
}

function kindOf(id: ClientId, { world }: Pick<TargetDeps, 'world'>): ClassifiedKind {
  const client = world.client(id);
  return client === undefined ? 'unknown' : classify(client, world.mapping);
}
