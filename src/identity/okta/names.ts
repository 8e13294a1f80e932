import { createNameCache } from '../name-cache.js';

/**
 * The names that directory reads found for IDs, because many events carry only an ID. They serve evidence and shortcuts,
 * never correctness: the cache is empty after a start, and in a process that reads no directory.
 */
export interface OktaNames {
  clientId(appId: string): string | undefined;
  appId(clientId: string): string | undefined;
  /** A scope of an authorization server that counts. */
  scope(scopeId: string): { readonly api: string; readonly name: string } | undefined;
  /** The clients of a policy, or of a rule's policy: client IDs, or `ALL_CLIENTS`. */
  policyClients(policyOrRuleId: string): readonly string[] | undefined;
  addClient(appId: string, clientId: string): void;
  addScope(scopeId: string, api: string, name: string): void;
  addPolicy(policyOrRuleId: string, clients: readonly string[]): void;
}

export function createOktaNames(): OktaNames {
  const clients = createNameCache<string>();
  const apps = createNameCache<string>();
  const scopes = createNameCache<{ readonly api: string; readonly name: string }>();
  const policies = createNameCache<readonly string[]>();
  return {
    clientId: (appId) => clients.get(appId),
    appId: (clientId) => apps.get(clientId),
    scope: (scopeId) => scopes.get(scopeId),
    policyClients: (id) => policies.get(id),
    addClient(appId, clientId) {
      clients.set(appId, clientId);
      apps.set(clientId, appId);
    },
    addScope: (scopeId, api, name) => void scopes.set(scopeId, { api, name }),
    addPolicy: (id, named) => void policies.set(id, named),
  };
}
