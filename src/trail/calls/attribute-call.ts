import { LRUCache } from 'lru-cache';
import type { Trail, TrailExtent } from '../../decisions/trail.js';
import type { HttpPermission } from '../../model/intention.js';
import type { Mapping, Rule } from '../../model/rule.js';
import type { HttpRequestShape } from '../../plan/access.js';
import { admitsKind } from '../../plan/actor.js';
import { type Verdict, verdictOnRequest } from '../../plan/explain.js';
import { accessOf, destinationsOfScope } from '../../plan/openings.js';
import { intentionSubject } from '../../plan/plan.js';
import { type TrailEdge, toEdge } from '../edge.js';
import { judgeAccess, verdictOn } from '../judge-edge.js';
import { readSubjectState } from '../read-subject-state.js';
import type { LoggedCall, MeshIdentity } from './logged-call.js';

/** Who made a call, by the decisions of that instant. Null: not known, for a reason that `unknown` names. */
export interface AttributedCall {
  readonly source: string | null;
  readonly destination: string | null;
  readonly client: NonNullable<TrailEdge['client']> | null;
  /** The scopes that opened the call. If the rules of that time are not known: those that opened the edge. */
  readonly scopes: readonly string[] | null;
  /** The rules that opened the call, as they are named in the configuration. */
  readonly rules: readonly string[] | null;
  /** The last decision about the edge at that instant. */
  readonly decision: { readonly id: string; readonly time: string; readonly reason: string } | null;
  /** How scopemesh's intention judged the call at that instant, as `explain --at` says it. */
  readonly verdict: Verdict | null;
  /** Whether the proxy did so too. */
  readonly agrees: boolean | null;
  /** What is not known, each a constant sentence. */
  readonly unknown: readonly string[];
}

/** The rules of the configuration, with their names. */
export interface NamedRules {
  readonly mapping: Pick<Mapping, 'rules' | 'providers' | 'revision'>;
  readonly names: ReadonlyMap<Rule, string>;
}

export const UNKNOWN = {
  time: 'the line has no start_time with a time zone',
  peer: 'the line has no downstream_peer_uri_san: the proxy of the called service did not write it, or the format lacks the field',
  local: 'the line has no downstream_local_uri_san',
  gateway: 'the certificate of one side names no service',
  domain: 'the caller is of another trust domain',
  datacenter:
    'the caller is of another datacenter, so its client is not that of the service of this name here',
  place: 'the two sides are of different partitions or namespaces',
  older: 'the line is older than the decision log',
  newer: 'the line is newer than what was read of the decision log',
  gap: 'the local index lacks decisions from before that instant',
  broken: 'a decision that does not continue the chain is not in the local index',
  none: 'no decision up to that instant is about this pair',
  found: 'no decision set this access: a later one found it',
  crash: 'a crash left the outcome of a write unknown',
  headers: 'a header or an expression decides, which cannot be judged from the line',
  rules: 'the rules of that instant are not those of the configuration file',
  apis: 'rules for different APIs match the scope, and decisions name scopes without their API',
} as const;

const NOTHING: AttributedCall = {
  source: null,
  destination: null,
  client: null,
  scopes: null,
  rules: null,
  decision: null,
  verdict: null,
  agrees: null,
  unknown: [],
};

