import type { Trail } from '../decisions/trail.js';
import { configError } from '../errors.js';
import { compareText } from '../model/compare-text.js';
import type { Decision } from '../model/decision.js';
import { definedFields } from '../model/defined-fields.js';
import { covers, digest } from '../plan/access.js';
import { limitsOf, openAnswer, type TrailAnswer } from './answer.js';
import { asAccess, isOpen } from './content.js';
import { type Citation, cite, isPossiblyOpen, type TrailEdge, toEdge } from './edge.js';
import { readSubjectState } from './read-subject-state.js';
import { isBeginning, isChange, toSubjectState } from './subject-state.js';

/** `unclear`: a crash left a write of unknown outcome, so either of two is possible. */
export type DiffKind = 'came' | 'went' | 'widened' | 'narrowed' | 'changed' | 'unclear';

export interface EdgeDiff {
  readonly kind: DiffKind;
  readonly source: string;
  readonly destination: string;
  readonly before?: TrailEdge;
  readonly after?: TrailEdge;
  /** The changes between the two instants, oldest first; the newest ones if there are many. */
  readonly decisions: readonly Citation[];
}

interface DiffAnswer extends TrailAnswer {
  readonly from: string;
  readonly edges: readonly EdgeDiff[];
}

const MAX_DECISIONS = 20;

/** Edges that differ between two instants (ISO 8601 in UTC). Throws ERR_CONFIG if the first is after the second. */
export async function accessDiff(trail: Trail, from: string, to: string): Promise<DiffAnswer> {
  if (from > to) throw configError('the first instant must be before the second.');
  await openAnswer(trail, from);
  const { extent, head } = await openAnswer(trail, to);
  const seen = new Map<string, Seen>();
  for await (const decision of trail.history('all', { from, to })) {
    const { resource, subject, time } = decision;
    if (resource.kind !== 'intention' || time === from) continue;
    const known = seen.get(subject) ?? { changes: [], newestFirst: [], isWhole: false };
    seen.set(subject, note(known, decision));
  }
  const edges: EdgeDiff[] = [];
  for (const [subject, { changes, newestFirst, isWhole }] of seen) {
    if (changes.length === 0) continue;
    const before = await readSubjectState(trail, subject, from);
    const after = isWhole ? toSubjectState(newestFirst) : await readSubjectState(trail, subject, to);
    const difference = toDiff(before && toEdge(before), after && toEdge(after), changes);
    if (difference !== undefined) edges.push(difference);
  }
  const sorted = edges.toSorted(
    (a, b) => compareText(a.destination, b.destination) || compareText(a.source, b.source),
  );
  const shown = sorted.flatMap(({ before, after }) => {
    const unclear = [after, before].find((edge) => edge?.certainty === 'unknown');
    return unclear ?? after ?? before ?? [];
  });
  return { ...head, from, edges: sorted, unknown: limitsOf(shown, extent, to) };
}

/** What was decided about a subject between the two instants. */
interface Seen {
  readonly changes: Citation[];
  /** The newest ones, down to the one that says what all of them would. */
  readonly newestFirst: Decision[];
  readonly isWhole: boolean;
}

function note({ changes, newestFirst, isWhole }: Seen, decision: Decision): Seen {
  if ((isChange(decision) || decision.outcome === 'unknown') && changes.length < MAX_DECISIONS)
    changes.unshift(cite(decision));
  const isWanted = !isWhole && newestFirst.length < MAX_DECISIONS;
  if (isWanted) newestFirst.push(decision);
  return { changes, newestFirst, isWhole: isWhole || (isWanted && isBeginning(decision)) };
}

function toDiff(
  before: TrailEdge | undefined,
  after: TrailEdge | undefined,
  decisions: readonly Citation[],
): EdgeDiff | undefined {
  const kind = kindOf(before, after);
  const edge = after ?? before;
  if (kind === undefined || edge === undefined) return undefined;
  const { source, destination } = edge;
  return { kind, source, destination, ...definedFields({ before, after }), decisions };
}

function kindOf(before: TrailEdge | undefined, after: TrailEdge | undefined): DiffKind | undefined {
  if ([before, after].some((edge) => edge?.certainty === 'unknown' && isPossiblyOpen(edge))) return 'unclear';
  const [was, is] = [isOpen(before?.access), isOpen(after?.access)];
  if (!was && !is) return undefined;
  if (!was) return 'came';
  if (!is) return 'went';
  const [from, to] = [asAccess(before?.access), asAccess(after?.access)];
  if (digest(from) === digest(to)) return undefined;
  if (covers(to, from)) return 'widened';
  return covers(from, to) ? 'narrowed' : 'changed';
}
