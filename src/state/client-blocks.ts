import { type ClientBlock, type ClientId, clientText, parseClientText } from '../plan/world.js';
import { ClientNames } from './client-names.js';

/** Clients that are closed regardless of their directory, each with the read number at which it was closed. */
export class ClientBlocks {
  readonly #all = new Map<string, ClientBlock>();
  readonly #names = new ClientNames();
  readonly #since = new Map<string, number>();

  /** By `clientText`. */
  get all(): ReadonlyMap<string, ClientBlock> {
    return this.#all;
  }

  /** The closed client whose ACL objects have this name. */
  named(name: string, owner: string): ClientId | undefined {
    return this.#names.of(name, owner, () =>
      [...this.#all.keys()].map((text) => ({ id: parseClientText(text) })),
    );
  }

  /** True if the block changed. */
  set(id: ClientId, block: ClientBlock | undefined, read: number): boolean {
    const key = clientText(id);
    const before = this.#all.get(key);
    if (before === block) return false;
    this.#names.put({ id, before, after: block });
    this.#all.delete(key);
    this.#since.delete(key);
    if (block === undefined) return true;
    this.#all.set(key, block);
    this.#since.set(key, read);
    return true;
  }

  /** Whether a read can reopen a client that was closed while its directory was unreadable: it must have begun later. */
  isVouched(id: ClientId, read: number): boolean {
    const key = clientText(id);
    return this.#all.get(key) === 'RevocationUnconfirmed' && read > (this.#since.get(key) ?? 0);
  }
}
