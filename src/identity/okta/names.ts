/**
 * What the directory's reads taught about ids, for events that carry an id alone. Only for evidence and shorter ways,
 * never for correctness: it is empty after a start, and in a process that reads no directory.
 */
export interface OktaNames {
  clientId(appId: string): string | undefined;
  appId(clientId: string): string | undefined;
  /** A scope of a server that counts. */
  scope(scopeId: string): { readonly api: string; readonly name: string } | undefined;
  /** Whom a policy, or the policy of a rule, is for: client ids, or `ALL_CLIENTS`. */
  policyClients(policyOrRuleId: string): readonly string[] | undefined;
  learnClient(appId: string, clientId: string): void;
  learnScope(scopeId: string, api: string, name: string): void;
  learnPolicy(policyOrRuleId: string, clients: readonly string[]): void;
}

const LIMIT = 200_000;

export function createOktaNames(): OktaNames {
  const clients = new Map<string, string>();
  const apps = new Map<string, string>();
  const scopes = new Map<string, { readonly api: string; readonly name: string }>();
  const policies = new Map<string, readonly string[]>();
  return {
    clientId: (appId) => clients.get(appId),
    appId: (clientId) => apps.get(clientId),
    scope: (scopeId) => scopes.get(scopeId),
    policyClients: (id) => policies.get(id),
    learnClient(appId, clientId) {
      learn(clients, appId, clientId);
      learn(apps, clientId, appId);
    },
    learnScope: (scopeId, api, name) => learn(scopes, scopeId, { api, name }),
    learnPolicy: (id, named) => learn(policies, id, named),
  };
}

/** The oldest goes first; no org has that many, but what comes from outside must not fill the memory. */
function learn<T>(names: Map<string, T>, key: string, value: T): void {
  names.delete(key);
  names.set(key, value);
  const oldest = names.keys().next();
  if (names.size > LIMIT && !oldest.done) names.delete(oldest.value);
}
