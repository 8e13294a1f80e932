import { ConsulFailure } from '../exchange.js';
import type { AccessLevel, AclRules, NamedResource, ScalarResource } from './rules.js';

type Decision = 'allow' | 'deny' | undefined;
type Tree = Map<string, { exact?: AccessLevel; prefix?: AccessLevel }>;
export type AclResource = ScalarResource | NamedResource | 'intention';

/** What one ACL token may do: its policies merged, and the default policy beneath them. */
export class Authorizer {
  readonly accessorId: string;
  readonly #trees = new Map<NamedResource | 'intention', Tree>();
  readonly #scalars: Partial<Record<ScalarResource, AccessLevel>> = {};
  readonly #fallback: { readonly named: boolean; readonly acl: boolean };

  /**
   * @param fallback what a question no rule answers gets; `acl` is apart because even a cluster that allows by
   *   default leaves the ACL system to those who were granted it.
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

  /** Whether any service at all may be used so. */
  isAllowedAny(resource: 'service', access: AccessLevel): boolean {
    const decision = this.#any(resource, access);
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
    const tree = this.#trees.get('key') ?? new Map();
    let base: Decision;
    let longest = -1;
    for (const [segment, leaf] of tree) {
      if (leaf.prefix !== undefined && prefix.startsWith(segment) && segment.length > longest) {
        longest = segment.length;
        base = leaf.prefix === 'write' ? 'allow' : 'deny';
      }
    }
    if (base === 'deny') return false;
    for (const [segment, leaf] of tree) {
      if (!segment.startsWith(prefix)) continue;
      if (leaf.prefix !== undefined && leaf.prefix !== 'write') return false;
      if (leaf.exact !== undefined && leaf.exact !== 'write') return false;
    }
    return base === 'allow' || this.#fallback.named;
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
        if (name === '*')
          return access === 'write' ? this.#all('intention', access) : this.#any('intention', access);
        return enforce(this.#lookup(resource, name), access);
      default:
        return enforce(this.#lookup(resource, name), access);
    }
  }

  #lookup(resource: NamedResource | 'intention', name: string): AccessLevel | undefined {
    const tree = this.#trees.get(resource);
    if (tree === undefined) return undefined;
    const exact = tree.get(name)?.exact;
    if (exact !== undefined) return exact;
    for (let length = name.length; length >= 0; length -= 1) {
      const level = tree.get(name.slice(0, length))?.prefix;
      if (level !== undefined) return level;
    }
    return undefined;
  }

  /** For a wildcard destination: is any service's intention readable? */
  #any(resource: 'service' | 'intention', access: AccessLevel): Decision {
    const tree = this.#trees.get(resource) ?? new Map();
    const decision = enforce(tree.get('')?.prefix, access);
    if (decision === 'allow') return 'allow';
    for (const leaf of tree.values()) {
      if (enforce(leaf.prefix, access) === 'allow' || enforce(leaf.exact, access) === 'allow') return 'allow';
    }
    return decision;
  }

  /** For a wildcard destination: is every service's intention writable? */
  #all(resource: 'intention', access: AccessLevel): Decision {
    const tree = this.#trees.get(resource) ?? new Map();
    const decision = enforce(tree.get('')?.prefix, access);
    if (decision === 'deny') return 'deny';
    for (const leaf of tree.values()) {
      if (enforce(leaf.prefix, access) === 'deny' || enforce(leaf.exact, access) === 'deny') return 'deny';
    }
    return decision;
  }

  #insert(
    resource: NamedResource | 'intention',
    segment: string,
    isPrefix: boolean,
    level: AccessLevel,
  ): void {
    const tree: Tree = this.#trees.get(resource) ?? new Map();
    this.#trees.set(resource, tree);
    const leaf = tree.get(segment) ?? {};
    tree.set(segment, leaf);
    if (isPrefix) leaf.prefix = stronger(leaf.prefix, level);
    else leaf.exact = stronger(leaf.exact, level);
  }

  /** A service rule that says nothing of intentions lets those who see the service read them. */
  #deriveIntentions(policies: readonly AclRules[]): void {
    const explicit = new Set<string>();
    for (const rule of policies.flatMap((rules) => rules.named)) {
      if (rule.intentions !== undefined) explicit.add(`${rule.isPrefix} ${rule.segment}`);
    }
    for (const [segment, leaf] of this.#trees.get('service') ?? new Map()) {
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

function enforce(rule: AccessLevel | undefined, wanted: AccessLevel): Decision {
  switch (rule) {
    case undefined:
      return undefined;
    case 'write':
      return 'allow';
    case 'list':
      return wanted === 'list' || wanted === 'read' ? 'allow' : 'deny';
    case 'read':
      return wanted === 'read' ? 'allow' : 'deny';
    case 'deny':
      return 'deny';
  }
}

function isScalar(resource: string): resource is ScalarResource {
  return ['acl', 'operator', 'mesh', 'keyring', 'peering'].includes(resource);
}
