import { compareText } from '../../model/compare-text.js';
import type { Mapping } from '../../model/rule.js';
import { clientName, hasHash, isOurs } from '../../plan/object-names.js';
import { clientOfDescription, isOwnedDescription } from '../../plan/ownership.js';
import type { ClientId } from '../../plan/world.js';
import { clientText, parseClientText } from '../../plan/world.js';
import type { WorldState } from '../../state/world-state.js';
import type { AclCache, OwnedObjects } from './acl-cache.js';

/** The client whose objects exist under each name, updated with the changes of the cache. */
export class AclOwners {
  readonly #cache: AclCache;
  readonly #byName = new Map<string, ClientId>();
  readonly #unnamed = new Set<string>();
  #owner: string | undefined;

  constructor(cache: AclCache) {
    this.#cache = cache;
  }

  /** The lower-case names of clients' objects of ours that no Description names, at the last call of `all`. */
  get unnamed(): ReadonlySet<string> {
    return this.#unnamed;
  }

  /** By lower-case name. Calls `onChange` with every client whose objects changed since the last call. */
  all(
    { owner, select }: Pick<Mapping, 'owner' | 'select'>,
    onChange: (client: ClientId) => void,
  ): ReadonlyMap<string, ClientId> {
    const changed = this.#cache.drainChanged();
    const names =
      this.#owner === owner
        ? changed
        : [...this.#byName.keys(), ...this.#unnamed, ...this.#cache.owned.keys()];
    this.#owner = owner;
    for (const name of names) {
      const [before, after] = [this.#byName.get(name), selectedOf(this.#cache.of(name), owner, select)];
      if (before !== undefined) onChange(before);
      if (after === undefined) this.#byName.delete(name);
      else {
        onChange(after);
        this.#byName.set(name, after);
      }
      if (isUnnamed(name, this.#cache.of(name), owner)) this.#unnamed.add(name);
      else this.#unnamed.delete(name);
    }
    return this.#byName;
  }
}

/** The clients with existing objects. Those that changed since the last call are planned again. */
export function ownersOf({
  world,
  acl,
}: {
  readonly world: WorldState;
  readonly acl: { readonly owners: AclOwners };
}): ReadonlyMap<string, ClientId> {
  return acl.owners.all(world.mapping, (id) => world.inferredAcl.touch(clientText(id)));
}

/** The client whose objects exist under a name, by their Descriptions. Verified by the name, because anybody can edit them. */
export function clientOf(objects: OwnedObjects, owner: string): ClientId | undefined {
  const { role, authMethod, bindingRules } = objects;
  for (const { object } of [role, authMethod, ...bindingRules].filter((each) => each !== undefined)) {
    const name = 'authMethod' in object ? object.authMethod : object.name;
    const id = isOwnedDescription(owner, object.description)
      ? clientOfDescription(object.description)
      : undefined;
    if (id !== undefined && clientName(owner, id).toLowerCase() === name.toLowerCase()) return id;
  }
  return undefined;
}

/** Whether a client's objects of ours are so named because its ID did not fit into their Descriptions. */
function isUnnamed(name: string, objects: OwnedObjects, owner: string): boolean {
  const marked = [objects.role?.object, objects.authMethod?.object];
  return (
    hasHash(name) &&
    marked.some((object) => object !== undefined && isOurs(owner, object.name, object.description)) &&
    clientOf(objects, owner) === undefined
  );
}

/** The same, if this instance manages the client. */
function selectedOf(objects: OwnedObjects, owner: string, select: Mapping['select']): ClientId | undefined {
  const id = clientOf(objects, owner);
  return id === undefined || select?.hasClient(id) === false ? undefined : id;
}

/**
 * Every client that is known or has ACL objects, of one provider or of all. A closed client may be known by its order only,
 * and the name of its objects shows which they are.
 */
export function clientsWithAcl(
  { world, acl }: { readonly world: WorldState; readonly acl: { readonly cache: AclCache } },
  provider?: string,
): readonly ClientId[] {
  const { owner, providers, select } = world.mapping;
  const known = providers.flatMap((name) =>
    [...world.clients(name).keys()].map((clientId) => ({ provider: name, clientId })),
  );
  const existing = [...acl.cache.owned.values()].flatMap((each) => selectedOf(each, owner, select) ?? []);
  const closed = [...world.view(0).clientBlocks.keys()]
    .map(parseClientText)
    .filter(
      (id) => select?.hasClient(id) !== false && acl.cache.owned.has(clientName(owner, id).toLowerCase()),
    );
  return uniqueClients(
    [...known, ...existing, ...closed].filter((id) => provider === undefined || id.provider === provider),
  );
}

/** Sorted, each once. */
export function uniqueClients(ids: Iterable<ClientId>): readonly ClientId[] {
  const found = new Map([...ids].map((id) => [clientText(id), id] as const));
  return [...found].toSorted(([a], [b]) => compareText(a, b)).map(([, id]) => id);
}
