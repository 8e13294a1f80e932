import type { OAuthClient } from '../model/client.js';
import { type ClientId, clientText, parseClientText } from '../plan/world.js';
import { ClientNames } from './client-names.js';
import { ReadOrder } from './read-order.js';

/** The clients of one provider, as read. */
interface Directory {
  /** By client ID; until the first complete read, the results of single reads. */
  readonly clients: Map<string, OAuthClient>;
  /** Client ids by the identity provider's own identifier. */
  readonly byInternalId: Map<string, string>;
  /** Of clients, by client id. */
  readonly readOrder: ReadOrder;
  /** Milliseconds since the epoch of the last complete read that showed at least half of the clients, else of the first. */
  readAt: number | undefined;
  /** Why a client's record cannot be parsed, by client id. */
  readonly unreadable: Map<string, string>;
  /** The last complete read had a record without a readable client ID, so clients that it did not show may exist. */
  hasUnnamed: boolean;
  /** Client IDs that do not exist according to a single read after the last complete one. */
  readonly absent: Set<string>;
}

/** A record of a complete read that cannot be parsed. */
export interface UnreadableRecord {
  readonly clientId?: string;
  readonly why: string;
}

const MISSING = 'it is missing from the directory, which has a record without a readable id';
const NOTHING: ReadonlyMap<string, string> = new Map();

/** A client that differs from what was known. */
export interface ClientChange {
  readonly id: ClientId;
  readonly before: OAuthClient | undefined;
  readonly after: OAuthClient | undefined;
}

/** The clients of every provider, as last read; updated in place. */
export class Directories {
  readonly #all = new Map<string, Directory>();
  readonly #complete = new Map<string, ReadonlyMap<string, OAuthClient>>();
  readonly #unreadable = new Set<string>();
  readonly #unreadableNames = new ClientNames();
  readonly #unnamed = new Map<string, ReadonlySet<string>>();
  readonly #readAlone = new Map<string, OAuthClient | undefined>();

  /** By `clientText`. */
  get unreadable(): ReadonlySet<string> {
    return this.#unreadable;
  }

  /** The client that cannot be read whose ACL objects have this name. */
  unreadableNamed(name: string, owner: string): ClientId | undefined {
    return this.#unreadableNames.of(name, owner, () =>
      [...this.#unreadable].map((text) => ({ id: parseClientText(text) })),
    );
  }

  /** As `World.unnamed`. */
  get unnamed(): ReadonlyMap<string, ReadonlySet<string>> {
    return this.#unnamed;
  }

  /** As `World.readAlone`. */
  get readAlone(): ReadonlyMap<string, OAuthClient | undefined> {
    return this.#readAlone;
  }

  /** The directories that were read completely, by provider and client ID. */
  get complete(): ReadonlyMap<string, ReadonlyMap<string, OAuthClient>> {
    return this.#complete;
  }

  readAt(provider: string): number | undefined {
    return this.#all.get(provider)?.readAt;
  }

  clients(provider: string): ReadonlyMap<string, OAuthClient> {
    return this.#all.get(provider)?.clients ?? NOBODY;
  }

