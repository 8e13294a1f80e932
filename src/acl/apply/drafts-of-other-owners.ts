import { inFlightMs } from '../../apply/lost-answers.js';
import { type RecoveredTarget, recoverWrites } from '../../apply/recover-writes.js';
import { INTERRUPTED } from '../../apply/settle.js';
import type { DraftDecision } from '../../model/decision.js';
import { isLeftObjectsKey, leftObjectsKey } from '../../model/key.js';
import { isOfAnotherOwner } from '../../plan/object-names.js';
import type { KeyRecord } from '../../queue/journal.js';
import { firstNameIn } from '../plan/acl-change.js';
import type { AclDeps } from './deps.js';
import { observedIn } from './observed-acl.js';

const NOT_MADE = {
  ...INTERRUPTED,
  detail:
    'scopemesh was interrupted before this write reached Consul. The owner has another name since, so nothing plans it again: the object stays as it is',
} as const;
/** Nothing of ours finds tokens of another owner, so how many are left is unknown. */
const NOT_ENDED = {
  outcome: 'unknown',
  reason: 'Interrupted',
  detail:
    'scopemesh was interrupted while it ended these tokens. The owner has another name since: those that are left stay valid until they expire',
} as const;

/** Whether an object of a draft is of an earlier owner: its job reads only objects of the present one. */
export function isOfOtherOwner(
  { resource: { name } }: Pick<DraftDecision, 'resource'>,
  { world }: Pick<AclDeps, 'world'>,
): boolean {
  return name !== undefined && isOfAnotherOwner(world.mapping.owner, name);
}

/**
 * Settles what a crash or a lost answer left of objects without a client that an earlier owner had. No job does. `keys`: all
 * keys with pending drafts.
 */
export async function endDraftsOfOtherOwners(
  keys: readonly string[],
  deps: AclDeps,
  signal: AbortSignal,
): Promise<void> {
  const own = leftObjectsKey(deps.world.mapping.owner);
  for (const key of keys)
    if (isLeftObjectsKey(key) && key !== own)
      await settleDraftsOfOtherOwners(key, await deps.journal.read(key), deps, signal);
}

/**
 * Settles drafts of objects that an earlier owner had. These objects are foreign now, so they are only read, and nothing is
 * written to Consul.
 */
export async function settleDraftsOfOtherOwners(
  key: string,
  { pending, lastApplied }: Pick<KeyRecord, 'pending' | 'lastApplied'>,
  deps: AclDeps,
  signal: AbortSignal,
): Promise<void> {
  if (pending.length === 0) return;
  const observed = observedIn(await readObjectsOf(pending, deps, signal));
  const target: RecoveredTarget = {
    find: (draft) => {
      if (draft.resource.kind === 'acl-token') return NOT_ENDED;
      const object = observed(draft);
      const isOpen = inFlightMs(draft, deps.clock.now()) > 0 || !object.isNow(draft.before);
      return isOpen || object.isNow(draft.after) ? object : NOT_MADE;
    },
    // Two writes of one object may both have been made.
    rivalOf: ({ id }) => id,
  };
  await recoverWrites(key, { pending, lastApplied }, target, deps);
}

/** Without the cache, which has only objects of this owner. */
function readObjectsOf(drafts: readonly DraftDecision[], { consul }: AclDeps, signal: AbortSignal) {
  const namesOf = (isPolicy: boolean) => [
    ...new Set(
      drafts.flatMap(({ resource: { kind, name } }) => {
        const isMeant = kind !== 'acl-token' && (kind === 'acl-policy') === isPolicy;
        return isMeant && name !== undefined ? firstNameIn(name) : [];
      }),
    ),
  ];
  return consul.acl.readNamed(namesOf(false), namesOf(true), signal);
}
