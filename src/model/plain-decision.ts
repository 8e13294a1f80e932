import type { Cause } from './cause.js';
import type { Decision, DecisionAction, Outcome, Reason, Resource, ResourceKind, Verb } from './decision.js';
import { definedFields } from './defined-fields.js';

/** The fields that all decisions of this process share. */
export interface Stamp {
  /** `scopemesh/<owner>/<replica>`. */
  readonly source: string;
  readonly mappingRevision: string;
  readonly newId: () => string;
  /** ISO 8601. */
  readonly time: string;
}

/** A decision about something that is not an edge: a refused event, a reload, a sweep. */
export function plainDecision(
  facts: {
    resource: Resource;
    verb: Verb;
    subject: string;
    action?: DecisionAction;
    outcome: Outcome;
    reason: Reason;
    cause: Cause;
    detail?: string;
    before?: unknown;
    after?: unknown;
  },
  stamp: Stamp,
): Omit<Decision, 'revision'> {
  return {
    id: stamp.newId(),
    type: typeOf(facts.resource.kind, facts.verb),
    subject: facts.subject,
    source: stamp.source,
    action: facts.action ?? 'none',
    outcome: facts.outcome,
    reason: facts.reason,
    resource: facts.resource,
    ...(facts.cause.principal === undefined ? {} : { principal: facts.cause.principal }),
    cause: facts.cause,
    ...definedFields({ detail: facts.detail, before: facts.before, after: facts.after }),
    mappingRevision: stamp.mappingRevision,
    time: stamp.time,
  };
}

export function typeOf(kind: ResourceKind, verb: Verb): Decision['type'] {
  return `dev.scopemesh.${kind}.${verb}`;
}
