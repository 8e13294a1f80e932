import { steadyClock } from '../../clock.js';
import { IncompleteRead, Stopped } from '../../errors.js';
import type { Directory } from '../../identity/directory.js';
import type { Members } from '../../model/members.js';
import type { Job } from '../../model/trigger.js';
import { evidenceOf } from '../../plan/evidence.js';
import { readAllAcl } from '../../read/read-acl.js';
import type { MembersDeps } from '../../reconcile/deps.js';
import { countFailure } from '../../reconcile/directory-failures.js';
import { tolerateDenied } from '../apply/tolerate-denied.js';
import { groupsOf, withExisting } from '../plan/plan-people.js';
import { admittedPeople } from '../state/people-acl.js';

/** So long nobody is asked for again who left and still has access, because the removal is held or not allowed. */
const LEFT_MS = 10 * 60_000;

/**
 * Reads the members of the mapped groups and remembers them. Undefined if there are none to read. The directory confirms
 * who left, apart from those whom an event `named`: a read that is behind must not delay their removal.
 */
export async function readMembers(
  provider: string,
  directory: Directory,
  deps: Pick<MembersDeps, 'world' | 'acl' | 'clock'>,
  signal: AbortSignal,
  named: ReadonlySet<string> = new Set(),
): Promise<Members | undefined> {
  const groups = groupsOf(deps.world.mapping, provider);
  if (groups.length === 0 || directory.readMembers === undefined) return undefined;
  const existing = admittedPeople(provider, deps);
  const known = deps.acl.left.get(provider);
  const now = steadyClock(deps.clock).now();
  const sinceOf = (group: string, subject: string) => {
    const since = known?.get(group)?.get(subject);
    return since !== undefined && now - since < LEFT_MS ? since : undefined;
  };
  const isAsked = (group: string) => (subject: string) =>
    !named.has(subject) && sinceOf(group, subject) === undefined;
  const asked = new Map([...existing].map(([group, people]) => [group, people.filter(isAsked(group))]));
  const members = await directory.readMembers(groups, signal, asked);
  const left = new Map<string, ReadonlyMap<string, number>>();
  for (const [group, people] of withExisting(members, existing)) {
    const here = new Set(people);
    const gone = (existing.get(group) ?? []).filter((subject) => !here.has(subject));
    if (gone.length > 0) left.set(group, new Map(gone.map((each) => [each, sinceOf(group, each) ?? now])));
  }
  deps.acl.left.set(provider, left);
  deps.acl.members.set(provider, members);
  return members;
}

/**
 * Reads the members if a trigger asks for it, or if those of a mapped group are unknown. `failure` is also that a list
 * lacks members: what the read shows besides counts, and the lists are read again.
 */
export async function refreshMembers(
  provider: string,
  job: Job,
  deps: MembersDeps,
  signal: AbortSignal,
): Promise<{ readonly failure?: unknown }> {
  const directory = deps.directories.get(provider);
  const groups = groupsOf(deps.world.mapping, provider);
  const known = deps.acl.members.get(provider);
  const isAsked = job.triggers.some(({ members, fullRead }) => members === true || fullRead === true);
  if (directory?.readMembers === undefined || groups.length === 0) return {};
  if (!isAsked && known !== undefined && groups.every((group) => known.has(group))) return {};
  try {
    // Consul says who has access, also after a start.
    if (!deps.acl.cache.isComplete) await tolerateDenied(() => readAllAcl(deps, signal), deps);
  } catch (failure) {
    signal.throwIfAborted();
    return { failure };
  }
  try {
    const named = evidenceOf(job).flatMap((each) => (each.provider === provider ? (each.people ?? []) : []));
    const members = await readMembers(provider, directory, deps, signal, new Set(named));
    const unreadable = countOf(members);
    if (unreadable > 0 && unreadable !== countOf(known))
      deps.logger.warn(
        { provider, unreadable, groups: [...(members?.unreadable?.groups ?? [])] },
        'people or groups cannot be read; they keep their memberships and gain none; correct their records',
      );
    const unlisted = members?.unreadable?.unlisted;
    if (unlisted === undefined) return {};
    if (known?.unreadable?.unlisted === undefined)
      deps.logger.warn(
        { provider, groups: [...unlisted.keys()] },
        'lists of members lack people who are still members; they keep their memberships, and the lists are read again',
      );
    throw new IncompleteRead(
      'ERR_DIRECTORY_INCOMPLETE',
      `provider ${provider}, members: an existing entry is missing from the list`,
      { retriable: true },
    );
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
