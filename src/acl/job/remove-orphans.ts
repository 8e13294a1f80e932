import { recordHolds } from '../../apply/record-holds.js';
import { forgetRulings } from '../../operator/approvals.js';
import { guard } from '../../plan/guards/guards.js';
import { isApprovable } from '../../plan/holds.js';
import type { Hold } from '../../plan/plan.js';
import { asPlanned } from '../../reconcile/as-planned.js';
import type { AclSweepDeps } from '../../reconcile/deps.js';
import { guardFacts } from '../../reconcile/guard-facts.js';
import { type AclApplication, applyAcl } from '../apply/apply-acl.js';
import { forgetRemoved, type Writers } from '../apply/forget-removed.js';
import { guardableOrphans } from '../state/guard-left.js';
import { settleClientAcl } from './read-client-acl.js';

export interface Left extends Pick<AclApplication, 'key' | 'cause' | 'lastApplied'> {
  /** Runs the removal of one object or client. Its failure is kept for the end. */
  readonly attempt: <T>(work: () => Promise<T>) => Promise<T | undefined>;
  readonly writers: Writers;
}

export interface LeftEnd {
  readonly holds: number;
  readonly isStale: boolean;
}

/**
 * Removes the objects of each unknown client by itself, as far as the guards allow: what fails for one harms no other.
 * `recorded`: the holds of all keys.
 */
export async function removeOrphans(
  { attempt, writers, ...left }: Left,
  recorded: readonly (Pick<Hold, 'subject' | 'reason'> & { readonly key: string })[],
  isConcerned: (subject: string) => boolean,
  deps: AclSweepDeps,
  signal: AbortSignal,
): Promise<LeftEnd> {
  const { acl, window, journal, clock } = deps;
  const { key, cause } = left;
  // What the job of a client holds stays with it, so that one ruling decides.
  const others = recorded.filter((hold) => hold.key !== key && isApprovable(hold.reason));
  const isPlanned = asPlanned(deps);
  const kind = guardableOrphans(deps, new Set(others.map(({ subject }) => subject)));
  if (kind === undefined) return { holds: 0, isStale: false };
  // While it is unknown whether a hold goes on, it stays, and so does its ruling.
  const concerns = (subject: string) => isConcerned(subject) && !kind.isUndecided(subject);
  const record = await journal.read(key);
  const guarded = guard(kind, await guardFacts(kind.losses, record.holds, deps));
  const { changes, counted, holds, used } = guarded;
  window.rejections.put(key, guarded.rejections);
  await recordHolds(key, record, [...holds, ...used], cause, deps, concerns);
  if (changes.length === 0) return { holds: holds.length, isStale: false };
  // All count at once, whatever becomes of them: while some are removed, no plan of the fleet has those any more. The count
  // of one whose client is back stays too: its own job may have counted the same loss since.
  await window.reserveStored(counted, clock.now(), deps.keyValues);
  for (const subject of counted) window.countEdge(subject, clock.now());
  // The client of one may be read meanwhile.
  const isAsPlanned: AclApplication['isAsPlanned'] = (change) => isPlanned(change) && kind.isStill(change);
  const made = new Set<string>();
  let isStale = false;
  for (const orphan of kind.byOrphan(changes)) {
    const { subject, name } = orphan;
    const writer = writers.get(name);
    const remove = async () => {
      // A removal by its job without an answer may have been made: made again, it would have two decisions.
      if (writer !== undefined) await attempt(() => settleClientAcl(writer, deps, signal));
      // The job of the client may have removed some.
      const rest = kind.present(orphan);
      const end = rest && (await applyAcl({ ...left, changes: rest, isAsPlanned }, deps, signal));
      if (end !== 'done') {
        isStale = true;
        return;
      }
      await forgetRemoved(name, writer, deps);
      made.add(subject);
    };
    await attempt(() => acl.objectsMutex.run(name, remove));
  }
  const isMade = ({ subject }: Hold) => made.has(subject);
  await forgetRulings(used.filter(isMade), deps);
  const kept = used.filter((hold) => !isMade(hold));
  await recordHolds(key, await journal.read(key), [...holds, ...kept], cause, deps, concerns);
  return { holds: holds.length, isStale };
}
