import type { DraftDecision } from '../../model/decision.js';
import type { RevocationOrder } from '../../model/order.js';
import { aclResidual } from '../../plan/residual.js';
import { namedBy, sessionResource, sessionSubject } from '../../state/session-tokens.js';
import type { WorldState } from '../../state/world-state.js';
import { stampOf } from '../deps.js';
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
