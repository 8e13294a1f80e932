import { LRUCache } from 'lru-cache';
import type { Trail } from '../../decisions/trail.js';
import { type TrailEdge, toEdge } from '../edge.js';
import { readSubjectState } from '../read-subject-state.js';

/** What the trail says of an edge at an instant; undefined if nothing. `horizon`: up to when the trail is complete. */
export type EdgeAt = (subject: string, at: string, horizon: string) => Promise<TrailEdge | undefined>;

interface Known {
  readonly from: string;
  /** Up to here nothing changed, this instant included. */
  until: string;
  readonly edge: TrailEdge | undefined;
}

/** Pairs that are kept. Each holds one decision. */
const MAX_SUBJECTS = 10_000;

/** Remembers what it read: the lines of a log are about few pairs, and nearly in the order of time. */
export function createEdgeTimes(trail: Trail): EdgeAt {
  const known = new LRUCache<string, Known>({ max: MAX_SUBJECTS });
  return async (subject, at, horizon) => {
    const found = known.get(subject);
    const isKnown = found !== undefined && found.from <= at && at <= found.until;
    const now = isKnown ? found : await readKnown(trail, subject, at, horizon);
    known.set(subject, now);
    return now.edge;
  };
}

async function readKnown(trail: Trail, subject: string, at: string, horizon: string): Promise<Known> {
  const state = await readSubjectState(trail, subject, at);
  const edge = state && toEdge(state);
  const next = await trail.next(subject, at);
  // What is open at both ends of a millisecond may have changed within it.
  const end = next === undefined ? horizon : justBefore(next.time);
  return { from: at, until: end > at ? end : at, edge };
}

function justBefore(time: string): string {
  return new Date(Date.parse(time) - 1).toISOString();
}