/** `horizon`: the instant up to which the trail is complete, ISO 8601. Throws as `Trail` does. */
export async function createAttribution(
  trail: Trail,
  rules: NamedRules | undefined,
): Promise<(call: LoggedCall, horizon: string) => Promise<AttributedCall>> {
  const extent = await trail.extent();
  const edgeAt = createEdgeTimes(trail);
  const revisionAt = createRevisions(trail);
  return async (call, horizon) => {
    const { at, request, hasPassed } = call;
    const found = pairOf(call);
    if ('unknown' in found) return { ...NOTHING, ...found };
    const { peer, local } = found;
    const pair = { ...NOTHING, source: peer.name, destination: local.name };
    if (at === undefined) return { ...pair, unknown: [UNKNOWN.time] };
    if (at > horizon) return { ...pair, unknown: [UNKNOWN.newer] };
    if (isOlder(extent, at)) return { ...pair, unknown: [UNKNOWN.older] };
    const destination = destinationOf(local);
    const edge = await edgeAt(intentionSubject(destination, peer.name), at, horizon);
    const limits = limitsOf(await trail.extent(), at);
    if (edge === undefined) return { ...pair, unknown: [UNKNOWN.none, ...limits] };
    const verdict = verdictOn(edge, request, judgeWithoutHeaders);
    const isKnown = rules !== undefined && (await revisionAt(at, horizon)) === rules.mapping.revision;
    const opened = isKnown ? openedBy(edge, destination.name, request, rules) : undefined;
    const isClosed = verdict === 'denied';
    // Intentions match a service in every datacenter, but it may be another service with another client.
    const isRemote = peer.datacenter !== local.datacenter;
    // A later decision that found the access does not know its scopes.
    const scopes = opened?.scopes ?? (edge.scopes.length === 0 ? null : edge.scopes);
    return {
      ...pair,
      client: isRemote ? null : (edge.client ?? null),
      scopes: isRemote ? null : isClosed ? [] : scopes,
      rules: isRemote ? null : isClosed ? [] : (opened?.rules ?? null),
      decision: { id: edge.decision.id, time: edge.decision.time, reason: edge.decision.reason },
      verdict,
      agrees: agreement(verdict, hasPassed),
      unknown: [
        ...limits,
        ...(edge.certainty === 'before' ? [UNKNOWN.found] : []),
        ...(edge.certainty === 'unknown' ? [UNKNOWN.crash] : []),
        ...(verdict === 'unclear' && edge.certainty !== 'unknown' ? [UNKNOWN.headers] : []),
        ...(isClosed || opened !== undefined || edge.certainty === 'unknown' ? [] : [UNKNOWN.rules]),
        ...(!isClosed && opened?.rules === null ? [UNKNOWN.apis] : []),
        ...(isRemote ? [UNKNOWN.datacenter] : []),
      ],
    };
  };
}

/** The two services of a call, if intentions of one place decide about it; otherwise what is known. */
export function pairOf({
  peer,
  local,
}: Pick<LoggedCall, 'peer' | 'local'>):
  | { readonly peer: MeshIdentity; readonly local: MeshIdentity }
  | (Partial<Pick<AttributedCall, 'source' | 'destination'>> & Pick<AttributedCall, 'unknown'>) {
  if (peer === undefined || local === undefined)
    return { unknown: [peer === undefined ? UNKNOWN.peer : UNKNOWN.local] };
  if (peer === 'other' || local === 'other') return { unknown: [UNKNOWN.gateway] };
  // Its names are those of another mesh.
  if (peer.trustDomain !== local.trustDomain) return { destination: local.name, unknown: [UNKNOWN.domain] };
  if (peer.namespace !== local.namespace || peer.partition !== local.partition)
    return { source: peer.name, destination: local.name, unknown: [UNKNOWN.place] };
  return { peer, local };
}

/** Consul matches the names of destinations without regard to case, and scopemesh writes them in lower case. */
export function destinationOf(local: MeshIdentity): MeshIdentity {
  return { ...local, name: local.name.toLowerCase() };
}

/** What an index may lack. It goes on while lines are read. */
function limitsOf({ index }: TrailExtent, at: string): readonly string[] {
  if (index === undefined) return [];
  return [
    ...(index.gaps.some(({ after }) => after <= at) ? [UNKNOWN.gap] : []),
    ...(index.broken === undefined ? [] : [UNKNOWN.broken]),
  ];
}

function isOlder({ first, isCut, isForgetful }: TrailExtent, at: string): boolean {
  return first !== undefined && at < first && (isCut || isForgetful === true);
}

