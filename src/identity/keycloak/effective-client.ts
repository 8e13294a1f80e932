import { SyncError } from '../../errors.js';
import type { Grant } from '../../model/client.js';
import type { Logger } from '../../observe.js';
import type { AdminApi } from './admin-api.js';
import type { KeycloakClient } from './client.js';
import type { KeycloakNames } from './names.js';
import { readRoleGrants, readRolesOfUser } from './roles.js';
import type { ScopeRestrictions } from './scope-restrictions.js';
import type { AccountState } from './service-accounts.js';

export interface EffectiveClientOptions {
  readonly api: AdminApi;
  readonly names: KeycloakNames;
  readonly restrictions: ScopeRestrictions;
  readonly serviceAccountRoles: boolean;
  readonly apis?: readonly string[];
  readonly logger: Logger;
}

/** A client as Keycloak would let it have tokens, and the roles that it holds as scopes. */
export interface EffectiveClient {
  readonly client: KeycloakClient;
  readonly roles: readonly Grant[];
}

/**
 * What a client can really have: no login of its own where its service account is gone or disabled, and of the client
 * scopes that take a role only those for which its account has one. People who sign in at it may have such a scope or
 * not, one by one, so it counts by the account alone.
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
  let saidUnseen = false;

  const sayUnseen = () => {
    if (saidUnseen) return;
    saidUnseen = true;
    logger.warn(
      { provider: api.provider, remedy },
      'service accounts cannot be seen: client scopes that take a role count for no client',
    );
  };
  return async (
    original: KeycloakClient,
    account: AccountState,
    signal: AbortSignal,
  ): Promise<EffectiveClient> => {
    if (account === 'unseen' && serviceAccountRoles) {
      const place = `provider ${api.provider}, realm ${api.issuer.realm}, service accounts`;
      const message = `${place}: the token may not see them; ${remedy}`;
      throw new SyncError('ERR_DIRECTORY_DENIED', message, { retriable: false });
    }
    const user = typeof account === 'object' && account.enabled ? account : undefined;
    const client = user === undefined && account !== 'unseen' ? withoutAccount(original) : original;
    // No flow is left by which it could get a token.
    if (client.grantTypes.length === 0) return { client: { ...client, scopes: [] }, roles: [] };
    const restricted = await restrictions.among(client.scopes, signal);
    const held =
      user !== undefined && (serviceAccountRoles || restricted.size > 0)
        ? await readRolesOfUser(api, user.id, signal)
        : [];
    const ids = new Set(held.map(({ id }) => id));
    const scopes = client.scopes.filter((name) => {
      const roles = restricted.get(name);
      return roles === undefined || [...roles].some((id) => ids.has(id));
    });
    if (account === 'unseen' && restricted.size > 0) sayUnseen();
    const which = { names, ...(apis === undefined ? {} : { apis }) };
    const isHolder = serviceAccountRoles && held.length > 0;
    const roles = isHolder ? await readRoleGrants(api, client, held, which, signal) : [];
    return { client: { ...client, scopes }, roles };
  };
}

function withoutAccount(client: KeycloakClient): KeycloakClient {
  const grantTypes = client.grantTypes.filter((type) => type !== 'client_credentials');
  return { ...client, grantTypes, hasServiceAccount: false };
}
