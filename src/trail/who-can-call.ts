import type { Trail } from '../decisions/trail.js';
import { limitsOf, openAnswer, type TrailAnswer } from './answer.js';
import { isPossiblyOpen, type TrailEdge } from './edge.js';
import { readEdges } from './read-subject-state.js';

interface CallersAnswer extends TrailAnswer {
  readonly service: string;
  /** Whether any decision, at any time, is about a call to the service. */
  readonly isKnown: boolean;
  /** Who could call it, by the name of the source. */
  readonly callers: readonly TrailEdge[];
  /** Edges that are closed, but for which a change is held. */
  readonly held: readonly TrailEdge[];
}

/** Which services could call a service at an instant (ISO 8601 in UTC). */
export async function whoCanCall(trail: Trail, serviceName: string, at: string): Promise<CallersAnswer> {
  const { extent, head } = await openAnswer(trail, at);
  const edges: TrailEdge[] = [];
  for await (const edge of readEdges(trail, { kind: 'destination', name: serviceName }, at)) edges.push(edge);
  const callers = edges.filter(isPossiblyOpen);
  const held = edges.filter((edge) => edge.held !== undefined && !isPossiblyOpen(edge));
  return {
    ...head,
    service: serviceName,
    isKnown: edges.length > 0 || (await hasAny(trail.subjects({ kind: 'destination', name: serviceName }))),
    callers,
    held,
    unknown: limitsOf([...callers, ...held], extent, at),
  };
}

async function hasAny(items: AsyncIterable<unknown>): Promise<boolean> {
  for await (const _ of items) return true;
  return false;
}
