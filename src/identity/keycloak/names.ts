import type { Grant } from '../../model/client.js';
import { createNameCache } from '../name-cache.js';

/**
 * The names that directory reads found for IDs, because many events carry only an ID: the deletion of a client scope names
 * no scope, a role mapping names only the user of the service account. They serve evidence and shortcuts, never
 * correctness: the cache is empty after a start, and in a process that reads no directory.
 */
export interface KeycloakNames {
  scopeName(internalId: string): string | undefined;
  clientId(internalId: string): string | undefined;
  /** The internal ID of the client to which the service account belongs. */
  serviceAccountClient(userId: string): string | undefined;
  groupPath(internalId: string): string | undefined;
  /** A realm role has no `api`; a client role has its client ID as `api`. */
  role(internalId: string): Grant | undefined;
  /** Every known role of a client, by its client ID. */
  rolesOf(clientId: string): readonly Grant[];
  /** Every service account is known, so that any other user is a person. */
  readonly knowsServiceAccounts: boolean;
  /** Some client scope may require a role. True until a complete read has found none. */
  readonly mayRestrict: boolean;
  addScope(internalId: string, name: string): void;
  addClient(internalId: string, clientId: string): void;
  addServiceAccount(userId: string, internalId: string): void;
  /** Call it after a complete read of the service accounts. */
  completeServiceAccounts(): void;
  setRestrictions(some: boolean): void;
  addGroup(internalId: string, path: string): void;
  addRole(internalId: string, role: Grant): void;
}

export function createKeycloakNames(): KeycloakNames {
  const scopes = createNameCache<string>();
  const clients = createNameCache<string>();
  const users = createNameCache<string>(() => {
    knowsServiceAccounts = false;
  });
  const groups = createNameCache<string>();
  const roles = createNameCache<Grant>();
  let knowsServiceAccounts = false;
  let mayRestrict = true;
  return {
    scopeName: (internalId) => scopes.get(internalId),
    clientId: (internalId) => clients.get(internalId),
    serviceAccountClient: (userId) => users.get(userId),
    groupPath: (internalId) => groups.get(internalId),
    role: (internalId) => roles.get(internalId),
    rolesOf: (clientId) => [...roles.values()].filter(({ api }) => api === clientId).reverse(),
    get knowsServiceAccounts() {
      return knowsServiceAccounts;
    },
    get mayRestrict() {
      return mayRestrict;
    },
    addScope: (internalId, name) => void scopes.set(internalId, name),
    addClient: (internalId, clientId) => void clients.set(internalId, clientId),
    addServiceAccount: (userId, internalId) => void users.set(userId, internalId),
    completeServiceAccounts() {
      knowsServiceAccounts = true;
    },
    setRestrictions(some) {
      mayRestrict = some;
    },
    addGroup: (internalId, path) => void groups.set(internalId, path),
    addRole: (internalId, role) => void roles.set(internalId, role),
  };
}
