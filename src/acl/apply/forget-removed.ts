import { setImmediate } from 'node:timers/promises';
import { clientKey, formatKey, parseKey } from '../../model/key.js';
import { hasHash, hasOurName } from '../../plan/object-names.js';
import type { ClientId } from '../../plan/world.js';
import type { Journal, KeyRecord } from '../../queue/journal.js';
import type { WorldState } from '../../state/world-state.js';
import { isStillOrphaned } from '../state/orphaned-acl.js';
import { scopesKey } from '../state/plan-client-acl.js';
import { isAclSubject } from './acl-draft.js';
import type { AclDeps } from './deps.js';
import { pendingAcl } from './recover-pending-acl.js';

export interface ForgetDeps {
  readonly world: Pick<WorldState, 'rememberWritten'>;
  readonly acl: { readonly cache: Pick<AclDeps['acl']['cache'], 'owned'> };
  readonly journal: Pick<Journal, 'read' | 'settle'>;
}

/** Clients by the lower-case name of their objects. */
export type Writers = ReadonlyMap<string, ClientId>;

/** There may be 100,000 records, and no event may wait for all of them. */
const SLICE = 500;
const ROLE = 'acl-role/';
const SCOPES = scopesKey('');

/**
 * The clients that wrote, or may have written, objects that the complete comparison removes, by the lower-case name. Only
 * the journal knows them all: a job that failed has not remembered what it wrote before.
 */
export async function writersOfAcl({
  world,
  journal,
}: {
  readonly world: Pick<WorldState, 'mapping'>;
  readonly journal: Pick<Journal, 'readAll'>;
}): Promise<Writers> {
  const writers = new Map<string, ClientId>();
  let at = 0;
  for (const [text, record] of await journal.readAll()) {
    if (++at % SLICE === 0) await setImmediate();
    const names = namesIn(record).filter((name) => hasHash(name) && hasOurName(world.mapping.owner, name));
    const key = names.length === 0 ? undefined : parseKey(text);
    if (key?.kind !== 'client' || key.by !== 'clientId') continue;
    for (const name of names) writers.set(name, { provider: key.provider, clientId: key.value });
  }
  return writers;
}

/** The names of roles and auth methods that a key wrote. Names with a hash need no escape. */
function namesIn(record: Pick<KeyRecord, 'lastApplied' | 'pending'>): readonly string[] {
  const written = [...record.lastApplied.keys()].flatMap((subject) =>
    subject.startsWith(ROLE) && subject.endsWith(SCOPES) ? subject.slice(ROLE.length, -SCOPES.length) : [],
  );
  const begun = pendingAcl(record).flatMap(({ resource: { kind, name } }) =>
    name !== undefined && (kind === 'acl-role' || kind === 'acl-auth-method') ? name : [],
  );
  return [...written, ...begun].map((name) => name.toLowerCase());
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
  const { lastApplied } = await journal.read(key);
  const gone = [...lastApplied.keys()].filter(isAclSubject);
  if (gone.length === 0) return world.rememberWritten(key, lastApplied);
  await journal.settle(key, [], { lastApplied: new Map(gone.map((each) => [each, null])) });
  world.rememberWritten(key, new Map([...lastApplied].filter(([each]) => !isAclSubject(each))));
}

/**
 * Forgets also what an earlier comparison removed, if a failure or a crash came before it could forget that. Only of
 * clients that are unknown: the job of any other finds out what became of its objects.
 */
export async function forgetGone(
  writers: Writers,
  deps: ForgetDeps & Pick<AclDeps, 'acl'> & { readonly world: WorldState },
): Promise<void> {
  const { cache, objectsMutex } = deps.acl;
  const isGone = (name: string) => cache.isComplete && !cache.owned.has(name) && isStillOrphaned(name, deps);
  let at = 0;
  for (const [name, writer] of writers) {
    if (++at % SLICE === 0) await setImmediate();
    if (!isGone(name)) continue;
    // Again in its turn: the client may be back, and its job may write.
    await objectsMutex.run(name, async () => {
      if (isGone(name)) await forgetRemoved(name, writer, deps);
    });
  }
}
