import type { Cause } from '../model/cause.js';
import type { Change, PlannedClient } from '../plan/plan.js';
import { intentionResidual } from '../plan/residual.js';
import { serviceText } from '../plan/world.js';
import { mayRemove } from './decision-drafts.js';
import { type PlanWriteDeps, stampOf } from './deps.js';
import { type EntryEnd, type EntryWrite, writeEntry } from './entry-write.js';
import { withdraw } from './journaled-write.js';

/** Writes the changes of a plan, and updates the state, the mass guard's window and the record of corrections. */
export async function writePlan(
  write: Pick<EntryWrite, 'key' | 'destination' | 'entry' | 'changes' | 'replaced' | 'overtaken' | 'baseOf'>,
  causeOf: (client: PlannedClient | undefined) => Cause,
  deps: PlanWriteDeps,
  signal: AbortSignal,
): Promise<EntryEnd> {
  const { world, window, contention, markHolds, clock, consul, keyValues, metrics, queue, logger } = deps;
  const { key, destination, changes, replaced, overtaken } = write;
  if (changes.length === 0) {
    await withdraw(key, replaced, deps);
    return { kind: 'done' };
  }
  return writeEntry(
    {
      owner: world.mapping.owner,
      causeOf: ({ client }) => causeOf(client),
      residualOf: (change) =>
        intentionResidual(change, {
          destination,
          entry: write.entry,
          wildcard: world.entries.get(serviceText({ ...destination, name: '*' })),
          protocol: world.protocolOf(destination),
          isManifest: consul.manifests !== undefined,
        }),
      stamp: stampOf(deps),
      isTouched: () => queue.late().length > 0,
      reserve: (part) => {
        const inferred = part.filter(({ isInferred }) => isInferred);
        for (const { subject } of inferred) window.reserveEdge(subject, clock.now());
        return inferred.length === 0 ? undefined : window.store(keyValues);
      },
      onWritten: (part, entry, lastApplied) => {
        const now = clock.now();
        const narrowed = new Set(part.filter(({ narrows }) => narrows).map(({ subject }) => subject));
        // An edge that this write removes counts, although an earlier write of it was never made.
        for (const draft of overtaken)
          if (mayRemove(draft) && !narrowed.has(draft.subject)) window.releaseEdge(draft.subject);
        for (const { subject, reason, breakGlass } of part) {
          if (breakGlass?.isByMark === true) markHolds.take(serviceText(destination), now);
          if (reason === 'DriftCorrected') contention.corrected(subject, now);
          window.confirmEdge(subject);
        }
        const edges = part.filter(({ reason }) => reason === 'PathNormalised').length;
        if (edges > 0) logger.info({ key, edges }, 'plain paths written in place of raw ones');
        world.rememberWritten(key, new Map([...world.records.of(key), ...lastApplied]));
        world.putEntry(destination, entry);
        metrics.gauge('scopemesh_inferred_removals', window.used(now));
      },
      onNotMade: (part: readonly Change[]) => {
        // An earlier write whose answer was lost may still remove the edge, and a grant reserved none.
        const isOpen = new Set(overtaken.map(({ subject }) => subject));
        for (const { subject, isInferred } of part)
          if (isInferred && !isOpen.has(subject)) window.releaseEdge(subject);
      },
      // Last: V8 takes microseconds for each field that follows a spread.
      ...write,
    },
    consul.intentions,
    deps,
    signal,
  );
}