/** The line does not have the headers of the request, so a permission with headers may match or not. */
export function judgeWithoutHeaders(
  { permissions }: { readonly permissions: readonly HttpPermission[] },
  request: HttpRequestShape,
): Verdict {
  const without = permissions.filter(({ headers }) => headers === undefined);
  const bare = permissions.map(({ headers: _, ...permission }) => permission);
  const [least, most] = [without, bare].map((some) =>
    verdictOnRequest({ kind: 'http', permissions: some }, request),
  );
  return least === most && least !== undefined ? least : 'unclear';
}

function agreement(verdict: Verdict, hasPassed: boolean | undefined): boolean | null {
  if (hasPassed === undefined) return null;
  switch (verdict) {
    case 'allowed':
      return hasPassed;
    case 'denied':
      return !hasPassed;
    // The line does not show whether the request had a valid token.
    case 'with-token':
      return hasPassed ? true : null;
    case 'partly':
    case 'unclear':
      return null;
  }
}

/** The scopes of the edge that open this request, and the rules by which they do; null if these depend on the API of a scope. */
function openedBy(
  { client, scopes }: TrailEdge,
  destination: string,
  request: HttpRequestShape | undefined,
  { mapping, names }: NamedRules,
): { readonly scopes: readonly string[]; readonly rules: readonly string[] | null } | undefined {
  if (client === undefined) return undefined;
  const found = { scopes: new Map<string, string | undefined>(), rules: new Set<string>() };
  let isAmbiguous = false;
  for (const rule of mapping.rules) {
    if (
      judgeAccess(accessOf(rule), request, judgeWithoutHeaders) === 'denied' ||
      !admitsKind(rule.actors, client.actorKind)
    )
      continue;
    for (const name of scopes) {
      // Decisions name scopes without their API.
      const scope = { name, ...(rule.api === undefined ? {} : { api: rule.api }) };
      const opens = destinationsOfScope(client.provider, scope, { ...mapping, rules: [rule] });
      if (!opens.has(destination)) continue;
      isAmbiguous ||= found.scopes.has(name) && found.scopes.get(name) !== rule.api;
      found.scopes.set(name, rule.api);
      found.rules.add(names.get(rule) ?? rule.scope);
    }
  }
  return found.rules.size === 0
    ? undefined
    : {
        scopes: [...found.scopes.keys()].toSorted(),
        rules: isAmbiguous ? null : [...found.rules].toSorted(),
      };
}

/** The revision of the mapping at an instant: that of the newest decision before it. Read once for each minute of the log. */
function createRevisions(trail: Trail): (at: string, horizon: string) => Promise<string | undefined> {
  const MINUTE = 16;
  let last = { minute: '', revision: undefined as string | undefined, isSame: false };
  const newest = async (to: string) => {
    for await (const { mappingRevision } of trail.history('all', { to })) return mappingRevision;
    return undefined;
  };
  return async (at, horizon) => {
    const minute = at.slice(0, MINUTE);
    const end = `${minute}:59.999Z`;
    if (minute !== last.minute && end <= horizon) {
      const revision = await newest(`${minute}:00.000Z`);
      last = { minute, revision, isSame: revision === (await newest(end)) };
    }
    if (minute !== last.minute) return newest(at);
    return last.isSame ? last.revision : newest(at);
  };
}

/** What the trail says of an edge at an instant; undefined if nothing. `horizon`: up to when the trail is complete. */
type EdgeAt = (subject: string, at: string, horizon: string) => Promise<TrailEdge | undefined>;

interface Known {
  readonly from: string;
  /** Up to here nothing changed, this instant included. */
  until: string;
  readonly edge: TrailEdge | undefined;
}

/** Pairs that are kept. Each holds one decision. */
const MAX_SUBJECTS = 10_000;

/** Remembers what it read: the lines of a log are about few pairs, and nearly in the order of time. */
function createEdgeTimes(trail: Trail): EdgeAt {
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
