import type { IntentionEntry, ServiceName } from '../model/intention.js';
import type { Mapping } from '../model/rule.js';
import { sameAccess } from '../plan/access.js';
import type { Change, Plan } from '../plan/plan.js';
import { planDestination } from '../plan/plan-destination.js';
import type { ReconcilerDeps } from './deps.js';
import { inputOf } from './fleet.js';

/** What is to become of the next change of a plan that is being written. */
export type Verdict = 'write' | 'skip' | 'stop';

/** Where the writing of a plan has come to. */
export interface Progress {
  /** The entry as it stands now. */
  readonly entry: IntentionEntry | undefined;
  readonly lastWritten: ReadonlyMap<string, string>;
  /** Subjects of the changes that were written. */
  readonly written: ReadonlySet<string>;
}

/**
 * Looks out, between the writes of a plan, for what was learnt since it was made: a long one takes seconds, and a client
 * that is disabled meanwhile must neither be let in by what is left of it nor wait for its end.
 *
 * | since the plan was made | the next change |
 * |---|---|
 * | another mapping is in force | stop |
 * | what it opens is not to be opened any more, or otherwise | stop; skip where nothing was written yet |
 * | something else is to be closed | stop; write it where nothing was written yet |
 * | nothing of that | write |
 *
 * What only narrows is written whatever was learnt about clients. `Where nothing was written yet`: so that a destination
 * about which something is learnt all the time gets on all the same.
 */
export function createLookout(
  destination: ServiceName,
  plan: Plan,
  mapping: Mapping,
  deps: Pick<ReconcilerDeps, 'world' | 'clock'>,
): (change: Change, progress: Progress) => Verdict {
  const narrowing = new Set(plan.changes.flatMap(({ subject, narrows }) => (narrows ? [subject] : [])));
  const held = new Set(plan.holds.flatMap(({ subject, action }) => (action === 'grant' ? [] : [subject])));
  let latest: Latest | undefined;

  return (change, { entry, lastWritten, written }) => {
    const { world, clock } = deps;
    if (world.mapping !== mapping) return 'stop';
    if (!change.widens) return 'write';
    const input = { ...inputOf(world, destination, clock.now(), { lastWritten }), entry };
    // Whatever is learnt about clients, closures, claims and services counts this up.
    const inputs = [world.claimsVersion, input.wildcard, input.userTokens];
    if (latest === undefined || inputs.some((each, index) => each !== latest?.inputs[index])) {
      const { changes } = planDestination(input);
      const isKnown = (subject: string) =>
        held.has(subject) || (narrowing.has(subject) && !written.has(subject));
      latest = { inputs, changes, closes: changes.some((each) => each.narrows && !isKnown(each.subject)) };
    }
    if (!latest.changes.some((each) => isSame(each, change))) return written.size > 0 ? 'stop' : 'skip';
    return latest.closes && written.size > 0 ? 'stop' : 'write';
  };
}

/** The plan that would be made now, from what is known now. */
interface Latest {
  readonly inputs: readonly unknown[];
  readonly changes: readonly Change[];
  /** Whether it takes something away that the plan under way neither takes nor holds. */
  readonly closes: boolean;
}

function isSame(a: Change, b: Change): boolean {
  return (
    a.subject === b.subject &&
    sameAccess(a.after, b.after) &&
    a.description === b.description &&
    a.opensBy.join() === b.opensBy.join()
  );
}
