import type { Trail } from '../decisions/trail.js';
import type { HttpRequestShape } from '../plan/access.js';
import type { Verdict } from '../plan/explain.js';
import { limitsOf, openAnswer, type TrailAnswer } from './answer.js';
import { isPossiblyOpen, type TrailEdge } from './edge.js';
import { verdictOn } from './judge-edge.js';
import { readEdges } from './read-subject-state.js';

const MAX_PLACES = 5;

export interface CallAnswer extends TrailAnswer {
  readonly source: string;
  readonly destination: string;
  readonly request?: { readonly method: string; readonly path: string };
  /**
   * As `explain` judges a call. `unclear`: the trail does not say, or an expression decides that cannot be judged here, so
   * the call is not proven closed.
   */
  readonly verdict: Verdict;
  /** What scopemesh had written for the pair; absent if it had written nothing. */
  readonly edge?: TrailEdge;
}

/** Whether a call was allowed at an instant (ISO 8601 in UTC) by what scopemesh had written. */
export async function callAt(
  trail: Trail,
  call: {
    readonly source: string;
    readonly destination: string;
    readonly request?: HttpRequestShape | undefined;
  },
  at: string,
): Promise<CallAnswer> {
  const { extent, head } = await openAnswer(trail, at);
  const { source, destination, request } = call;
  const edges = await edgesAt(trail, source, destination, at);
  const open = edges.filter(isPossiblyOpen);
  const edge = open[0] ?? edges[0];
  const [verdict = 'denied', ...others] = new Set(open.map((each) => verdictOn(each, request)));
  return {
    ...head,
    source,
    destination,
    ...(request === undefined ? {} : { request: { method: request.method, path: request.path } }),
    verdict: others.length === 0 ? verdict : 'unclear',
    ...(edge === undefined ? {} : { edge }),
    unknown: [
      ...limitsOf(open.length === 0 ? edges : open, extent, at),
      ...(open.length > 1 ? [`Edges of ${open.length} namespaces have these names: ${placesOf(open)}.`] : []),
    ],
  };
}

async function edgesAt(
  trail: Trail,
  source: string,
  destination: string,
  at: string,
): Promise<readonly TrailEdge[]> {
  const edges: TrailEdge[] = [];
  for await (const edge of readEdges(trail, { kind: 'source', name: source }, at))
    if (edge.destination === destination) edges.push(edge);
  return edges;
}

function placesOf(edges: readonly TrailEdge[]): string {
  return edges
    .slice(0, MAX_PLACES)
    .map(({ partition, namespace }) => `${partition}/${namespace}`)
    .join(', ');
}
