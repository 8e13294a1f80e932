import { scopesKey } from '../../state/plan-client-acl.js';
import type { WorldState } from '../../state/world-state.js';
import { isAclSubject } from './acl-draft.js';
import type { AclDeps } from './deps.js';

/** The keys of clients that wrote ACL objects, by `scopesKey` of the client's subject. */
export function writersOfAcl({ records }: Pick<WorldState, 'records'>): ReadonlyMap<string, string> {
  const mark = scopesKey('');
  const writers = new Map<string, string>();
  for (const key of records.keys())
    for (const subject of records.of(key).keys())
      if (isAclSubject(subject) && subject.endsWith(mark)) writers.set(subject, key);
  return writers;
}

/**
 * Forgets what the job of a client wrote and the complete comparison removed. Otherwise a client that comes back would look
 * as if somebody else had removed its objects.
 */
export async function forgetRemoved(
  subject: string,
  writers: ReadonlyMap<string, string>,
  { world, journal }: { readonly world: WorldState; readonly journal: Pick<AclDeps['journal'], 'settle'> },
): Promise<void> {
  const key = writers.get(scopesKey(subject));
  if (key === undefined) return;
  const record = [...world.records.of(key)];
  const gone = record.flatMap(([each]) => (isAclSubject(each) ? [[each, null] as const] : []));
  await journal.settle(key, [], { lastApplied: new Map(gone) });
  world.rememberWritten(key, new Map(record.filter(([each]) => !isAclSubject(each))));
}
