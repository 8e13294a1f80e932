import type { Trail, TrailEnd, TrailParty } from '../decisions/trail.js';
import type { Decision } from '../model/decision.js';
import { type TrailEdge, toEdge } from './edge.js';
import { isBeginning, type SubjectState, toSubjectState } from './subject-state.js';

/** A subject changed more often than this since it was opened is older than what is read. */
const MAX_DECISIONS = 1_000;

/** What one subject was at an end; undefined if the trail does not say. */
export async function readSubjectState(
  trail: Trail,
  subject: string,
  at: TrailEnd,
): Promise<SubjectState | undefined> {
  const newestFirst: Decision[] = [];
  for await (const decision of trail.newestFirst(subject, at)) {
    newestFirst.push(decision);
    if (isBeginning(decision) || newestFirst.length === MAX_DECISIONS) break;
  }
  const state = toSubjectState(newestFirst);
  if (state !== undefined) return state;
  return toSubjectState([], await trail.next(subject, at));
}

/** What each subject of a kind was at an end, in the order of the subjects. */
export async function* readSubjectStates(
  trail: Trail,
  of: TrailParty | { readonly prefix: string },
  at: TrailEnd,
): AsyncIterable<SubjectState> {
  for await (const subject of trail.subjects(of)) {
    const state = await readSubjectState(trail, subject, at);
    if (state !== undefined) yield state;
  }
}

/** The edges at an end, closed ones too, in the order of the subjects. */
export async function* readEdges(
  trail: Trail,
  of: TrailParty | { readonly prefix: string },
  at: TrailEnd,
): AsyncIterable<TrailEdge> {
  for await (const state of readSubjectStates(trail, of, at)) {
    const edge = toEdge(state);
    if (edge !== undefined) yield edge;
  }
}
