import { compareText } from '../../model/compare-text.js';
import type { ServiceName } from '../../model/intention.js';
import { type ActualAccess, intentionSubject } from '../../plan/plan.js';
import { destinationOf, judgeWithoutHeaders, pairOf } from '../calls/attribute-call.js';
import type { LoggedCall } from '../calls/logged-call.js';
import { judgeAccess } from '../judge-edge.js';
import { type Effective, effectiveNow, effectiveWith, isSelected, type MeshNow } from './mesh-now.js';
import type { PlannedEdge } from './planned-edge.js';
import { type PlannedHistory, plannedAt } from './planned-history.js';

/**
 * What enforcing would do with requests that passed. `refused`: it would refuse them now. `former`: it would have refused
 * them when they were made, and would not now. `closed`: Consul refuses them now without scopemesh. `unclear`: a header, a token
 * or an expression decides, which the line does not show. `foreign`: they pass only because of an intention of others, or the
 * default policy.
 */
export const REQUEST_OUTCOMES = ['refused', 'former', 'closed', 'unclear', 'foreign'] as const;
export type RequestOutcome = (typeof REQUEST_OUTCOMES)[number];

/** Requests that are alike. */
interface RequestGroup {
  readonly outcome: RequestOutcome;
  readonly source: string;
  readonly destination: string;
  /** Null for connections without HTTP. */
  readonly method: string | null;
  /** The first two segments of the path; `*` for a long one. */
  readonly pathPrefix: string | null;
  /** The intention that lets them pass, as `source -> destination`; only with `foreign`. */
  readonly by?: string;
  readonly count: number;
  /** ISO 8601; null if no line has an instant. */
  readonly lastSeen: string | null;
}

export interface RequestCounts {
  /** All lines of the time, and those without a time; those that are not judged too. */
  readonly lines: number;
  /** Calls that passed and were judged. */
  readonly judged: number;
  /** Calls that an intention refused already. */
  readonly refusedAlready: number;
  /** Lines that are not judged: why, as constant sentences, with their number. */
  readonly notJudged: readonly { readonly why: string; readonly count: number }[];
  /** The most frequent first. */
  readonly groups: readonly RequestGroup[];
  /** Requests of further groups, which are not listed. */
  readonly notListed: Readonly<Record<RequestOutcome, number>>;
}

/** Groups of one outcome that are kept: a caller chooses its paths. */
const MAX_GROUPS = 1_000;
const SEGMENTS = 2;
/** Characters. A longer one is often a token. */
const MAX_SEGMENT_LENGTH = 40;

const NOT_JUDGED = {
  answered: 'the proxy answered for another reason, so perhaps no intention was applied',
  outside: 'the called service is outside select',
  unreadable: 'the line is no JSON object, or is too long',
} as const;

/** What is known when requests are counted. */
interface RequestFacts {
  readonly plan: readonly PlannedEdge[];
  readonly history: PlannedHistory;
  readonly mesh: MeshNow;
  /** What the scopes open for a pair, if a source of others is in the way; by subject. */
  readonly desired: ReadonlyMap<string, ActualAccess>;
}

interface RequestCounter {
  add(call: LoggedCall): void;
  addUnreadable(): void;
  result(): RequestCounts;
}

export function createRequestCounter(facts: RequestFacts): RequestCounter {
  const plan = new Map(facts.plan.map((planned) => [planned.subject, planned]));
  const groups = mapOutcomes(() => new Map<string, RequestGroup>());
  const notJudged = new Map<string, number>();
  const notListed = mapOutcomes(() => 0);
  const counts = { lines: 0, judged: 0, refusedAlready: 0 };
  const skip = (why: string) => notJudged.set(why, (notJudged.get(why) ?? 0) + 1);
  return {
    add(call) {
      counts.lines++;
      const pair = pairOf(call);
      if ('unknown' in pair) return skip(pair.unknown[0] ?? '');
      const [source, destination] = [pair.peer, destinationOf(pair.local)];
      if (!isSelected(facts.mesh, destination)) return skip(NOT_JUDGED.outside);
      if (call.hasPassed === false) {
        counts.refusedAlready++;
        return;
      }
      if (call.hasPassed === undefined && call.request !== undefined) return skip(NOT_JUDGED.answered);
      counts.judged++;
      const judged = judge(call, intentionSubject(destination, source.name), source, destination);
      if (judged === undefined) return;
      const place = {
        ...judged,
        source: source.name,
        destination: destination.name,
        method: call.request?.method ?? null,
        pathPrefix: call.request === undefined ? null : prefixOf(call.request.path),
      };
      const key = JSON.stringify(Object.values(place));
      const alike = groups[judged.outcome];
      const known = alike.get(key);
      if (known === undefined && alike.size >= MAX_GROUPS) notListed[judged.outcome]++;
      else alike.set(key, { ...place, count: (known?.count ?? 0) + 1, lastSeen: later(known, call.at) });
    },
    addUnreadable() {
      counts.lines++;
      skip(NOT_JUDGED.unreadable);
    },
    result: () => ({
      ...counts,
      notJudged: [...notJudged].map(([why, count]) => ({ why, count })).toSorted((a, b) => b.count - a.count),
      groups: Object.values(groups)
        .flatMap((alike) => [...alike.values()])
        .toSorted((a, b) => b.count - a.count || compareText(JSON.stringify(a), JSON.stringify(b))),
      notListed,
    }),
  };

  function judge(
    { at, request }: LoggedCall,
    subject: string,
    source: ServiceName,
    destination: ServiceName,
  ): Pick<RequestGroup, 'outcome' | 'by'> | undefined {
    const verdictOf = ({ access }: Effective) => judgeAccess(access, request, judgeWithoutHeaders);
    const planned = plan.get(subject);
    const present = effectiveNow(facts.mesh, source, destination);
    const next = planned === undefined ? present : effectiveWith(facts.mesh, planned, planned.after);
    const verdict = verdictOf(next);
    if (verdict === 'denied') return { outcome: verdictOf(present) === 'denied' ? 'closed' : 'refused' };
    const then = at === undefined ? undefined : plannedAt(facts.history.get(subject), at);
    if (then !== undefined && verdictOf(effectiveWith(facts.mesh, then, then.after)) === 'denied')
      return { outcome: 'former' };
    if (verdict !== 'allowed') return { outcome: 'unclear' };
    if (next.writer === 'scopemesh') return undefined;
    const isDesired = judgeAccess(facts.desired.get(subject), request, judgeWithoutHeaders) === 'allowed';
    return isDesired ? undefined : { outcome: 'foreign', by: next.by };
  }
}

function mapOutcomes<T>(make: () => T): Record<RequestOutcome, T> {
  return { refused: make(), former: make(), closed: make(), unclear: make(), foreign: make() };
}

function prefixOf(path: string): string {
  const [plain = ''] = path.split(/[?#]/, 1);
  const segments = plain.split('/');
  const prefix = segments
    .slice(0, SEGMENTS + 1)
    .map((segment) => (segment.length > MAX_SEGMENT_LENGTH ? '*' : segment))
    .join('/');
  return segments.length > SEGMENTS + 1 ? `${prefix}/` : prefix;
}

function later(known: RequestGroup | undefined, at: string | undefined): string | null {
  const before = known?.lastSeen ?? null;
  if (at === undefined) return before;
  return before === null || at > before ? at : before;
}
