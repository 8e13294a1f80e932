/**
 * What reads taught: an object that is gone, or changed in part, comes in a delta by its own id alone. Shared by the
 * parts of one provider; what a restart forgets, a complete read teaches again.
 */
export interface EntraNames {
  learnPrincipal(id: string, clientId: string): void;
  learnApplication(id: string, clientId: string): void;
  /** A grant of an API that counts, and the client's service principal. */
  learnGrant(id: string, principalId: string): void;
  /** An agent identity, by its service principal, and the `appId` of its blueprint; null if it has none. */
  learnAgent(id: string, blueprint: string | null): void;
  /** After this an id that is not known concerns nothing that was ever read. */
  learnedAll(): void;
  /** Somebody reads the members of groups, so that changes of people matter. */
  wantPeople(): void;
  clientIdOfPrincipal(id: string): string | undefined;
  clientIdOfApplication(id: string): string | undefined;
  principalOfGrant(id: string): string | undefined;
  /** Undefined for an agent that nobody asked about. */
  blueprintOf(id: string): string | null | undefined;
  /** The service principals of the agent identities of a blueprint. */
  agentsOf(blueprint: string): readonly string[];
  readonly isComplete: boolean;
  readonly wantsPeople: boolean;
}

/** `wantsPeople` already, before anybody read the members of groups. */
export function createEntraNames(start: { readonly wantsPeople: boolean }): EntraNames {
  const principals = new Map<string, string>();
  const applications = new Map<string, string>();
  const grants = new Map<string, string>();
  const blueprints = new Map<string, string | null>();
  let isComplete = false;
  let { wantsPeople } = start;
  return {
    learnPrincipal: (id, clientId) => void principals.set(id, clientId),
    learnApplication: (id, clientId) => void applications.set(id, clientId),
    learnGrant: (id, principalId) => void grants.set(id, principalId),
    learnAgent: (id, blueprint) => void blueprints.set(id, blueprint),
    learnedAll() {
      isComplete = true;
    },
    wantPeople() {
      wantsPeople = true;
    },
    clientIdOfPrincipal: (id) => principals.get(id),
    clientIdOfApplication: (id) => applications.get(id),
    principalOfGrant: (id) => grants.get(id),
    blueprintOf: (id) => blueprints.get(id),
    agentsOf: (blueprint) => [...blueprints].flatMap(([id, of]) => (of === blueprint ? [id] : [])),
    get isComplete() {
      return isComplete;
    },
    get wantsPeople() {
      return wantsPeople;
    },
  };
}
