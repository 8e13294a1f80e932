import { principalText } from '../model/cause.js';
import type { Decision, Resource } from '../model/decision.js';
import { definedFields } from '../model/defined-fields.js';
import type { Residual } from '../model/residual.js';
import type { ActualAccess } from '../plan/plan.js';
import { isOpen, toAccess } from './content.js';
import type { SubjectState } from './subject-state.js';

/** A decision as answers cite it. */
export interface Citation {
  readonly id: string;
  /** ISO 8601. */
  readonly time: string;
  readonly reason: Decision['reason'];
  readonly principal?: string;
  readonly detail?: string;
}

/** Which edge it is. */
export interface EdgePlace {
  readonly source: string;
  readonly destination: string;
  readonly namespace: string;
  readonly partition: string;
}

/** An edge that the trail shows open, or perhaps open. */
export interface TrailEdge extends EdgePlace {
  readonly access: ActualAccess;
  readonly client?: NonNullable<Decision['client']>;
  readonly scopes: readonly string[];
  /** Since when it is open without a break; absent if that is older than the trail. */
  readonly since?: Citation;
  /** The last change. */
  readonly decision: Citation;
  /** What of the access before the last change went on after it. */
  readonly residual?: Residual;
  readonly mappingRevision: string;
  /** `applied`: a decision wrote it. `before`: a later decision found it there. `unknown`: a crash left a write undecided. */
  readonly certainty: 'applied' | 'before' | 'unknown';
  /** What the write of unknown outcome would have left. */
  readonly possible?: ActualAccess;
  /** That write. */
  readonly undecided?: Citation;
  /** A change that is held, and changed nothing. */
  readonly held?: Citation;
}

/** Undefined for what is not an edge. Closed edges are edges too: `isPossiblyOpen` says which to show. */
export function toEdge(state: SubjectState): TrailEdge | undefined {
  const { resource, content, decision, since, client, scopes, uncertain, held, basis } = state;
  const place = placeOf(resource);
  if (place === undefined) return undefined;
  return {
    ...place,
    access: toAccess(content),
    ...(client === undefined ? {} : { client }),
    scopes,
    ...(since === undefined ? {} : { since: cite(since) }),
    decision: cite(decision),
    ...(basis === 'before' || decision.residual === undefined ? {} : { residual: decision.residual }),
    mappingRevision: decision.mappingRevision,
    certainty: uncertain !== undefined ? 'unknown' : basis === 'before' ? 'before' : 'applied',
    ...(uncertain === undefined ? {} : { possible: toAccess(uncertain.after), undecided: cite(uncertain) }),
    ...(held === undefined ? {} : { held: cite(held) }),
  };
}

/** The two services of an edge; undefined for what is not an edge. */
export function placeOf({
  kind,
  source,
  destination,
  namespace = 'default',
  partition = 'default',
}: Resource): EdgePlace | undefined {
  if (kind !== 'intention' || source === undefined || destination === undefined) return undefined;
  return { source, destination, namespace, partition };
}

/** In doubt an edge counts as open: an answer must not hide access. */
export function isPossiblyOpen({ access, possible }: TrailEdge): boolean {
  return isOpen(access) || isOpen(possible);
}

export function cite({ id, time, reason, principal, cause, detail }: Decision): Citation {
  const by = principal ?? cause.principal;
  return { id, time, reason, ...definedFields({ principal: by && principalText(by), detail }) };
}
