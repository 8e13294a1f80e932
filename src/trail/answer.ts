import type { Trail, TrailExtent } from '../decisions/trail.js';
import { configError } from '../errors.js';
import { definedFields } from '../model/defined-fields.js';
import { isPossiblyOpen, type TrailEdge } from './edge.js';

/** What every answer says of itself. */
export interface TrailAnswer {
  /** The instant that was asked about, ISO 8601 in UTC. */
  readonly at: string;
  /** The last decision in the trail: an answer about now is as of then. */
  readonly asOf?: string;
  /** The first decision in the trail. */
  readonly trailBegins?: string;
  /** What the trail cannot know about this, in sentences. */
  readonly unknown: readonly string[];
}

/** Throws SyncError ERR_CONFIG if an index is too far behind for an answer about an instant; undefined: about now. */
export function refuseBehind({ index }: TrailExtent, at?: string): void {
  if (index === undefined || !index.isBehind || (at !== undefined && at <= index.until)) return;
  throw configError(
    `the local index of the topic ends at ${index.until}: ask about an instant up to then, add --from-topic, or start scopemesh run, which brings the index up to date`,
  );
}

/** What an index may lack of what happened up to an instant, in sentences. */
export function* indexLimits({ index }: TrailExtent, at?: string): Iterable<string> {
  if (index === undefined) return;
  const { until, gaps, broken } = index;
  yield `This is from the local index, which has what was in the topic at ${until}.`;
  for (const gap of gaps)
    if (at === undefined || at >= gap.after)
      yield `The local index lacks decisions between ${gap.after} and ${gap.until}: what they changed may be missing or wrong here. --from-topic reads what the topic has now.`;
  if (broken !== undefined)
    yield `Decision ${broken.id} of ${broken.time} does not continue the chain and is not in the local index: run scopemesh decisions verify.`;
}

const FOREIGN =
  'Intentions that scopemesh does not own, wildcards, and the default policy of the mesh are not in the trail: they can allow more.';

const OLDER =
  'An edge that is older than the trail, and that no decision of the trail is about, is not in this answer.';

/**
 * The instant of a question about now, by the clock and the trail. If the clock was set back, the last decision is later than
 * it, and what it did is there now.
 */
export async function nowIn(trail: Pick<Trail, 'extent'>, clock: string): Promise<string> {
  const { last } = await trail.extent();
  return last !== undefined && last > clock ? last : clock;
}

/** Throws SyncError ERR_CONFIG for an instant that the trail does not reach back to. */
export async function openAnswer(
  trail: Pick<Trail, 'extent'>,
  at: string,
): Promise<{ readonly extent: TrailExtent; readonly head: Omit<TrailAnswer, 'unknown'> }> {
  const extent = await trail.extent();
  const { first, last, isCut, isForgetful } = extent;
  refuseBehind(extent, at);
  if (isCut && first !== undefined && at < first)
    throw configError(
      `the trail begins at ${first}: older decisions were deleted (${isForgetful ? 'the retention of the topic' : 'decisions.keep'}); ask an export of that time`,
    );
  return { extent, head: { at, ...definedFields({ asOf: last, trailBegins: first }) } };
}

/** The limits of an answer about edges. */
export function limitsOf(edges: readonly TrailEdge[], extent: TrailExtent, at: string): readonly string[] {
  return [FOREIGN, OLDER, ...indexLimits(extent, at), ...edgeLimits(edges, extent, at)];
}

function* edgeLimits(
  edges: readonly TrailEdge[],
  { first, isForgetful }: TrailExtent,
  at: string,
): Iterable<string> {
  const unknown = edges.filter(({ certainty }) => certainty === 'unknown');
  const found = edges.filter((edge) => edge.certainty === 'before' && isPossiblyOpen(edge));
  const held = edges.filter((edge) => edge.held !== undefined);
  if (first === undefined) yield 'The trail is empty.';
  else {
    if (isForgetful)
      yield `The topic deleted decisions from before ${first}: edges that were opened before that may be missing.`;
    if (at < first)
      yield `The trail begins at ${first}: only what a later decision found is known of the time before.`;
  }
  if (unknown.length > 0)
    yield `A crash left the outcome of a write unknown for ${namesOf(unknown)}: both possibilities are shown.`;
  if (found.length > 0) yield `No decision opened ${namesOf(found)}: a later decision found it open.`;
  if (held.length > 0) yield `A held change was pending for ${namesOf(held)}: it changed nothing.`;
}

const MAX_NAMES = 5;

function namesOf(edges: readonly TrailEdge[]): string {
  const names = edges.slice(0, MAX_NAMES).map(({ source, destination }) => `${source} -> ${destination}`);
  const more = edges.length - names.length;
  return more === 0 ? names.join(', ') : `${names.join(', ')} and ${more} more`;
}
