import { ConsulFailure } from '../exchange.js';
import type { AccessLevel, AclRules, NamedResource, ScalarResource } from './rules.js';

type Decision = 'allow' | 'deny' | undefined;
type Tree = Map<string, { exact?: AccessLevel; prefix?: AccessLevel }>;
type AclResource = ScalarResource | NamedResource | 'intention';

/** What one ACL token may do: its policies merged, and the default policy beneath them. */
export class Authorizer {
  readonly accessorId: string;
  readonly #trees = new Map<NamedResource | 'intention', Tree>();
  readonly #scalars: Partial<Record<ScalarResource, AccessLevel>> = {};
  readonly #fallback: { readonly named: boolean; readonly acl: boolean };

  /**
   * @param fallback the decision where no rule applies. `acl` is separate: even a cluster that allows by default
   *   protects the ACL system.
   */
  constructor(accessorId: string, policies: readonly AclRules[], fallback: { named: boolean; acl: boolean }) {
    this.accessorId = accessorId;
    this.#fallback = fallback;
    for (const rules of policies) {
      for (const [resource, level] of Object.entries(rules.scalars)) {
        if (isScalar(resource)) this.#scalars[resource] = stronger(this.#scalars[resource], level);
      }
      for (const rule of rules.named) {
        this.#insert(rule.resource, rule.segment, rule.isPrefix, rule.policy);
        if (rule.resource !== 'service') continue;
        if (rule.intentions !== undefined)
          this.#insert('intention', rule.segment, rule.isPrefix, rule.intentions);
      }
    }
    this.#deriveIntentions(policies);
  }

  isAllowed(resource: AclResource, access: AccessLevel, name = ''): boolean {
    const decision = this.#decide(resource, access, name);
    if (decision !== undefined) return decision === 'allow';
    return resource === 'acl' ? this.#fallback.acl : this.#fallback.named;
  }

  /** Whether the token may write at least one service. */
  mayWriteAnyService(): boolean {
    const decision = this.#overAll('service', 'write', 'allow');
    return decision === undefined ? this.#fallback.named : decision === 'allow';
  }

  /** Throws the 403 that Consul answers, in its words. */
  require(resource: AclResource, access: AccessLevel, name = ''): void {
    if (!this.isAllowed(resource, access, name)) throw this.refusal(resource, access, name);
  }

  refusal(resource: AclResource, access: AccessLevel, name = ''): ConsulFailure {
    const who = this.accessorId === '' ? 'provided token' : `token with AccessorID '${this.accessorId}'`;
    const on = name === '' ? '' : ` on "${name}"`;
    return new ConsulFailure(403, `Permission denied: ${who} lacks permission '${resource}:${access}'${on}`);
  }

  /** Whether all keys under the prefix may be written: no rule at, above or under it says otherwise. */
  isKeyTreeWritable(prefix: string): boolean {
    const above = this.#prefixRule('key', prefix);
    if (above !== undefined && above !== 'write') return false;
    for (const [segment, leaf] of this.#treeOf('key')) {
      if (!segment.startsWith(prefix)) continue;
      if ([leaf.prefix, leaf.exact].some((level) => level !== undefined && level !== 'write')) return false;
    }
    return above === 'write' || this.#fallback.named;
  }

  #decide(resource: AclResource, access: AccessLevel, name: string): Decision {
    switch (resource) {
      case 'acl':
      case 'operator':
      case 'keyring':
        return enforce(this.#scalars[resource], access);
      case 'mesh':
      case 'peering':
        return enforce(this.#scalars[resource] ?? this.#scalars.operator, access);
      case 'intention':
        // A wildcard destination is readable with any service's intentions, and writable with those of all.
        if (name === '*') return this.#overAll(resource, access, access === 'write' ? 'deny' : 'allow');
        return enforce(this.#lookup(resource, name), access);
      default:
        return enforce(this.#lookup(resource, name), access);
    }
  }

  #lookup(resource: NamedResource | 'intention', name: string): AccessLevel | undefined {
    return this.#treeOf(resource).get(name)?.exact ?? this.#prefixRule(resource, name);
  }

  /** The longest prefix decides. */
  #prefixRule(resource: NamedResource | 'intention', name: string): AccessLevel | undefined {
    const tree = this.#treeOf(resource);
    for (let length = name.length; length >= 0; length -= 1) {
      const level = tree.get(name.slice(0, length))?.prefix;
      if (level !== undefined) return level;
    }
    return undefined;
  }

  /** What the rules say about all names together: `deciding` where one of them says so. */
  #overAll(resource: 'service' | 'intention', access: AccessLevel, deciding: 'allow' | 'deny'): Decision {
    const tree = this.#treeOf(resource);
    const levels = [...tree.values()].flatMap((leaf) => [leaf.prefix, leaf.exact]);
    if (levels.some((level) => enforce(level, access) === deciding)) return deciding;
    return enforce(tree.get('')?.prefix, access);
  }

  #treeOf(resource: NamedResource | 'intention'): Tree {
    const tree = this.#trees.get(resource) ?? new Map();
    this.#trees.set(resource, tree);
    return tree;
  }

  #insert(
    resource: NamedResource | 'intention',
    segment: string,
    isPrefix: boolean,
    level: AccessLevel,
  ): void {
    const tree = this.#treeOf(resource);
    const leaf = tree.get(segment) ?? {};
    tree.set(segment, leaf);
    if (isPrefix) leaf.prefix = stronger(leaf.prefix, level);
    else leaf.exact = stronger(leaf.exact, level);
  }

  /** A service rule without `intentions` allows to read the intentions of a service that may be read. */
  #deriveIntentions(policies: readonly AclRules[]): void {
    const explicit = new Set<string>();
    for (const rule of policies.flatMap((rules) => rules.named)) {
      if (rule.intentions !== undefined) explicit.add(`${rule.isPrefix} ${rule.segment}`);
    }
    for (const [segment, leaf] of this.#treeOf('service')) {
      for (const isPrefix of [true, false]) {
        const level = isPrefix ? leaf.prefix : leaf.exact;
        if (level === undefined || explicit.has(`${isPrefix} ${segment}`)) continue;
        this.#insert('intention', segment, isPrefix, level === 'deny' ? 'deny' : 'read');
      }
    }
  }
}

const strength: Readonly<Record<AccessLevel, number>> = { read: 0, list: 1, write: 2, deny: 3 };

/** Of two rules for the same segment a denial wins, then the wider grant. */
function stronger(left: AccessLevel | undefined, right: AccessLevel): AccessLevel {
  return left !== undefined && strength[left] >= strength[right] ? left : right;
}

function enforce(rule: AccessLevel | undefined, needed: AccessLevel): Decision {
  switch (rule) {
    case undefined:
      return undefined;
    case 'write':
      return 'allow';
    case 'list':
      return needed === 'list' || needed === 'read' ? 'allow' : 'deny';
    case 'read':
      return needed === 'read' ? 'allow' : 'deny';
    case 'deny':
      return 'deny';
  }
}

function isScalar(resource: string): resource is ScalarResource {
  return ['acl', 'operator', 'mesh', 'keyring', 'peering'].includes(resource);
}