  /** Every client, as a change without a difference. */
  *everybody(): Iterable<ClientChange> {
    for (const [provider, { clients }] of this.#all)
      for (const [clientId, client] of clients)
        yield { id: { provider, clientId }, before: client, after: client };
  }

  clientIdOf(provider: string, internalId: string): string | undefined {
    return this.#all.get(provider)?.byInternalId.get(internalId);
  }

  /** Undefined if a newer read was applied already, or nothing changed. */
  put(id: ClientId, after: OAuthClient | undefined, read: number): ClientChange | undefined {
    const directory = this.#directoryOf(id.provider);
    if (!directory.readOrder.accepts(id.clientId, read)) return undefined;
    if (after === undefined) directory.absent.add(id.clientId);
    const changed = this.#shown(directory, id, after);
    if (this.#complete.has(id.provider)) return changed;
    const isNew = !this.#readAlone.has(clientText(id));
    this.#readAlone.set(clientText(id), after);
    return changed ?? (isNew ? { id, before: after, after } : undefined);
  }

  /** Applies a single read that found an unparsable record: the known data of the client is kept. */
  putUnreadable(id: ClientId, why: string, read: number): ClientChange | undefined {
    const directory = this.#directoryOf(id.provider);
    return directory.readOrder.accepts(id.clientId, read) ? this.#unread(directory, id, why) : undefined;
  }

  /**
   * Applies a complete read; undefined if a newer one was applied already. Keeps the known data of clients that cannot be
   * parsed, and of every missing client if a record has no readable client ID.
   */
  putAll(
    provider: string,
    clients: readonly OAuthClient[],
    read: number,
    now: number,
    unreadable: readonly UnreadableRecord[] = [],
  ): readonly ClientChange[] | undefined {
    const directory = this.#directoryOf(provider);
    const { readOrder } = directory;
    if (!readOrder.acceptsAll(read)) return undefined;
    for (const text of this.#readAlone.keys())
      if (parseClientText(text).provider === provider) this.#readAlone.delete(text);
    this.#complete.set(provider, directory.clients);
    const shown = new Map(clients.map((client) => [client.clientId, client]));
    const spoilt = new Map(
      unreadable.flatMap(({ clientId, why }) => (clientId === undefined ? [] : [[clientId, why]])),
    );
    // Nothing new is known of most clients by such a read, so the directory goes on to age.
    const unnamed = unreadable.filter(({ clientId }) => clientId === undefined).length;
    const all = new Set([...shown.keys(), ...spoilt.keys()]).size + unnamed;
    if (2 * (spoilt.size + unnamed) <= all) directory.readAt = now;
    directory.readAt ??= now;
    this.#setUnnamed(provider, directory, unnamed > 0);
    const known = [...directory.clients.keys(), ...directory.unreadable.keys()];
    const changes: ClientChange[] = [];
    for (const clientId of new Set([...known, ...shown.keys(), ...spoilt.keys()])) {
      if (readOrder.isNewer(clientId, read)) continue;
      const id = { provider, clientId };
      const why =
        spoilt.get(clientId) ?? (directory.hasUnnamed && !shown.has(clientId) ? MISSING : undefined);
      const found =
        why === undefined
          ? this.#shown(directory, id, shown.get(clientId))
          : this.#unread(directory, id, why);
      if (found !== undefined) changes.push(found);
    }
    return changes;
  }

  /** Why clients of a provider cannot be read, by client ID, and whether a record has no readable client ID. */
  unreadableOf(provider: string): {
    readonly clients: ReadonlyMap<string, string>;
    readonly hasUnnamed: boolean;
  } {
    const { unreadable: clients = NOTHING, hasUnnamed = false } = this.#all.get(provider) ?? {};
    return { clients, hasUnnamed };
  }

  #shown(directory: Directory, id: ClientId, after: OAuthClient | undefined): ClientChange | undefined {
    const before = directory.unreadable.get(id.clientId);
    const wasUnreadable = directory.unreadable.delete(id.clientId);
    this.#unreadable.delete(clientText(id));
    this.#unreadableNames.put({ id, before, after: undefined });
    if (after !== undefined) directory.absent.delete(id.clientId);
    const changed = change(directory, id, after);
    return changed ?? (wasUnreadable ? { id, before: after, after } : undefined);
  }

  #unread(directory: Directory, id: ClientId, why: string): ClientChange | undefined {
    const before = directory.unreadable.get(id.clientId);
    this.#readAlone.delete(clientText(id));
    directory.unreadable.set(id.clientId, why);
    this.#unreadable.add(clientText(id));
    this.#unreadableNames.put({ id, before, after: why });
    const known = directory.clients.get(id.clientId);
    return before === undefined ? { id, before: known, after: known } : undefined;
  }

  #setUnnamed(provider: string, directory: Directory, hasUnnamed: boolean): void {
    directory.hasUnnamed = hasUnnamed;
    for (const clientId of directory.absent)
      if (!directory.readOrder.isNewer(clientId, 0)) directory.absent.delete(clientId);
    if (hasUnnamed) this.#unnamed.set(provider, directory.absent);
    else this.#unnamed.delete(provider);
  }

  /** Makes a provider unknown until its next complete read; false if it already was. */
  forget(provider: string): boolean {
    return this.#complete.delete(provider);
  }

  #directoryOf(provider: string): Directory {
    const known = this.#all.get(provider);
    if (known !== undefined) return known;
    const directory: Directory = {
      clients: new Map(),
      byInternalId: new Map(),
      readOrder: new ReadOrder(),
      readAt: undefined,
      unreadable: new Map(),
      hasUnnamed: false,
      absent: new Set(),
    };
    this.#all.set(provider, directory);
    return directory;
  }
}

const NOBODY: ReadonlyMap<string, OAuthClient> = new Map();

/** A read that changes nothing keeps the same object. */
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
