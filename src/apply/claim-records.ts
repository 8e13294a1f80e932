import type { ClaimWrite, WriteResult } from '../consul/consul.js';
import { SyncError } from '../errors.js';
import type { ClaimRecord } from '../model/catalog.js';
import type { Cause } from '../model/cause.js';
import type { DraftDecision } from '../model/decision.js';
import type { GuardedClaim } from '../plan/claim-changes.js';
import { claimFacts, claimSubject } from '../plan/plan.js';
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
 * Resolves with `unwritten` if another writer was first, and with `stale` if the write was
 * not made because it is no longer as planned: the caller must plan again.
 */
export async function writeClaim(
  key: string,
  change: GuardedClaim,
  overtaken: readonly DraftDecision[],
  cause: Cause,
  onTouched: (touched: Touched) => Promise<void>,
  deps: TargetDeps,
  signal: AbortSignal,
  isAsPlanned: () => boolean,
): Promise<'written' | 'unwritten' | 'stale'> {
  const write = toWrite(change);
  let touched: Touched | undefined;
  const facts = {
    isAsPlanned,
    onWritten: (modifyIndex: number | undefined) => {
      touched = putWritten(write, modifyIndex, deps);
    },
  };
  const end = await writeOne(key, write, toDraft(change, write, cause, deps), overtaken, facts, deps, signal);
  if (touched === undefined) {
    const read = deps.world.beginRead();
    touched = deps.world.putClaimRecords(await deps.consul.claims.list(signal), read);
  }
  await onTouched(touched);
  if (end.kind === 'refused') throw end.error;
  return end.kind === 'written' || end.kind === 'stale' ? end.kind : 'unwritten';
}

function toWrite({ client: { provider, clientId }, service, removed }: GuardedClaim): ClaimWrite {
  if (removed !== undefined) return { do: 'delete', record: removed };
  return { do: 'create', record: { provider, clientId, service } };
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
  draft: DraftDecision,
  overtaken: readonly DraftDecision[],
  {
    isAsPlanned,
    onWritten,
  }: Pick<JournaledWrite, 'isAsPlanned'> & Required<Pick<JournaledRequest, 'onWritten'>>,
  deps: TargetDeps,
  signal: AbortSignal,
): Promise<WriteEnd> {
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

function toDraft(
  { client, service, verb }: GuardedClaim,
  write: ClaimWrite,
  cause: Cause,
  deps: TargetDeps,
): DraftDecision {
  const stamp = stampOf(deps);
  return {
    id: stamp.newId(),
    type: `dev.scopemesh.claim.${verb}`,
    ...claimFacts(client, service, verb === 'created'),
    source: stamp.source,
    client,
    ...(cause.principal === undefined ? {} : { principal: cause.principal }),
    cause,
    mappingRevision: stamp.mappingRevision,
    expectedIndex: write.do === 'create' ? 0 : write.record.modifyIndex,
    recordedAt: stamp.time,
  };
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
