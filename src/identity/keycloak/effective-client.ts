import type { Grant } from '../../model/client.js';
import type { Logger } from '../../observe.js';
import { denied } from '../read-errors.js';
import type { AdminApi } from './admin-api.js';
import type { KeycloakClient } from './client.js';
import type { KeycloakNames } from './names.js';
import { readEffectiveRoles, readRoleGrants } from './roles.js';
import type { ScopeRestrictions } from './scope-restrictions.js';
import type { AccountState } from './service-accounts.js';

export interface EffectiveClientOptions {
  /** Shared with the poll; closed with the directory. */
  readonly api: AdminApi;
  /** Shared with the event source and the poll, whose events can then name what they carry only as an ID. */
  readonly names: KeycloakNames;
  readonly restrictions: ScopeRestrictions;
  /** Whether the roles of a client's service account count as scopes. Needs the role `view-users`. */
  readonly serviceAccountRoles: boolean;
  /** The client IDs of the clients whose roles count; all clients if absent. */
  readonly apis?: readonly string[];
  readonly logger: Logger;
}

/**
 * A client with the scopes and roles for which Keycloak would really issue tokens. It has no login of its own if its
 * service account is missing or disabled. It has a client scope that requires a role only if its account has such a role:
 * people who sign in may or may not have the scope, so only the account counts.
 */
export function createEffectiveClients({
  api,
  names,
  restrictions,
  serviceAccountRoles,
  apis,
  logger,
}: EffectiveClientOptions) {
  const remedy = 'give its service account the role view-users of realm-management';
  let warnedOfUnseen = false;
  const warnUnseen = () => {
    if (warnedOfUnseen) return;
    warnedOfUnseen = true;
    logger.warn(
      { provider: api.provider, remedy },
      'service accounts cannot be read: no client gets a client scope that requires a role',
    );
  };
  return async (
    original: KeycloakClient,
    account: AccountState,
    signal: AbortSignal,
  ): Promise<{ readonly client: KeycloakClient; readonly roles: readonly Grant[] }> => {
    if (account === 'unseen' && serviceAccountRoles)
      throw denied(api.placeOf('service accounts'), `the access token may not see them; ${remedy}`);
    const user = typeof account === 'object' && account.enabled ? account : undefined;
    const client = user === undefined && account !== 'unseen' ? withoutAccount(original) : original;
    // Without a grant type it cannot get a token.
    if (client.grantTypes.length === 0) return { client: { ...client, scopes: [] }, roles: [] };
    const restricted = await restrictions.among(client.scopes, signal);
    const held =
      user !== undefined && (serviceAccountRoles || restricted.size > 0)
        ? await readEffectiveRoles(api, 'user', user.id, signal)
        : [];
    const ids = new Set(held.map(({ id }) => id));
    const scopes = client.scopes.filter((name) => {
      const roles = restricted.get(name);
      return roles === undefined || [...roles].some((id) => ids.has(id));
    });
    if (account === 'unseen' && restricted.size > 0) warnUnseen();
    const isHolder = serviceAccountRoles && held.length > 0;
    const roles = isHolder ? await readRoleGrants(api, client, held, { names, apis }, signal) : [];
    return { client: { ...client, scopes }, roles };
  };
}

function withoutAccount(client: KeycloakClient): KeycloakClient {
  const grantTypes = client.grantTypes.filter((type) => type !== 'client_credentials');
  return { ...client, grantTypes, hasServiceAccount: false };
}
