import type { OAuthClient } from '../model/client.js';
import type { ClientId } from '../plan/world.js';
import { LastSaid } from './last-said.js';

/** What was read of one provider's clients. */
interface Directory {
  /** By client id; until the first complete read, what single reads said. */
  readonly clients: Map<string, OAuthClient>;
  /** Client ids by the IdP's own identifier. */
  readonly byInternalId: Map<string, string>;
  /** Of clients, by client id. */
  readonly lastSaid: LastSaid;
  /** Milliseconds since the epoch of the last complete read. */
  readAt: number | undefined;
}

/** A client that differs from what was known. */
export interface ClientChange {
  readonly id: ClientId;
  readonly before: OAuthClient | undefined;
  readonly after: OAuthClient | undefined;
}

/** The clients of every provider, as they were last read; changed in place. */
export class Directories {
  readonly #all = new Map<string, Directory>();
  readonly #complete = new Map<string, ReadonlyMap<string, OAuthClient>>();

  /** Those that were read completely, by provider and client id. */
  get complete(): ReadonlyMap<string, ReadonlyMap<string, OAuthClient>> {
    return this.#complete;
  }

  readAt(provider: string): number | undefined {
    return this.#all.get(provider)?.readAt;
  }

  clients(provider: string): ReadonlyMap<string, OAuthClient> {
    return this.#all.get(provider)?.clients ?? NOBODY;
  }

  /** Every client, as if it had been read again and nothing had changed. */
  *everybody(): Iterable<ClientChange> {
    for (const [provider, { clients }] of this.#all)
      for (const [clientId, client] of clients)
        yield { id: { provider, clientId }, before: client, after: client };
  }

  clientIdOf(provider: string, internalId: string): string | undefined {
    return this.#all.get(provider)?.byInternalId.get(internalId);
  }

  /** Undefined where a newer read spoke already, or says the same. */
  put(id: ClientId, after: OAuthClient | undefined, read: number): ClientChange | undefined {
    const directory = this.#directoryOf(id.provider);
    return directory.lastSaid.accepts(id.clientId, read) ? change(directory, id, after) : undefined;
  }

  /** Takes in a complete read; undefined where a newer one spoke already. */
  putAll(
    provider: string,
    clients: readonly OAuthClient[],
    read: number,
    now: number,
  ): readonly ClientChange[] | undefined {
    const directory = this.#directoryOf(provider);
    const { lastSaid } = directory;
    if (!lastSaid.acceptsAll(read)) return undefined;
    directory.readAt = now;
    this.#complete.set(provider, directory.clients);
    const shown = new Map(clients.map((client) => [client.clientId, client]));
    const changes: ClientChange[] = [];
    for (const clientId of new Set([...directory.clients.keys(), ...shown.keys()])) {
      if (lastSaid.isNewer(clientId, read)) continue;
      const found = change(directory, { provider, clientId }, shown.get(clientId));
      if (found !== undefined) changes.push(found);
    }
    return changes;
  }

  /** Until the next complete read nothing is known of the provider; false where nothing was. */
  forget(provider: string): boolean {
    return this.#complete.delete(provider);
  }

  #directoryOf(provider: string): Directory {
    const known = this.#all.get(provider);
    if (known !== undefined) return known;
    const directory: Directory = {
      clients: new Map(),
      byInternalId: new Map(),
      lastSaid: new LastSaid(),
      readAt: undefined,
    };
    this.#all.set(provider, directory);
    return directory;
  }
}

const NOBODY: ReadonlyMap<string, OAuthClient> = new Map();

/** What a read does not change stays the same object. */
function change(
  { clients, byInternalId }: Directory,
  id: ClientId,
  after: OAuthClient | undefined,
): ClientChange | undefined {
  const { clientId } = id;
  const before = clients.get(clientId);
  if (before === after || JSON.stringify(before) === JSON.stringify(after)) return undefined;
  if (before?.internalId !== undefined && byInternalId.get(before.internalId) === clientId)
    byInternalId.delete(before.internalId);
  if (after === undefined) clients.delete(clientId);
  else clients.set(clientId, after);
  if (after?.internalId !== undefined) byInternalId.set(after.internalId, clientId);
  return { id, before, after };
}
