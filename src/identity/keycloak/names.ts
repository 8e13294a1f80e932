/**
 * What the directory's reads taught about ids, for events that carry an id alone: the deletion of a client
 * scope names no scope, a role mapping names the service account's user. Only for evidence and shorter ways,
 * never for correctness: it is empty after a start, and in a process that reads no directory.
 */
export interface KeycloakNames {
  scopeName(internalId: string): string | undefined;
  clientId(internalId: string): string | undefined;
  /** The internal id of the client whose service account the user is. */
  serviceAccountClient(userId: string): string | undefined;
  groupPath(internalId: string): string | undefined;
  learnScope(internalId: string, name: string): void;
  learnClient(internalId: string, clientId: string): void;
  learnServiceAccount(userId: string, internalId: string): void;
  learnGroup(internalId: string, path: string): void;
}

const LIMIT = 200_000;

export function createKeycloakNames(): KeycloakNames {
  const scopes = new Map<string, string>();
  const clients = new Map<string, string>();
  const users = new Map<string, string>();
  const groups = new Map<string, string>();
  const learn = (names: Map<string, string>, key: string, value: string) => {
    // The oldest goes first; no realm has that many, but what comes from outside must not fill the memory.
    names.delete(key);
    names.set(key, value);
    const oldest = names.keys().next();
    if (names.size > LIMIT && !oldest.done) names.delete(oldest.value);
  };
  return {
    scopeName: (internalId) => scopes.get(internalId),
    clientId: (internalId) => clients.get(internalId),
    serviceAccountClient: (userId) => users.get(userId),
    groupPath: (internalId) => groups.get(internalId),
    learnScope: (internalId, name) => learn(scopes, internalId, name),
    learnClient: (internalId, clientId) => learn(clients, internalId, clientId),
    learnServiceAccount: (userId, internalId) => learn(users, userId, internalId),
    learnGroup: (internalId, path) => learn(groups, internalId, path),
  };
}
