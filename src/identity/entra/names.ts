import { createNameCache } from '../name-cache.js';

/**
 * The names that reads found for IDs: a delta names an object that is gone, or changed in part, only by its own ID. All
 * parts of a provider share them. A complete read restores what a restart loses.
 */
export class EntraNames {
  /** Client IDs by the ID of the service principal, and by that of the application. */
  readonly principals = createNameCache<string>(() => this.#forget());
  readonly applications = createNameCache<string>(() => this.#forget());
  /** The client's service principal, by the ID of a grant for an API that counts. */
  readonly grants = createNameCache<string>(() => this.#forget());
  /** The `appId` of the blueprint if there is one, by the service principal of an agent identity. */
  readonly agents = createNameCache<{ readonly blueprint: string | undefined }>(() => this.#forget());
  /** The members of groups are read, so changes of people matter. */
  wantsPeople: boolean;
  #wasRead = false;
  #hasForgotten = false;

  constructor({ wantsPeople }: { readonly wantsPeople: boolean }) {
    this.wantsPeople = wantsPeople;
  }

  /** Every object was read, and no name was forgotten: an unknown ID belongs to no object that was ever read. */
  get isComplete(): boolean {
    return this.#wasRead && !this.#hasForgotten;
  }

  /** Call it after a complete read. */
  complete(): void {
    this.#wasRead = true;
  }

  /** The service principals of the agent identities of a blueprint. */
  agentsOf(blueprint: string): readonly string[] {
    const agents = [...this.agents].filter(([, agent]) => agent.blueprint === blueprint);
    return agents.map(([id]) => id).reverse();
  }

  #forget(): void {
    this.#hasForgotten = true;
  }
}
