import type { Grant } from '../../model/client.js';

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
  /** A role of the realm without `api`, one of a client with its client id. */
  role(internalId: string): Grant | undefined;
  /** Every known role of a client, by its client id. */
  rolesOf(clientId: string): readonly Grant[];
  /** Whether a complete read has taught every service account there was, so that another user is a person. */
  readonly knowsServiceAccounts: boolean;
  /** Whether some client scope may take a role: true until a complete read has found none. */
  readonly mayRestrict: boolean;
  learnScope(internalId: string, name: string): void;
  learnClient(internalId: string, clientId: string): void;
  learnServiceAccount(userId: string, internalId: string): void;
  learnAllServiceAccounts(): void;
  learnRestrictions(some: boolean): void;
  learnGroup(internalId: string, path: string): void;
  learnRole(internalId: string, role: Grant): void;
}

const LIMIT = 200_000;

export function createKeycloakNames(): KeycloakNames {
  const scopes = new Map<string, string>();
  const clients = new Map<string, string>();
  const users = new Map<string, string>();
  const groups = new Map<string, string>();
  const roles = new Map<string, Grant>();
  let knowsServiceAccounts = false;
  let mayRestrict = true;
  const learn = <T>(names: Map<string, T>, key: string, value: T) => {
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
    role: (internalId) => roles.get(internalId),
    rolesOf: (clientId) => [...roles.values()].filter(({ api }) => api === clientId),
    get knowsServiceAccounts() {
      return knowsServiceAccounts;
    },
    get mayRestrict() {
      return mayRestrict;
    },
    learnScope: (internalId, name) => learn(scopes, internalId, name),
    learnClient: (internalId, clientId) => learn(clients, internalId, clientId),
    learnServiceAccount: (userId, internalId) => learn(users, userId, internalId),
    learnAllServiceAccounts() {
      knowsServiceAccounts = true;
    },
    learnRestrictions(some) {
      mayRestrict = some;
    },
    learnGroup: (internalId, path) => learn(groups, internalId, path),
    learnRole: (internalId, role) => learn(roles, internalId, role),
  };
}
