import type { Grant } from '../model/client.js';
import { compareText } from '../model/compare-text.js';
import type { Access, DefaultPolicy, IntentionSource, ServiceName } from '../model/intention.js';
import { admits, type HttpRequestShape } from './access.js';
import { isOfEdge } from './break-glass.js';
import { type BreakGlassView, toBreakGlassView } from './break-glass-view.js';
import type { ClaimStatus } from './claim-status.js';
import { DENIED, denyOf } from './deny.js';
import { desiredAccess } from './desired-access.js';
import type { DestinationInput } from './destination-input.js';
import { edgeBreakGlass, withBreakGlass, withoutBreakGlass } from './edge-break-glass.js';
import { isRecorded } from './edge-record.js';
import { managedByText } from './entry-block.js';
import { toGrantText } from './grant-text.js';
import { parseLastAppliedText } from './last-applied.js';
import { isOwnedHere, isSourceOf } from './ownership.js';
import { type ActualAccess, type Change, type Hold, intentionSubject, type Plan } from './plan.js';
import { openForUser } from './user-tokens.js';
import { type ClientBlock, clientText, findClient, isUnreadable, serviceText } from './world.js';

/** Consul's precedence: the source and the destination exact, `* -> destination`, `source -> *`, `* -> *`. */
export type Precedence = 9 | 8 | 6 | 5;

/** An intention that matches the call. Only the first one decides. */
export interface Candidate {
  readonly precedence: Precedence;
  readonly source: string;
  readonly destination: string;
  readonly access: Exclude<ActualAccess, undefined>;
  readonly isOwned: boolean;
  readonly description: string;
  /** What makes the entry instead of scopemesh, so that nothing of it is written. */
  readonly manager?: string;
}

/**
 * | deciding intention | request | verdict |
 * |---|---|---|
 * | allow | | `allowed` |
 * | deny | | `denied` |
 * | permissions | one that matches | `allowed` |
 * | permissions | one that matches only with a user's token | `with-token` |
 * | permissions | one that does not match | by the default policy |
 * | permissions | one for which an expression decides that cannot be judged here | `unclear` |
 * | permissions | none | `partly` |
 * | content that scopemesh does not write (tokens of several providers, deny permissions) | | `unclear` |
 * | none | | by the default policy; `denied` if the policy cannot be read |
 */
export type Verdict = 'allowed' | 'with-token' | 'partly' | 'denied' | 'unclear';

export function isAllowed(verdict: Verdict): boolean {
  return verdict === 'allowed' || verdict === 'with-token' || verdict === 'partly';
}

export interface Explanation {
  readonly source: ServiceName;
  readonly destination: ServiceName;
  readonly request: HttpRequestShape | undefined;
  readonly verdict: Verdict;
  /** The most exact first, which decides. If empty, the default policy decides. */
  readonly candidates: readonly Candidate[];
  readonly defaultPolicy: DefaultPolicy;
  readonly claim: ClaimStatus;
  readonly client: ClientView | undefined;
  /** What the scopes of the source's client open at this destination. */
  readonly openings: readonly { readonly scope: string; readonly access: Access }[];
  readonly desired: Access | undefined;
  /** Why a person's deny keeps the edge closed. */
  readonly denied: string | undefined;
  /** Grants of this edge, in any state. */
  readonly breakGlass: readonly BreakGlassView[];
  readonly holds: readonly Hold[];
  /** Whether the destination waits for the jwt-provider of the client's provider. */
  readonly awaitsJwtProvider: boolean;
  /** The write that is due for this edge. */
  readonly pending: Change | undefined;
}

interface ClientView {
  readonly provider: string;
  readonly clientId: string;
  readonly actorKind: string;
  /** Whether its record at the identity provider can be read; if not, `exists` is not known. */
  readonly isReadable: boolean;
  readonly exists: boolean;
  readonly enabled: boolean;
  readonly closure: ClientBlock | undefined;
  readonly grants: readonly Grant[];
  /** Scopes that a rule names but this kind of actor may not use. */
  readonly limited: readonly string[];
}

/** Evaluates one call by the current state of Consul, and shows the desired state beside it. */
export function explain(facts: {
  readonly source: ServiceName;
  readonly request: HttpRequestShape | undefined;
  readonly defaultPolicy: DefaultPolicy;
  readonly input: DestinationInput;
  /** The destination's plan, guarded. */
  readonly plan: Plan;
  /** Holds of the claims on the source's client. */
  readonly claimHolds: readonly Hold[];
  /** Of the source's client, if its record cannot be read. */
  readonly unreadable?: Hold | undefined;
}): Explanation {
  const { source, request, defaultPolicy, input, plan } = facts;
  const claim =
    input.claimStatuses.get(serviceText(source)) ??
    ({ kind: 'none', service: source, vanished: false } satisfies ClaimStatus);
  const candidates = candidatesOf(source, input);
  const ours = input.entry?.sources.find((each) => isLocal(each, source) && isOwnedHere(input.mapping, each));
  const denied = denyOf(source, ours, input);
  const isHere = (each: Hold | Change) => each.resource.source === source.name;
  return {
    source,
    destination: input.destination,
    request,
    verdict: verdictOn(candidates[0]?.access, request, defaultPolicy),
    candidates,
    defaultPolicy,
    claim,
    client: clientOf(claim, input),
    openings: openingsHere(claim, input),
    desired: denied === undefined ? desiredHere(source, claim, input, ours) : DENIED,
    denied: denied?.part.detail,
    breakGlass: input.breakGlass.grants
      .filter((each) => isOfEdge(each, source, input.destination))
      .map((each) => toBreakGlassView(each, input.mapping, input.breakGlass.now)),
    holds: [
      ...plan.holds.filter(isHere),
      ...facts.claimHolds.filter((hold) => hold.resource.name === source.name),
      ...(facts.unreadable === undefined ? [] : [facts.unreadable]),
    ],
    awaitsJwtProvider: claim.kind !== 'none' && (plan.awaits ?? []).includes(claim.client.provider),
    pending: plan.changes.find(isHere),
  };
}

