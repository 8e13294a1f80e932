import type { Hold } from '../../plan/plan.js';
import { type AclPlan, loginHold } from './acl-change.js';

const DETAIL =
  'the discovery document of the issuer redirects; Consul follows that and takes the keys of logins from there, and nobody checks them. No login is made or widened until the issuer of the provider is the URL that the document names as its issuer, or the provider answers without a redirect';

/**
 * The plan for a provider whose issuer redirects: what only narrows. An object that would be created again stays, unless
 * somebody else changed it. `name`: of the auth method.
 */
export function withoutLogins<P extends AclPlan>(
  plan: P,
  name: string,
  client: Pick<Hold, 'client'> = {},
): P {
  const held = plan.changes.filter(({ narrows, verb }) => !narrows && verb !== 'deleted');
  if (held.length === 0) return plan;
  const again = new Set(held.map(({ subject }) => subject));
  const stays = ({ subject, reason }: (typeof held)[number]) =>
    again.has(subject) && reason !== 'DriftCorrected';
  const scopes = [...new Set(held.flatMap((change) => change.scopes))].toSorted();
  return {
    ...plan,
    changes: plan.changes.filter((change) => !held.includes(change) && !stays(change)),
    holds: [...plan.holds, loginHold(name, 'LoginUnverifiable', DETAIL, { scopes, ...client })],
  };
}
