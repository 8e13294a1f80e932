import type { OAuthClient } from '../model/client.js';
import type { Mapping } from '../model/rule.js';
import { type ClientOpenings, createOpener } from '../plan/openings.js';
import { type ClientId, clientText } from '../plan/world.js';

/** What every known client opens. */
export class Openings {
  readonly #byClient = new Map<string, ClientOpenings>();
  #open: (client: OAuthClient) => ClientOpenings;

  constructor(mapping: Mapping) {
    this.#open = createOpener(mapping);
  }

  /** By `clientText`. */
  get all(): ReadonlyMap<string, ClientOpenings> {
    return this.#byClient;
  }

  of(id: ClientId): ClientOpenings | undefined {
    return this.#byClient.get(clientText(id));
  }

  setMapping(mapping: Mapping): void {
    this.#open = createOpener(mapping);
  }

  /** Returns the names of the destinations where the client opened something that it no longer opens. */
  put(id: ClientId, client: OAuthClient | undefined): ReadonlySet<string> {
    const key = clientText(id);
    const before = this.#byClient.get(key);
    const after = client === undefined ? undefined : this.#open(client);
    if (after === undefined) this.#byClient.delete(key);
    else this.#byClient.set(key, after);
    return lostDestinations(before, after);
  }
}

function lostDestinations(
  before: ClientOpenings | undefined,
  after: ClientOpenings | undefined,
): ReadonlySet<string> {
  if (before === undefined || before.openings.length === 0) return NONE;
  const left = new Set(after?.openings.map((opening) => JSON.stringify(opening)));
  const lost = before.openings.filter((opening) => !left.has(JSON.stringify(opening)));
  return new Set(lost.map(({ destination }) => destination));
}

const NONE: ReadonlySet<string> = new Set();

/** Whether the identity provider grants a client less than before, regardless of the rules. */
export function losesGrants(before: OAuthClient | undefined, after: OAuthClient | undefined): boolean {
  if (before === undefined || before === after) return false;
  if (after === undefined || (before.enabled && !after.enabled)) return true;
  const has = new Set(after.grants.map((grant) => JSON.stringify([grant.api, grant.name])));
  return before.grants.some((grant) => !has.has(JSON.stringify([grant.api, grant.name])));
}
