import type { Trail } from '../../decisions/trail.js';
import { configError } from '../../errors.js';
import { compareText } from '../../model/compare-text.js';
import { covers } from '../../plan/access.js';
import { isOwned } from '../../plan/ownership.js';
import { type ActualAccess, type Hold, intentionSubject } from '../../plan/plan.js';
import { allowsAnything } from '../../plan/precedence.js';
import { indexLimits, openAnswer, type TrailAnswer } from '../answer.js';
import type { LoggedCall } from '../calls/logged-call.js';
import { asAccess } from '../content.js';
import type { MeshNow } from './mesh-now.js';
import { desiredByHolds, plannedByHold } from './planned-edge.js';
import { readPastPlans } from './planned-history.js';
import { createRequestCounter, type RequestCounts } from './request-counts.js';
import { isBreaking, type TrialEdge, trialEdges } from './trial-edges.js';
import { type TrialObject, trialObjects } from './trial-objects.js';

/** An intention of others that allows more than the scopes do. Enforcing leaves it as it is. */
interface ForeignIntention {
  readonly source: string;
  readonly destination: string;
  readonly access: ActualAccess;
}

/** What enforcing would have changed since `from`, and would change now. */
export interface TrialAnswer extends TrailAnswer {
  readonly from: string;
  /** Whether enforcing would now close or narrow an edge, take away by an ACL object or a jwt-provider, or refuse a request of the logs. */
  readonly isBreaking: boolean;
  readonly edges: readonly TrialEdge[];
  /** ACL objects that enforcing would remove or narrow now, and jwt-providers that it would change. */
  readonly objects: readonly TrialObject[];
  /** What stays open by intentions of others, and closes when somebody removes them. */
  readonly foreign: readonly ForeignIntention[];
  /** Null without access logs. */
  readonly requests: RequestCounts | null;
}

export interface TrialQuestion {
  /** ISO 8601 in UTC, both; without `from` since the last write to Consul, for 7 days at most. */
  readonly from?: string | undefined;
  readonly at: string;
  /** All holds of the present plan; each change that only the mode forbids is one (`ModeForbids`). */
  readonly holds: readonly Hold[];
  readonly mesh: MeshNow;
  /** Calls of access logs; undefined for a line that cannot be read. */
  readonly calls?: AsyncIterable<LoggedCall | undefined> | undefined;
}

const DAY_MS = 24 * 60 * 60 * 1_000;
const MAX_DEFAULT_MS = 7 * DAY_MS;

const LIMITS = [
  'Intentions of others, wildcards and the default policy are taken as they are now, also for the past.',
  'ACL objects and jwt-providers are judged by the present plan alone.',
];

/** Throws SyncError ERR_CONFIG if the trail does not reach back to `from`, or is empty. */
export async function trial(trail: Trail, question: TrialQuestion): Promise<TrialAnswer> {
  const { at, holds, mesh, calls } = question;
  const { extent, head } = await openAnswer(trail, at);
  const { first } = extent;
  if (first === undefined)
    throw configError(
      'the decision log is empty, so nothing was observed: start scopemesh run in mode observe',
    );
  if (question.from !== undefined && question.from < first)
    throw configError(`the decision log begins at ${first}: ask with --from ${first}, or leave --from out`);
  const longest = new Date(Math.max(Date.parse(at) - MAX_DEFAULT_MS, Date.parse(first)));
  const earliest = question.from ?? longest.toISOString();
  const past = await readPastPlans(trail, { from: earliest, to: at, orWrite: question.from === undefined });
  const { history, from, written, unread } = past;
  const plan = holds.flatMap((hold) => plannedByHold(hold) ?? []);
  const desired = desiredByHolds(holds);
  const edges = trialEdges(plan, history, mesh);
  const requests =
    calls === undefined
      ? null
      : await countRequests(calls, createRequestCounter({ plan, history, mesh, desired }), from, at);
  const objects = trialObjects(holds);
  const isRefusing = requests?.groups.some(({ outcome }) => outcome === 'refused') === true;
  return {
    ...head,
    from,
    isBreaking: isRefusing || objects.length > 0 || edges.some((edge) => edge.isStill && isBreaking(edge)),
    edges,
    objects,
    foreign: foreignIntentions(mesh, desired),
    requests,
    unknown: [
      ...indexLimits(extent, at),
      ...LIMITS,
      ...(mesh.defaultPolicy === 'unknown'
        ? ['The default policy of the mesh cannot be read, and counts as deny.']
        : []),
      ...(written !== undefined && from < written
        ? [`scopemesh wrote to Consul until ${written}: before that, its plans were also carried out.`]
        : []),
      ...(unread === 0
        ? []
        : [`For ${unread} edges the plan at ${from} was not found: too many other decisions are newer.`]),
      ...(extent.isForgetful ? [`The topic deleted decisions from before ${first}.`] : []),
    ],
  };
}

async function countRequests(
  calls: AsyncIterable<LoggedCall | undefined>,
  counter: ReturnType<typeof createRequestCounter>,
  from: string,
  to: string,
): Promise<RequestCounts> {
  for await (const call of calls) {
    if (call === undefined) counter.addUnreadable();
    else if (call.at === undefined || (call.at >= from && call.at <= to)) counter.add(call);
  }
  return counter.result();
}

/** Sources of peers are services of another mesh, and not listed. */
function foreignIntentions(
  { entries, owner }: MeshNow,
  desired: ReadonlyMap<string, ActualAccess>,
): readonly ForeignIntention[] {
  return [...entries.values()]
    .flatMap(({ destination, sources }) =>
      sources.flatMap((source) => {
        if (source.peer !== undefined || isOwned(owner, source) || !allowsAnything(source.access)) return [];
        const ours = asAccess(desired.get(intentionSubject(destination, source.name)));
        if (covers(ours, asAccess(source.access))) return [];
        return { source: source.name, destination: destination.name, access: source.access };
      }),
    )
    .toSorted((a, b) => compareText(a.destination, b.destination) || compareText(a.source, b.source));
}
