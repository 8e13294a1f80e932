import type {
  AclAuthMethod,
  AclBindingRule,
  AclObject,
  AclPolicy,
  AclRole,
  AclSnapshot,
  Stored,
} from '../../model/acl.js';
import { compareText } from '../../model/compare-text.js';
import { isOurs } from '../../plan/object-names.js';
import { ReadOrder } from '../../state/read-order.js';

/** The objects with one name: a client's role, auth method and rules, or the role of one person. */
export interface OwnedObjects {
  readonly role?: Stored<AclRole>;
  readonly authMethod?: Stored<AclAuthMethod>;
  /** The rules of this auth method. */
  readonly bindingRules: readonly Stored<AclBindingRule>[];
}

const NOTHING: OwnedObjects = { bindingRules: [] };

/**
 * The ACL objects with our name prefix, as last read or written. Consul reports changes only per table, so changed objects
 * are found by comparison. Names are in lower case, because Consul ignores case.
 */
export class AclCache {
  #objects = new Map<string, OwnedObjects>();
  #policies = new Map<string, Stored<AclPolicy>>();
  readonly #readOrder = { names: new ReadOrder(), policies: new ReadOrder() };
  /** Names of our roles, in lower case, by each service whose identity they have. */
  readonly #holders = new Map<string, Set<string>>();
  #otherHolders: ReadonlyMap<string, readonly string[]> = new Map();
  /** Services whose identity a role lost, or a role of others gained, since `drainHolderChanges`. */
  #holderChanges = new Set<string>();
  /** Names under which something changed since `takeChanged`. */
  #changed = new Set<string>();
  readonly #onFirstRoles: (roles: readonly AclRole[]) => void;
  #isComplete = false;
  #peoplesVersion = 0;

  /** `onFirstRoles` receives the roles of every read until the first complete one: roles from before this process. */
  constructor(onFirstRoles: (roles: readonly AclRole[]) => void = () => {}) {
    this.#onFirstRoles = onFirstRoles;
  }

  /** False until everything was read once. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** Increases with every change of a person's objects. A policy decides neither who the people are nor what they lose. */
  get peoplesVersion(): number {
    return this.#peoplesVersion;
  }

  /** The names under which something changed since the last call, in lower case. */
  drainChanged(): ReadonlySet<string> {
    const changed = this.#changed;
    this.#changed = new Set();
    return changed;
  }

  /** The services whose identity some role lost, or some role of others gained, since the last call. */
  drainHolderChanges(): ReadonlySet<string> {
    const changes = this.#holderChanges;
    this.#holderChanges = new Set();
    return changes;
  }

