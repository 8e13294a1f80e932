import { compareText } from '../../model/compare-text.js';
import type { HoldReason, Reason, Resource } from '../../model/decision.js';
import { isDelay } from '../../plan/holds.js';
import type { Hold } from '../../plan/plan.js';

/**
 * An ACL object of Consul that enforcing would remove or narrow: logins, rights and tokens of a client or of people. Or a
 * jwt-provider that enforcing would change, which may then refuse tokens of users.
 */
export interface TrialObject {
  readonly kind: Resource['kind'];
  readonly name: string;
  readonly reason: Reason;
  readonly client?: NonNullable<Hold['client']>;
  readonly person?: NonNullable<Hold['person']>;
  readonly scopes: readonly string[];
  /** Enforcing holds it for this reason first. */
  readonly heldBy?: HoldReason;
}

/** Of the present plan. Narrowing and widening are separate steps of a plan of ACL objects. */
export function trialObjects(holds: readonly Hold[]): readonly TrialObject[] {
  return holds
    .flatMap(({ resource, reason, changeReason, action, client, person, scopes }) => {
      // A jwt-provider that is removed is one that no intention names.
      if (action !== (resource.kind === 'jwt-provider' ? 'change' : 'revoke')) return [];
      if (resource.kind !== 'jwt-provider' && !resource.kind.startsWith('acl-')) return [];
      if (reason !== 'ModeForbids' && !isDelay(reason)) return [];
      return {
        kind: resource.kind,
        name: resource.name ?? '',
        reason: changeReason ?? reason,
        ...(client === undefined ? {} : { client }),
        ...(person === undefined ? {} : { person }),
        scopes,
        ...(reason === 'ModeForbids' ? {} : { heldBy: reason }),
      };
    })
    .toSorted((a, b) => compareText(a.kind, b.kind) || compareText(a.name, b.name));
}
