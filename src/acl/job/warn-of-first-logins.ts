import type { ReconcilerDeps } from '../../reconcile/deps.js';
import type { ClientAclPlan } from '../state/plan-client-acl.js';

const MAX_NAMED = 20;

/**
 * Warns of the clients that gain a login by the name of a service alone, the first time that a comparison finds some: after
 * an upgrade or a new configuration these may be many at once. The decisions name each of them.
 */
export function warnOfFirstLogins(
  plans: readonly Pick<ClientAclPlan, 'client' | 'changes' | 'desired'>[],
  { acl, logger }: Pick<ReconcilerDeps, 'acl' | 'logger'>,
): void {
  if (acl.hasWarnedOfFirstLogins) return;
  const gaining = plans.filter(({ changes }) => changes.some(({ reason }) => reason === 'ServiceNamed'));
  if (gaining.length === 0) return;
  acl.hasWarnedOfFirstLogins = true;
  const logins = gaining.slice(0, MAX_NAMED).map(({ client, desired }) => ({
    provider: client.provider,
    clientId: client.clientId,
    services: desired.roles.flatMap(({ serviceIdentities }) => serviceIdentities).slice(0, MAX_NAMED),
  }));
  logger.warn(
    { count: gaining.length, logins },
    'clients may now log in to Consul as services that they name, before an instance is registered; login: registered prevents that',
  );
}
