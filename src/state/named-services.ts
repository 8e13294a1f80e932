import { confirmedServices, type OAuthClient } from '../model/client.js';
import { type ClientId, clientText } from '../plan/world.js';

/** Clients that one change of a service makes a job for. The complete comparison finds the others. */
const MAX_SHOWN = 100;

/** The enabled clients by the services that they name at their identity providers; names regardless of case. */
export class NamedServices {
  readonly #byName = new Map<string, Map<string, ClientId>>();
  readonly #byClient = new Map<string, ReadonlySet<string>>();

  /** By `clientText`. */
  by(name: string): ReadonlyMap<string, ClientId> {
    return this.#byName.get(name.toLowerCase()) ?? NOBODY;
  }

  /** Some of the clients that name the service. */
  some(name: string): readonly ClientId[] {
    const found: ClientId[] = [];
    for (const client of this.by(name).values()) if (found.push(client) === MAX_SHOWN) break;
    return found;
  }

  /** In lower case. */
  names(): readonly string[] {
    return [...this.#byName.keys()];
  }

  all(): readonly ClientId[] {
    return [...this.#byName.values()].flatMap((clients) => [...clients.values()]);
  }

  /** Returns the clients that now are, or no longer are, the only one that names a service. */
  put(id: ClientId, client: OAuthClient | undefined): readonly ClientId[] {
    const key = clientText(id);
    const before = this.#byClient.get(key) ?? NOTHING;
    const after =
      client?.enabled === true
        ? new Set(confirmedServices(client).map((name) => name.toLowerCase()))
        : NOTHING;
    const others: ClientId[] = [];
    for (const name of after) {
      if (before.has(name)) continue;
      const known = this.#byName.get(name) ?? new Map<string, ClientId>();
      if (known.size === 1) others.push(...known.values());
      this.#byName.set(name, known.set(key, { provider: id.provider, clientId: id.clientId }));
    }
    for (const name of before) {
      const known = this.#byName.get(name);
      if (after.has(name) || known === undefined) continue;
      known.delete(key);
      if (known.size === 1) others.push(...known.values());
      if (known.size === 0) this.#byName.delete(name);
    }
    if (after.size === 0) this.#byClient.delete(key);
    else this.#byClient.set(key, after);
    return others;
  }
}

const NOBODY: ReadonlyMap<string, ClientId> = new Map();
const NOTHING: ReadonlySet<string> = new Set();
