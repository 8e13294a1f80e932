import type { Trail, TrailExtent } from '../decisions/trail.js';
import { SyncError } from '../errors.js';
import { isPossiblyOpen, type TrailEdge } from './edge.js';

/** What every answer says of itself. */
export interface Answer {
  /** The instant that was asked about, ISO 8601 in UTC. */
  readonly at: string;
  /** The last decision in the trail: an answer about now is as of then. */
  readonly asOf?: string;
  /** The first decision in the trail. */
  readonly trailBegins?: string;
  /** What the trail cannot know about this, in sentences. */
  readonly unknown: readonly string[];
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
): Promise<{ readonly extent: TrailExtent; readonly head: Omit<Answer, 'unknown'> }> {
  const extent = await trail.extent();
  const { first, last, isCut, isForgetful } = extent;
  if (isCut && first !== undefined && at < first)
    throw new SyncError(
      'ERR_CONFIG',
      `the trail begins at ${first}: older decisions were deleted (${isForgetful ? 'the retention of the topic' : 'decisions.keep'}); ask an export of that time`,
      { retriable: false },
    );
  return {
    extent,
    head: {
      at,
      ...(last === undefined ? {} : { asOf: last }),
      ...(first === undefined ? {} : { trailBegins: first }),
    },
  };
}

/** The limits of an answer about edges. */
export function limitsOf(
  edges: readonly TrailEdge[],
  { first, isForgetful }: TrailExtent,
  at: string,
): readonly string[] {
  const unknown = edges.filter(({ certainty }) => certainty === 'unknown');
  const found = edges.filter((edge) => edge.certainty === 'before' && isPossiblyOpen(edge));
  const held = edges.filter((edge) => edge.held !== undefined);
  return [
    FOREIGN,
    OLDER,
    ...(isForgetful && first !== undefined
      ? [
          `The topic deleted decisions from before ${first}: edges that were opened before that may be missing.`,
        ]
      : []),
    ...(first === undefined ? ['The trail is empty.'] : []),
    ...(first !== undefined && at < first
      ? [`The trail begins at ${first}: only what a later decision found is known of the time before.`]
      : []),
    ...(unknown.length === 0
      ? []
      : [
          `A crash left the outcome of a write unknown for ${namesOf(unknown)}: both possibilities are shown.`,
        ]),
    ...(found.length === 0 ? [] : [`No decision opened ${namesOf(found)}: a later decision found it open.`]),
    ...(held.length === 0 ? [] : [`A held change was pending for ${namesOf(held)}: it changed nothing.`]),
  ];
}

const MOST_NAMES = 5;

function namesOf(edges: readonly TrailEdge[]): string {
  const names = edges.slice(0, MOST_NAMES).map(({ source, destination }) => `${source} -> ${destination}`);
  const more = edges.length - names.length;
  return more === 0 ? names.join(', ') : `${names.join(', ')} and ${more} more`;
}