function desiredHere(
  source: ServiceName,
  claim: ClaimStatus,
  input: DestinationInput,
  ours: IntentionSource | undefined,
): Access | undefined {
  const lastApplied = parseLastAppliedText(
    input.lastApplied.get(intentionSubject(input.destination, source.name)),
  );
  const glass = edgeBreakGlass(source, claim, lastApplied, input, ours);
  return withBreakGlass(desiredAccess(source, claim, input, withoutBreakGlass(ours, glass)), glass).access;
}

/** The intentions that match the call, most exact first. Sources of peers are other services. */
function candidatesOf(
  source: ServiceName,
  input: Pick<
    DestinationInput,
    'entry' | 'wildcard' | 'mapping' | 'destination' | 'lastApplied' | 'unrecorded'
  >,
): readonly Candidate[] {
  const star: ServiceName = { ...source, name: '*' };
  const find = (
    precedence: Precedence,
    entry: DestinationInput['entry'],
    name: ServiceName,
    destination: string,
  ): readonly Candidate[] => {
    const found = entry?.sources.find((each) => isLocal(each, name));
    if (found === undefined) return [];
    const { access, description } = found;
    const owned = isOwnedHere(input.mapping, found) && isRecorded(input.destination, found, input);
    const managedBy = entry && managedByText(entry);
    return [
      {
        precedence,
        source: found.name,
        destination,
        access,
        isOwned: owned,
        description,
        ...(managedBy === undefined ? {} : { manager: managedBy }),
      },
    ];
  };
  return [
    ...find(9, input.entry, source, input.destination.name),
    ...find(8, input.entry, star, input.destination.name),
    ...find(6, input.wildcard, source, '*'),
    ...find(5, input.wildcard, star, '*'),
  ];
}

function isLocal(candidate: IntentionSource, name: ServiceName): boolean {
  return candidate.peer === undefined && isSourceOf(candidate, name);
}

function verdictOn(
  access: ActualAccess,
  request: HttpRequestShape | undefined,
  defaultPolicy: Explanation['defaultPolicy'],
): Verdict {
  const byDefault = defaultPolicy === 'allow' ? 'allowed' : 'denied';
  switch (access?.kind) {
    case undefined:
      return byDefault;
    case 'allow':
      return 'allowed';
    case 'deny':
      return 'denied';
    case 'other':
      return 'unclear';
    case 'http':
      if (request === undefined) return 'partly';
      return byDefault === 'allowed' ? byDefault : verdictOnRequest(access, request);
  }
}

/** By these permissions alone. */
export function verdictOnRequest(
  access: Extract<Access, { kind: 'http' }>,
  request: HttpRequestShape,
): Exclude<Verdict, 'partly'> {
  const now = admits(access, request);
  if (now !== false) return now === true ? 'allowed' : 'unclear';
  const withToken = admits(withoutTokens(access), request);
  if (withToken === undefined) return 'unclear';
  return withToken ? 'with-token' : 'denied';
}

/** The access of a caller that has all required tokens. */
function withoutTokens({ permissions }: Extract<Access, { kind: 'http' }>): Access {
  return { kind: 'http', permissions: permissions.map(({ jwt: _, ...permission }) => permission) };
}

function clientOf(claim: ClaimStatus, input: DestinationInput): ClientView | undefined {
  if (claim.kind === 'none') return undefined;
  const { provider, clientId } = claim.client;
  const found = findClient(input.world, claim.client);
  const opened = input.openings.get(clientText(claim.client));
  return {
    provider,
    clientId,
    actorKind: opened?.actorKind ?? 'unknown',
    isReadable: !isUnreadable(input.world, claim.client),
    exists: found !== undefined,
    enabled: found?.enabled ?? false,
    closure: input.world.clientBlocks.get(clientText(claim.client)),
    grants: (found?.grants ?? []).toSorted((a, b) => compareText(toGrantText(a), toGrantText(b))),
    limited: opened?.limited ?? [],
  };
}

function openingsHere(claim: ClaimStatus, input: DestinationInput): Explanation['openings'] {
  if (claim.kind === 'none') return [];
  const opened = input.openings.get(clientText(claim.client));
  return (opened?.openings ?? [])
    .filter((opening) => opening.destination === input.destination.name.toLowerCase())
    .flatMap((opening) => {
      const forUser = openForUser(opening, claim.client, input);
      // `holds` shows what is held, with the reason.
      const access = forUser.kind === 'open' ? forUser.access : forUser.stays;
      return access === undefined ? [] : [{ scope: opening.scope, access }];
    });
}
