import { clientName } from '../plan/acl/object-names.js';
import type { ClientId } from '../plan/world.js';
import type { ClientChange } from './directories.js';

/** The known clients by the lower-case name of their ACL objects; built at first use. */
export class ClientNames {
  #owner: string | undefined;
  readonly #byName = new Map<string, ClientId>();

  of(name: string, owner: string, everybody: () => Iterable<Pick<ClientChange, 'id'>>): ClientId | undefined {
    if (this.#owner !== owner) {
      this.#owner = owner;
      this.#byName.clear();
      for (const { id } of everybody()) this.#byName.set(nameOf(owner, id), id);
    }
    return this.#byName.get(name.toLowerCase());
  }

  /** Applies a client that appears or disappears. */
  put({ id, before, after }: ClientChange): void {
    if (this.#owner === undefined || (before === undefined) === (after === undefined)) return;
    if (after === undefined) this.#byName.delete(nameOf(this.#owner, id));
    else this.#byName.set(nameOf(this.#owner, id), id);
  }
}

function nameOf(owner: string, id: ClientId): string {
  return clientName(owner, id).toLowerCase();
}
