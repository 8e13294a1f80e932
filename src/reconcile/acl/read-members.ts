import { tolerateDenied } from '../../apply/acl/tolerate-denied.js';
import type { Members } from '../../identity/directory.js';
import type { Job } from '../../model/trigger.js';
import { groupsOf } from '../../plan/acl/plan-people.js';
import { admittedPeople } from '../../state/people-acl.js';
import type { ReconcilerDeps } from '../deps.js';
import { countFailure } from '../directory-failures.js';
import { Stopped } from '../until-stop.js';
import { readAllAcl } from './plan-clients.js';

/** Reads the members if a trigger asks for it, or if those of a mapped group are unknown. */
export async function refreshMembers(
  provider: string,
  job: Job,
  deps: ReconcilerDeps,
  signal: AbortSignal,
): Promise<{ readonly failure?: unknown }> {
  const directory = deps.directories.get(provider);
  const groups = groupsOf(deps.world.mapping, provider);
  const known = deps.acl.members.get(provider);
  const isAsked = job.triggers.some(({ members, fullRead }) => members === true || fullRead === true);
  if (directory?.readMembers === undefined || groups.length === 0) return {};
  if (!isAsked && known !== undefined && groups.every((group) => known.has(group))) return {};
  // Consul says who has access, also after a start.
  if (!deps.acl.cache.isComplete) await tolerateDenied(() => readAllAcl(deps, signal), deps);
  try {
    const members = await directory.readMembers(groups, signal, admittedPeople(provider, deps));
    deps.acl.members.set(provider, members);
    const unreadable = countOf(members);
    if (unreadable > 0 && unreadable !== countOf(known))
      deps.logger.warn(
        { provider, unreadable, groups: [...(members.unreadable?.groups ?? [])] },
        'people or groups cannot be read; they keep their memberships and gain none; correct their records',
      );
    return {};
  } catch (failure) {
    signal.throwIfAborted();
    if (failure instanceof Stopped) throw failure;
    countFailure(provider, failure, deps);
    return { failure };
  }
}

function countOf(members: Members | undefined): number {
  if (members?.unreadable === undefined) return 0;
  const { subjects, groups, hasUnnamed } = members.unreadable;
  return subjects.size + groups.size + (hasUnnamed ? 1 : 0);
}
