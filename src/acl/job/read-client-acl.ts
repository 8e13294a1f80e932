import type { AclSnapshot } from '../../model/acl.js';
import { clientKey, formatKey } from '../../model/key.js';
import type { Job } from '../../model/trigger.js';
import { isOfList } from '../../plan/client-job.js';
import type { ClientId } from '../../plan/world.js';
import type { KeyRecord } from '../../queue/journal.js';
import { pendingPolicies, readNamedAcl } from '../../read/read-acl.js';
import type { AclWriteDeps } from '../../reconcile/deps.js';
import { isAclActive } from '../apply/acl-state.js';
import { readLeftDrafts, settleLeftDrafts } from '../apply/left-drafts.js';
import { pendingAcl, recoverPendingAcl } from '../apply/recover-pending-acl.js';
import { tolerateDenied } from '../apply/tolerate-denied.js';
import { objectNamesOf } from '../state/plan-client-acl.js';

/**
 * Reads the client's existing objects, settles what a crash or a lost answer left, and resolves with both. For a job also
 * what the complete comparison left of these objects.
 */
export async function readSettled(
  id: ClientId,
  key: string,
  record: KeyRecord,
  job: Job | undefined,
  deps: AclWriteDeps,
  signal: AbortSignal,
): Promise<{ readonly actual: AclSnapshot; readonly lastApplied: ReadonlyMap<string, string> }> {
  const { world, acl } = deps;
  const left = job === undefined ? undefined : await readLeftDrafts(id, deps);
  const isRead = job !== undefined && left === undefined && isListed(job, deps);
  const { name, policies } = objectNamesOf(id, deps);
  const policyNames = unique([...policies, ...pendingPolicies(record)]);
  const isDoubtful = acl.isDoubtful(key, deps.clock.now());
  const actual =
    isRead && pendingAcl(record).length === 0 && !isDoubtful
      ? acl.cache.snapshot([name], policyNames)
      : await readNamedAcl(name, policyNames, deps, signal);
  const lastApplied = await recoverPendingAcl(key, record, actual, deps, signal);
  world.rememberWritten(key, lastApplied);
  if (left === undefined) return { actual, lastApplied };
  return { actual, lastApplied: await settleLeftDrafts(left, id, actual, deps, signal) };
}

/** Settles the ACL drafts that a crash or a lost answer left, without waiting for a directory. */
export async function settleClientAcl(id: ClientId, deps: AclWriteDeps, signal: AbortSignal): Promise<void> {
  if (!isAclActive(deps)) return;
  const key = formatKey(clientKey(id.provider, id.clientId));
  const record = await deps.journal.read(key);
  if (pendingAcl(record).length === 0) return;
  await tolerateDenied(() => readSettled(id, key, record, undefined, deps, signal), deps);
}

/** Whether a complete read has just shown the objects, so that the job needs no other read. */
function isListed({ triggers, attempts }: Job, { acl }: Pick<AclWriteDeps, 'acl'>): boolean {
  return (
    acl.cache.isComplete &&
    attempts === 0 &&
    triggers.length > 0 &&
    triggers.every(({ cause }) => isOfList(cause))
  );
}

function unique(names: readonly string[]): readonly string[] {
  return [...new Map(names.map((name) => [name.toLowerCase(), name])).values()];
}
