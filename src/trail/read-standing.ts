import type { About, Trail } from '../decisions/trail.js';
import type { Decision } from '../model/decision.js';
import { type TrailEdge, toEdge } from './edge.js';
import { isBeginning, type Standing, toStanding } from './standing.js';

/** A subject changed more often than this since it was opened is older than what is read. */
const MOST_DECISIONS = 1_000;

/** What one subject was at an instant; undefined if the trail does not say. */
export async function readStanding(trail: Trail, subject: string, at: string): Promise<Standing | undefined> {
  const newestFirst: Decision[] = [];
  for await (const decision of trail.newestFirst(subject, at)) {
    newestFirst.push(decision);
    if (isBeginning(decision) || newestFirst.length === MOST_DECISIONS) break;
  }
  const standing = toStanding(newestFirst);
  if (standing !== undefined) return standing;
  return toStanding([], await trail.next(subject, at));
}

/** What each subject of a kind was at an instant, in the order of the subjects. */
export async function* readStandings(
  trail: Trail,
  of: About | { readonly prefix: string },
  at: string,
): AsyncIterable<Standing> {
  for await (const subject of trail.subjects(of)) {
    const standing = await readStanding(trail, subject, at);
    if (standing !== undefined) yield standing;
  }
}

/** The edges at an instant, closed ones too, in the order of the subjects. */
export async function* readEdges(
  trail: Trail,
  of: About | { readonly prefix: string },
  at: string,
): AsyncIterable<TrailEdge> {
  for await (const standing of readStandings(trail, of, at)) {
    const edge = toEdge(standing);
    if (edge !== undefined) yield edge;
  }
}
