import type { ClaimWrite, WriteResult } from '../consul/consul.js';
import { SyncError } from '../errors.js';
import type { ClassifiedKind } from '../model/actor.js';
import type { ClaimRecord } from '../model/catalog.js';
import type { Cause } from '../model/cause.js';
import type { DraftDecision } from '../model/decision.js';
import { classify } from '../plan/actor.js';
import { policyOf, type WritePolicy } from '../plan/mode.js';
import { claimFacts, claimSubject } from '../plan/plan.js';
import type { ClientPlan } from '../plan/plan-client.js';
import type { ClientId } from '../plan/world.js';
import type { KeyRecord } from '../queue/journal.js';
import type { Touched } from '../state/touched.js';
import { stampOf, type TargetDeps } from './deps.js';
import {
  type JournaledRequest,
  type JournaledWrite,
  journaledWrite,
  type WriteEnd,
} from './journaled-write.js';
import { type RecoveredTarget, recoverWrites } from './recover-writes.js';

/**
 * Creates or deletes the record of who claimed a client first, with its decision. `onTouched` gets what that changed. If an
 * answer does not show the record, all are read again, and `onTouched` gets what that changed about other clients too.
 * `overtaken`: earlier writes of the record whose answer was lost. `isAsPlanned`: whether a new plan would make the same
 * write.
 *
 * Resolves with `unwritten` if there was nothing to write or another writer was first, and with `stale` if the write was
 * not made because it is no longer as planned: the caller must plan again.
 */
export async function writeClaim(
  key: string,
  client: ClientId,
  plan: ClientPlan,
  overtaken: readonly DraftDecision[],
  cause: Cause,
  onTouched: (touched: Touched) => Promise<void>,
  deps: TargetDeps,
  signal: AbortSignal,
  isAsPlanned: (write: ClaimWrite) => boolean = () => true,
): Promise<'written' | 'unwritten' | 'stale'> {
  const policy = policyOf(deps.world.mapping);
  if (!policy.writes || (plan.create === undefined && plan.remove === undefined)) return 'unwritten';
  const write = toWrite(client, plan, policy);
  let touched: Touched | undefined;
  let end: WriteEnd | undefined;
  if (write !== undefined) {
    const facts = {
      isAsPlanned: () => isAsPlanned(write),
      onWritten: (modifyIndex: number | undefined) => {
        touched = putWritten(write, modifyIndex, deps);
      },
    };
    end = await writeOne(key, write, overtaken, cause, facts, deps, signal);
  }
  if (touched === undefined) {
    const read = deps.world.beginRead();
    touched = deps.world.putClaimRecords(await deps.consul.claims.list(signal), read);
  }
  await onTouched(touched);
  if (end?.kind === 'refused') throw end.error;
  return end?.kind === 'written' || end?.kind === 'stale' ? end.kind : 'unwritten';
}

/** A plan creates a record or deletes one, never both: it creates only if there is none. */
function toWrite(
  client: ClientId,
  { create, remove }: ClientPlan,
  { removes }: WritePolicy,
): ClaimWrite | undefined {
  if (create !== undefined) return { do: 'create', record: { ...client, service: create } };
  return remove === undefined || !removes ? undefined : { do: 'delete', record: remove };
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
  {
    isAsPlanned,
    onWritten,
  }: Pick<JournaledWrite, 'isAsPlanned'> & Required<Pick<JournaledRequest, 'onWritten'>>,
  deps: TargetDeps,
  signal: AbortSignal,
): Promise<WriteEnd> {
  const draft = toDraft(write, cause, deps);
  const send = async (stop: AbortSignal): Promise<WriteResult> => {
    const [result] = await deps.consul.claims.write([write], stop);
    if (result?.kind === 'refused')
      throw new SyncError('ERR_CONSUL_REJECTED', result.detail, { retriable: false });
    // The index of a deletion's answer is that of another record.
    if (result?.kind === 'written' && write.do === 'delete') return { kind: 'written' };
    return result ?? { kind: 'conflict' };
  };
  const requests = [{ drafts: [draft], send, onWritten }];
  return journaledWrite({ key, requests, overtaken, isAsPlanned }, deps, signal);
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

const UNREADABLE = {
  outcome: 'unknown',
  reason: 'Interrupted',
  detail:
    'scopemesh was interrupted at this write, and the record of the claim cannot be read now: whether it was made cannot be known',
} as const;

/**
 * Settles the writes that a crash or a lost answer left open: what Consul's KV has decides. `onTouched` gets what the read
 * changed. Resolves with the drafts whose request may still reach Consul.
 */
export async function recoverPendingClaims(
  key: string,
  record: KeyRecord,
  onTouched: (touched: Touched) => Promise<void>,
  deps: TargetDeps,
  signal: AbortSignal,
): Promise<readonly DraftDecision[]> {
  const pending = record.pending.filter(({ resource }) => resource.kind === 'claim');
  if (pending.length === 0) return [];
  const read = deps.world.beginRead();
  const records = await deps.consul.claims.list(signal);
  await onTouched(deps.world.putClaimRecords(records, read));
  const find: RecoveredTarget['find'] = ({ subject, resource }) => {
    // A record that cannot be read names its client alone.
    const nameIn = ({ unreadableKey, service }: ClaimRecord) =>
      unreadableKey === undefined ? service.name : (resource.name ?? '');
    const found = records.find((each) => claimSubject(each, nameIn(each)) === subject);
    if (found?.unreadableKey !== undefined) return UNREADABLE;
    return { isNow: (view) => (view !== null) === (found !== undefined) };
  };
  // Of equal writes one was made; which one does not matter.
  const rivalOf = ({ subject, action }: DraftDecision) => `${action} ${subject}`;
  const { open } = await recoverWrites(key, { ...record, pending }, { find, rivalOf }, deps);
  return open;
}
