import { type ClientBlock, type ClientId, clientText } from '../plan/world.js';

/** Clients that are closed regardless of their directory, each with the read number at which it was closed. */
export class ClientBlocks {
  readonly #all = new Map<string, ClientBlock>();
  readonly #since = new Map<string, number>();

  /** By `clientText`. */
  get all(): ReadonlyMap<string, ClientBlock> {
    return this.#all;
  }

  /** True if the block changed. */
  set(id: ClientId, block: ClientBlock | undefined, read: number): boolean {
    const key = clientText(id);
    if (this.#all.get(key) === block) return false;
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
