import { aclSubject } from '../acl/plan/acl-change.js';
import type { Trail, TrailParty } from '../decisions/trail.js';
import { isRecord } from '../model/is-record.js';
import { limitsOf, openAnswer, type TrailAnswer } from './answer.js';
import { type Citation, cite, isPossiblyOpen, type TrailEdge, toEdge } from './edge.js';
import { readSubjectState, readSubjectStates } from './read-subject-state.js';
import { isThere, type SubjectState } from './subject-state.js';

/** An ACL object, a claim or a quarantine that was there. */
export interface TrailObject {
  readonly subject: string;
  readonly kind: SubjectState['resource']['kind'];
  readonly content: unknown;
  readonly scopes: readonly string[];
  readonly group?: string;
  readonly since?: Citation;
  readonly decision: Citation;
  readonly certainty: TrailEdge['certainty'];
}

/** What one client, service or person could do. */
export interface Holdings {
  readonly kind: 'client' | 'service' | 'person';
  readonly name: string;
  readonly edges: readonly TrailEdge[];
  /** ACL policies, roles, auth methods and binding rules: what a token from a login could do, and who could log in. */
  readonly acl: readonly TrailObject[];
  readonly claims: readonly TrailObject[];
  /** Present while the client was in quarantine. */
  readonly quarantine?: TrailObject;
}

interface HoldingsAnswer extends TrailAnswer {
  readonly name: string;
  /** One name may be that of a client and of a service: each is an answer of its own. Empty: the trail has no such name. */
  readonly found: readonly Holdings[];
}

const KINDS = [
  ['client', 'client'],
  ['service', 'source'],
  ['person', 'person'],
] as const;

const TOKENS =
  'Logins are not in the trail: the auth methods and rules say who could get a token and how long it lived, not who did.';

/**
 * What a name could do at an instant (ISO 8601 in UTC). A name is a client ID, a service, or the `sub` of a person; a client
 * and a person may have the provider before it (`main/web-app`).
 */
export async function whatCan(trail: Trail, name: string, at: string): Promise<HoldingsAnswer> {
  const { extent, head } = await openAnswer(trail, at);
  const found: Holdings[] = [];
  for (const [kind, about] of KINDS) {
    const holdings = await holdingsOf(trail, kind, about, name, at);
    if (holdings !== undefined) found.push(holdings);
  }
  const edges = found.flatMap((each) => each.edges);
  return { ...head, name, found, unknown: [...limitsOf(edges, extent, at), TOKENS] };
}

/** A name with and without the provider before it. */
export function readingsOf(name: string): readonly { readonly provider?: string; readonly id: string }[] {
  const slash = name.indexOf('/');
  const whole = { id: name };
  return slash < 1 ? [whole] : [{ provider: name.slice(0, slash), id: name.slice(slash + 1) }, whole];
}

async function holdingsOf(
  trail: Trail,
  kind: Holdings['kind'],
  about: TrailParty['kind'],
  name: string,
  at: string,
): Promise<Holdings | undefined> {
  const states = new Map<string, SubjectState>();
  let isKnown = false;
  for (const { provider, id } of kind === 'service' ? [{ id: name }] : readingsOf(name))
    for await (const state of readSubjectStates(trail, { kind: about, name: id }, at)) {
      isKnown = true;
      // A subject may have been another client's before.
      if (kind === 'service' || isAbout(state, kind, provider, id)) states.set(state.subject, state);
    }
  if (!isKnown) return undefined;
  for (const name of policiesOf(states.values())) {
    const policy = await readSubjectState(trail, aclSubject('acl-policy', name), at);
    if (policy !== undefined) states.set(policy.subject, policy);
  }
  const all = [...states.values()];
  const edges = all.flatMap((each) => toEdge(each) ?? []).filter(isPossiblyOpen);
  const objects = all.filter(
    (each) =>
      each.resource.kind !== 'intention' &&
      (isThere(each, each.content) || isThere(each, each.uncertain?.after)),
  );
  const quarantine = objects.find(({ resource }) => resource.kind === 'client');
  return {
    kind,
    name,
    edges,
    acl: objects.filter(({ resource }) => resource.kind.startsWith('acl-')).map(toObject),
    claims: objects.filter(({ resource }) => resource.kind === 'claim').map(toObject),
    ...(quarantine === undefined ? {} : { quarantine: toObject(quarantine) }),
  };
}

/** The policies that these roles link. */
function policiesOf(states: Iterable<SubjectState>): ReadonlySet<string> {
  const names = [...states].flatMap(({ resource, content }) => {
    const policies = resource.kind === 'acl-role' && isRecord(content) ? content.policies : undefined;
    return Array.isArray(policies) ? policies.filter((each) => typeof each === 'string') : [];
  });
  return new Set(names);
}

/** Whether a decision or a state is about this client or person; without a provider, of any. */
export function isAbout(
  { client, person }: Partial<Pick<SubjectState, 'client' | 'person'>>,
  kind: 'client' | 'person',
  provider: string | undefined,
  id: string,
): boolean {
  const [its, itsId] = kind === 'client' ? [client, client?.clientId] : [person, person?.subject];
  return its !== undefined && itsId === id && (provider === undefined || provider === its.provider);
}

export function toObject(state: SubjectState): TrailObject {
  const { subject, resource, content, scopes, person, since, decision, uncertain, basis } = state;
  return {
    subject,
    kind: resource.kind,
    content,
    scopes,
    ...(person?.group === undefined ? {} : { group: person.group }),
    ...(since === undefined ? {} : { since: cite(since) }),
    decision: cite(uncertain ?? decision),
    certainty: uncertain !== undefined ? 'unknown' : basis === 'before' ? 'before' : 'applied',
  };
}