  /** The names of the roles, of any owner, that have the identity of a service, except one; sorted. */
  holders(serviceName: string, except: string): readonly string[] {
    const ours = [...(this.#holders.get(serviceName) ?? [])].filter((name) => name !== except.toLowerCase());
    return [...ours, ...(this.#otherHolders.get(serviceName) ?? [])].toSorted(compareText);
  }

  /** Whether an object of this owner exists. An object with only the name prefix is foreign. */
  holdsMarked(owner: string): boolean {
    const named = [...this.#objects.values()].flatMap(({ role, authMethod }) => [role, authMethod]);
    return [...named, ...this.#policies.values()].some(
      (each) => each !== undefined && isOurs(owner, each.object.name, each.object.description),
    );
  }

  get owned(): ReadonlyMap<string, OwnedObjects> {
    return this.#objects;
  }

  of(name: string): OwnedObjects {
    return this.#objects.get(name.toLowerCase()) ?? NOTHING;
  }

  /** Applies a complete read; returns the names whose objects changed. */
  replaceAll(snapshot: AclSnapshot, read: number): ReadonlySet<string> {
    this.#noteFirst(snapshot);
    this.#isComplete = true;
    const { objects, policies } = sorted(snapshot);
    const changed = new Set<string>();
    const readOrder = this.#readOrder;
    if (!readOrder.names.acceptsAll(read) || !readOrder.policies.acceptsAll(read)) return changed;
    const { otherIdentities: others = new Map<string, readonly string[]>() } = snapshot;
    for (const serviceName of new Set([...this.#otherHolders.keys(), ...others.keys()]))
      if (!isSame(this.#otherHolders.get(serviceName), others.get(serviceName)))
        this.#holderChanges.add(serviceName);
    this.#otherHolders = others;
    for (const name of new Set([...objects.keys(), ...this.#objects.keys()]))
      if (!readOrder.names.isNewer(name, read) && this.#set(name, objects.get(name) ?? NOTHING))
        changed.add(name);
    const texts = new Set<string>();
    for (const name of new Set([...policies.keys(), ...this.#policies.keys()]))
      if (!readOrder.policies.isNewer(name, read) && this.#setPolicy(name, policies.get(name)))
        texts.add(name);
    // Roles that link a policy whose text changed.
    for (const [key, { role }] of texts.size === 0 ? [] : this.#objects)
      if (role?.object.policies.some((each) => texts.has(each.toLowerCase()))) changed.add(key);
    return changed;
  }

  /** Applies a read of these names and policies. */
  put(names: Iterable<string>, policies: Iterable<string>, snapshot: AclSnapshot, read: number): void {
    this.#noteFirst(snapshot);
    const found = sorted(snapshot);
    for (const name of names)
      this.#put(name.toLowerCase(), found.objects.get(name.toLowerCase()) ?? NOTHING, read);
    for (const name of policies)
      this.#putPolicy(name.toLowerCase(), found.policies.get(name.toLowerCase()), read);
  }

  /** Applies the result of a write. */
  wrote({ kind, object }: AclObject, { id, modifyIndex }: Stored<unknown>, read: number): void {
    const stored = { id, modifyIndex, isAltered: false };
    switch (kind) {
      case 'acl-policy':
        this.#putPolicy(object.name.toLowerCase(), { ...stored, object }, read);
        return;
      case 'acl-role':
        this.#put(object.name.toLowerCase(), { ...this.of(object.name), role: { ...stored, object } }, read);
        return;
      case 'acl-auth-method':
        this.#put(
          object.name.toLowerCase(),
          { ...this.of(object.name), authMethod: { ...stored, object } },
          read,
        );
        return;
      case 'acl-binding-rule': {
        const before = this.of(object.authMethod);
        const others = before.bindingRules.filter((rule) => rule.id !== id);
        const bindingRules = [...others, { ...stored, object }];
        this.#put(object.authMethod.toLowerCase(), { ...before, bindingRules }, read);
      }
    }
  }

  /** Applies a deletion. The rules of an auth method are deleted with it. For a rule, `name` is that of its method. */
  removed(kind: AclObject['kind'], name: string, id: string, read: number): void {
    if (kind === 'acl-policy') {
      this.#putPolicy(name.toLowerCase(), undefined, read);
      return;
    }
    const { role, authMethod, bindingRules } = this.of(name);
    const left: OwnedObjects = {
      ...(role === undefined || kind === 'acl-role' ? {} : { role }),
      ...(authMethod === undefined || kind === 'acl-auth-method' ? {} : { authMethod }),
      bindingRules: kind === 'acl-auth-method' ? [] : bindingRules.filter((rule) => rule.id !== id),
    };
    this.#put(name.toLowerCase(), left, read);
  }

  /** The snapshot that a read of these names and policies would return. */
  snapshot(names: Iterable<string>, policies: Iterable<string>): AclSnapshot {
    const all = [...names].map((name) => this.of(name));
    return {
      policies: [...policies].flatMap((name) => this.#policies.get(name.toLowerCase()) ?? []),
      roles: all.flatMap(({ role }) => role ?? []),
      authMethods: all.flatMap(({ authMethod }) => authMethod ?? []),
      bindingRules: all.flatMap(({ bindingRules }) => bindingRules),
    };
  }

  get policies(): ReadonlyMap<string, Stored<AclPolicy>> {
    return this.#policies;
  }

  #noteFirst({ roles }: AclSnapshot): void {
    if (!this.#isComplete) this.#onFirstRoles(roles.map(({ object }) => object));
  }

  #put(name: string, next: OwnedObjects, read: number): void {
    if (this.#readOrder.names.accepts(name, read)) this.#set(name, next);
  }

  #set(name: string, next: OwnedObjects): boolean {
    const before = this.#objects.get(name) ?? NOTHING;
    if (isSame(before, next)) return false;
    this.#setHolder(
      name,
      before.role?.object.serviceIdentities ?? [],
      next.role?.object.serviceIdentities ?? [],
    );
    if (isPeoplesName(name)) this.#peoplesVersion++;
    this.#changed.add(name);
    if (next.role === undefined && next.authMethod === undefined && next.bindingRules.length === 0)
      this.#objects.delete(name);
    else this.#objects.set(name, next);
    return true;
  }

  #setHolder(name: string, before: readonly string[], after: readonly string[]): void {
    for (const serviceName of before) {
      if (after.includes(serviceName)) continue;
      const names = this.#holders.get(serviceName);
      names?.delete(name);
      if (names?.size === 0) this.#holders.delete(serviceName);
      this.#holderChanges.add(serviceName);
    }
    for (const serviceName of after)
      this.#holders.set(serviceName, (this.#holders.get(serviceName) ?? new Set()).add(name));
  }

  #putPolicy(name: string, next: Stored<AclPolicy> | undefined, read: number): void {
    if (this.#readOrder.policies.accepts(name, read)) this.#setPolicy(name, next);
  }

  #setPolicy(name: string, next: Stored<AclPolicy> | undefined): boolean {
    if (isSame(this.#policies.get(name), next)) return false;
    if (next === undefined) this.#policies.delete(name);
    else this.#policies.set(name, next);
    return true;
  }
}

/** Whether a name may be that of a person's role or of the auth method for people. */
export function isPeoplesName(name: string): boolean {
  return name.toLowerCase().includes('-_pe');
}

function sorted(snapshot: AclSnapshot) {
  const objects = new Map<string, OwnedObjects>();
  const put = (name: string, change: (before: OwnedObjects) => OwnedObjects) => {
    const key = name.toLowerCase();
    objects.set(key, change(objects.get(key) ?? NOTHING));
  };
  for (const role of snapshot.roles) put(role.object.name, (before) => ({ ...before, role }));
  for (const authMethod of snapshot.authMethods)
    put(authMethod.object.name, (before) => ({ ...before, authMethod }));
  for (const rule of snapshot.bindingRules)
    put(rule.object.authMethod, (before) => ({ ...before, bindingRules: [...before.bindingRules, rule] }));
  const policies = new Map(snapshot.policies.map((each) => [each.object.name.toLowerCase(), each]));
  return { objects, policies };
}

/** Ignores the index, which increases even if a write changes nothing. */
function isSame(a: unknown, b: unknown): boolean {
  const [one, other] = [textOf(a), textOf(b)];
  if (one === other) return true;
  // Objects that differ only in the order of keys have texts of equal length.
  return one?.length === other?.length && textOf(inOrder(a)) === textOf(inOrder(b));
}

function textOf(value: unknown): string | undefined {
  return JSON.stringify(value, (key, inner: unknown) => (key === 'modifyIndex' ? undefined : inner));
}

function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .map(([key, inner]) => [key, inOrder(inner)] as const)
      .toSorted(([a], [b]) => compareText(a, b)),
  );
}
