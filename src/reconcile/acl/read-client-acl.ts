import { isAclActive } from '../../apply/acl/acl-state.js';
import { pendingAcl, recoverPendingAcl } from '../../apply/acl/recover-pending-acl.js';
import { tolerateDenied } from '../../apply/acl/tolerate-denied.js';
import type { AclSnapshot } from '../../model/acl.js';
import { clientKey, formatKey } from '../../model/key.js';
import type { Job } from '../../model/trigger.js';
import type { ClientId } from '../../plan/world.js';
import type { KeyRecord } from '../../queue/journal.js';
import { objectNamesOf } from '../../state/plan-client-acl.js';
import type { ReconcilerDeps } from '../deps.js';
import { isOfList } from '../fan-out.js';

/** Reads the client's existing objects, settles what a crash or a lost answer left, and resolves with both. */
export async function readSettled(
  id: ClientId,
  key: string,
  record: KeyRecord,
  isRead: boolean,
  deps: ReconcilerDeps,
  signal: AbortSignal,
): Promise<{ readonly actual: AclSnapshot; readonly lastApplied: ReadonlyMap<string, string> }> {
  const { world, acl } = deps;
  const { name, policies } = objectNamesOf(id, deps);
  const left = pendingAcl(record).flatMap(({ resource }) =>
    resource.kind === 'acl-policy' && resource.name !== undefined ? [resource.name] : [],
  );
  const policyNames = unique([...policies, ...left]);
  const isDoubtful = acl.isDoubtful(key, deps.clock.now());
  const actual =
    isRead && pendingAcl(record).length === 0 && !isDoubtful
      ? acl.cache.snapshot([name], policyNames)
      : await readNamed(name, policyNames, deps, signal);
  const lastApplied = await recoverPendingAcl(key, record, actual, deps, signal);
  world.rememberWritten(key, lastApplied);
  return { actual, lastApplied };
}

/** Settles the ACL drafts that a crash or a lost answer left, without waiting for a directory. */
export async function settleClientAcl(
  id: ClientId,
  deps: ReconcilerDeps,
  signal: AbortSignal,
): Promise<void> {
  if (!isAclActive(deps)) return;
  const key = formatKey(clientKey(id.provider, id.clientId));
  const record = await deps.journal.read(key);
  if (pendingAcl(record).length === 0) return;
  await tolerateDenied(() => readSettled(id, key, record, false, deps, signal), deps);
}

/** Whether a complete read has just shown the objects, so that the job needs no other read. */
export function isListed({ triggers, attempts }: Job, { acl }: ReconcilerDeps): boolean {
  return (
    acl.cache.isComplete &&
    attempts === 0 &&
    triggers.length > 0 &&
    triggers.every(({ cause }) => isOfList(cause))
  );
}

async function readNamed(
  name: string,
  policies: readonly string[],
  { world, acl, consul }: ReconcilerDeps,
  signal: AbortSignal,
): Promise<AclSnapshot> {
  const read = world.beginRead();
  const actual = await consul.acl.readNamed([name], policies, signal);
  acl.cache.put([name], policies, actual, read);
  return actual;
}

function unique(names: readonly string[]): readonly string[] {
  return [...new Map(names.map((name) => [name.toLowerCase(), name])).values()];
}
