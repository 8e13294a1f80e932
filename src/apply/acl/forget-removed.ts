import { clientKey, formatKey, parseKey } from '../../model/key.js';
import type { ClientId } from '../../plan/world.js';
import { scopesKey } from '../../state/plan-client-acl.js';
import type { WorldState } from '../../state/world-state.js';
import { isAclSubject } from './acl-draft.js';
import type { AclDeps } from './deps.js';

interface ForgetDeps {
  readonly world: WorldState;
  readonly acl: Pick<AclDeps['acl'], 'cache'>;
  readonly journal: Pick<AclDeps['journal'], 'settle'>;
}

/** The clients that wrote ACL objects, by the subject under which their removal is counted and held. */
export function writersOfAcl({ records }: Pick<WorldState, 'records'>): ReadonlyMap<string, ClientId> {
  const mark = scopesKey('');
  const writers = new Map<string, ClientId>();
  for (const text of records.keys())
    for (const subject of records.of(text).keys()) {
      if (!isAclSubject(subject) || !subject.endsWith(mark)) continue;
      const key = parseKey(text);
      if (key?.kind !== 'client' || key.by !== 'clientId') continue;
      writers.set(subject.slice(0, -mark.length), { provider: key.provider, clientId: key.value });
    }
  return writers;
}

/**
 * Forgets what the job of a client wrote and the complete comparison removed. Otherwise a client that comes back would look
 * as if somebody else had removed its objects. While an object exists, its record stays.
 */
export async function forgetRemoved(
  name: string,
  writer: ClientId | undefined,
  { world, acl, journal }: ForgetDeps,
): Promise<void> {
  if (writer === undefined || acl.cache.owned.has(name)) return;
  const key = formatKey(clientKey(writer.provider, writer.clientId));
  const record = [...world.records.of(key)];
  const gone = record.flatMap(([each]) => (isAclSubject(each) ? [[each, null] as const] : []));
  await journal.settle(key, [], { lastApplied: new Map(gone) });
  world.rememberWritten(key, new Map(record.filter(([each]) => !isAclSubject(each))));
}
