import type { Cause } from '../model/cause.js';
import type { DraftDecision } from '../model/decision.js';
import { typeOf } from '../model/plain-decision.js';
import type { Residual } from '../model/residual.js';
import { classify } from '../plan/actor.js';
import { clientSubject } from '../plan/plan.js';
import type { ClientId } from '../plan/world.js';
import type { WorldState } from '../state/world-state.js';
import { type StampDeps, stampOf } from './deps.js';

/** A decision about a client itself: it is in quarantine, or is no longer. */
export interface ClientDecision {
  readonly verb: 'quarantined' | 'released';
  readonly reason: 'ClientQuarantined' | 'QuarantineEnded' | 'SecretRotated';
  readonly cause: Cause;
  readonly before: unknown;
  readonly after: unknown;
  readonly residual?: Residual;
  /** Why a person ordered it. */
  readonly detail?: string;
}

export function clientDraft(
  id: ClientId,
  { verb, reason, cause, before, after, residual, detail }: ClientDecision,
  deps: StampDeps & { readonly world: Pick<WorldState, 'client' | 'mapping'> },
): DraftDecision {
  const stamp = stampOf(deps);
  const client = deps.world.client(id);
  return {
    id: stamp.newId(),
    type: typeOf('client', verb),
    subject: clientSubject(id),
    source: stamp.source,
    action: verb === 'quarantined' ? 'revoke' : 'grant',
    reason,
    resource: { kind: 'client', name: id.clientId },
    client: {
      provider: id.provider,
      clientId: id.clientId,
      actorKind: client === undefined ? 'unknown' : classify(client, deps.world.mapping),
    },
    scopes: [...new Set(client?.grants.map(({ name }) => name))].toSorted(),
    ...(cause.principal === undefined ? {} : { principal: cause.principal }),
    cause,
    before,
    after,
    ...(residual === undefined ? {} : { residual }),
    ...(detail === undefined ? {} : { detail }),
    mappingRevision: stamp.mappingRevision,
    expectedIndex: 0,
    recordedAt: stamp.time,
  };
}
