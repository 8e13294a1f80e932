import { clientName } from '../plan/object-names.js';
import type { ClientId } from '../plan/world.js';

/** A client that appears or disappears; undefined: it is not there. */
interface Appearance {
  readonly id: ClientId;
  readonly before: unknown;
  readonly after: unknown;
}

/** Clients by the lower-case name of their ACL objects; built at first use, because each name needs a hash. */
export class ClientNames {
  #owner: string | undefined;
  readonly #byName = new Map<string, ClientId>();

  of(name: string, owner: string, everybody: () => Iterable<Pick<Appearance, 'id'>>): ClientId | undefined {
    if (this.#owner !== owner) {
      this.#owner = owner;
      this.#byName.clear();
      for (const { id } of everybody()) this.#byName.set(nameOf(owner, id), id);
    }
    return this.#byName.get(name.toLowerCase());
  }

  put({ id, before, after }: Appearance): void {
    if (this.#owner === undefined || (before === undefined) === (after === undefined)) return;
    if (after === undefined) this.#byName.delete(nameOf(this.#owner, id));
    else this.#byName.set(nameOf(this.#owner, id), id);
  }
}

function nameOf(owner: string, id: ClientId): string {
  return clientName(owner, id).toLowerCase();
}
