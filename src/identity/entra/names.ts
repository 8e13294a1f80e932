import { createNameCache } from '../name-cache.js';

/**
 * The names that reads found for IDs: a delta names an object that is gone, or changed in part, only by its own ID. All
 * parts of a provider share them. A complete read restores what a restart loses.
 */
export interface EntraNames {
  addPrincipal(id: string, clientId: string): void;
  addApplication(id: string, clientId: string): void;
  /** A grant for an API that counts, and the client's service principal. */
  addGrant(id: string, principalId: string): void;
  /** The service principal of an agent identity, and the `appId` of its blueprint if it has one. */
  addAgent(id: string, blueprint: string | undefined): void;
  /** Call it after a complete read: an unknown ID then belongs to no object that was ever read. */
  complete(): void;
  /** The members of groups are read, so changes of people matter. */
  wantPeople(): void;
  clientIdOfPrincipal(id: string): string | undefined;
  clientIdOfApplication(id: string): string | undefined;
  principalOfGrant(id: string): string | undefined;
  /** Undefined if the agent's blueprint was never read. */
  agent(id: string): { readonly blueprint: string | undefined } | undefined;
  /** The service principals of the agent identities of a blueprint. */
  agentsOf(blueprint: string): readonly string[];
  /** Every object was read, and no name was forgotten since. */
  readonly isComplete: boolean;
  readonly wantsPeople: boolean;
}

/** `wantsPeople`: changes of people matter from the start. */
export function createEntraNames(start: { readonly wantsPeople: boolean }): EntraNames {
  let { wantsPeople } = start;
  let wasRead = false;
  let hasForgotten = false;
  const onForget = () => {
    hasForgotten = true;
  };
  const principals = createNameCache<string>(onForget);
  const applications = createNameCache<string>(onForget);
  const grants = createNameCache<string>(onForget);
  const agents = createNameCache<{ readonly blueprint: string | undefined }>(onForget);
  return {
    addPrincipal: (id, clientId) => void principals.set(id, clientId),
    addApplication: (id, clientId) => void applications.set(id, clientId),
    addGrant: (id, principalId) => void grants.set(id, principalId),
    addAgent: (id, blueprint) => void agents.set(id, { blueprint }),
    complete() {
      wasRead = true;
    },
    wantPeople() {
      wantsPeople = true;
    },
    clientIdOfPrincipal: (id) => principals.get(id),
    clientIdOfApplication: (id) => applications.get(id),
    principalOfGrant: (id) => grants.get(id),
    agent: (id) => agents.get(id),
    agentsOf: (blueprint) =>
      [...agents].flatMap(([id, agent]) => (agent.blueprint === blueprint ? [id] : [])).reverse(),
    get isComplete() {
      return wasRead && !hasForgotten;
    },
    get wantsPeople() {
      return wantsPeople;
    },
  };
}
