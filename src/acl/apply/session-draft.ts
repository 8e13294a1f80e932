import { stampOf } from '../../apply/deps.js';
import type { DraftDecision } from '../../model/decision.js';
import { definedFields } from '../../model/defined-fields.js';
import { fieldOf } from '../../model/field-of.js';
import type { RevocationOrder } from '../../model/order.js';
import type { Hold } from '../../plan/plan.js';
import { aclResidual } from '../../plan/residual.js';
import type { WorldState } from '../../state/world-state.js';
import { namedBy, sessionResource, sessionSubject } from '../state/session-tokens.js';
import type { AclDeps } from './deps.js';

/** The draft of the decision that the tokens of an ended session end. */
export function sessionDraft(
  order: RevocationOrder,
  deps: Pick<AclDeps, 'acl' | 'source' | 'newId' | 'clock'> & { readonly world: WorldState },
): DraftDecision {
  const stamp = stampOf(deps);
  const { client, person } = namedBy(order, deps);
  const { cause } = order;
  return {
    id: stamp.newId(),
    type: 'dev.scopemesh.acl-token.deleted',
    subject: sessionSubject(order, deps),
    source: stamp.source,
    action: 'revoke',
    reason: 'SessionRevoked',
    resource: sessionResource(order, deps),
    ...(client === undefined ? {} : { client }),
    ...(person === undefined ? {} : { person }),
    ...(cause.principal === undefined ? {} : { principal: cause.principal }),
    cause,
    before: { issuedBefore: order.at },
    after: null,
    residual: aclResidual('SessionRevoked', deps.acl.knownAgentCache),
    mappingRevision: stamp.mappingRevision,
    expectedIndex: 0,
  };
}

/** Whether a draft is of this order. A later order about the same person has another instant. */
export function isDraftOf(
  order: RevocationOrder,
  deps: { readonly world: WorldState },
): (draft: DraftDecision) => boolean {
  const subject = sessionSubject(order, deps);
  return (draft) =>
    draft.subject === subject &&
    draft.reason === 'SessionRevoked' &&
    fieldOf(draft.before, 'issuedBefore') === order.at;
}

/** The hold in a mode that ends no token. `found`: the live tokens of the session. */
export function sessionHold(
  order: RevocationOrder,
  found: number,
  deps: Pick<AclDeps, 'acl'> & { readonly world: WorldState },
): Hold {
  const { mode } = deps.world.mapping;
  return {
    subject: sessionSubject(order, deps),
    resource: sessionResource(order, deps),
    reason: 'ModeForbids',
    detail: `mode is ${mode}: ${found} live ${found === 1 ? 'token' : 'tokens'} of an ended session stay valid`,
    action: 'revoke',
    scopes: [],
    ...definedFields(namedBy(order, deps)),
  };
}
