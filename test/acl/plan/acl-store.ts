import type { AclStep } from '../../../src/acl/plan/acl-change.js';
import type { DesiredAcl } from '../../../src/acl/plan/login.js';
import { tokensToEnd } from '../../../src/acl/plan/tokens.js';
import type {
  AclAuthMethod,
  AclBindingRule,
  AclObject,
  AclPolicy,
  AclRole,
  AclSnapshot,
  AclToken,
  Stored,
} from '../../../src/model/acl.js';
import { admits } from './selector-model.js';

/** The claims of a token of an identity provider, flat: `act.sub` is the key `/act/sub`. */
export interface Principal {
  readonly issuer: string;
  readonly audience: string;
  readonly claims: Readonly<Record<string, string | readonly string[]>>;
}

interface StoredToken {
  readonly accessorId: string;
  readonly principal: Principal;
  readonly authMethod: string;
  readonly roles: readonly string[];
  readonly lifeSeconds: number;
}

interface StoredRole extends Omit<AclRole, 'policies'> {
  /** Ids: a policy that is made again is another one. */
  readonly policyIds: readonly string[];
  readonly isAltered?: boolean;
}

/**
 * Consul's ACL store as CONSUL.md describes it: names meet without regard to case, links are by id, deleting a method
 * ends its rules and tokens, deleting a role or policy drops it from what links it, writing a method of a name that
 * exists overwrites it.
 */
export class AclStore {
  readonly policies = new Map<string, AclPolicy & { readonly isAltered?: boolean }>();
  readonly roles = new Map<string, StoredRole>();
  readonly methods = new Map<string, AclAuthMethod & { readonly isAltered?: boolean }>();
  readonly rules = new Map<string, AclBindingRule & { readonly isAltered?: boolean }>();
  readonly tokens = new Map<string, StoredToken>();
  #ids = 0;

  clone(): AclStore {
    const copy = new AclStore();
    for (const [id, each] of this.policies) copy.policies.set(id, each);
    for (const [id, each] of this.roles) copy.roles.set(id, each);
    for (const [id, each] of this.methods) copy.methods.set(id, each);
    for (const [id, each] of this.rules) copy.rules.set(id, each);
    for (const [id, each] of this.tokens) copy.tokens.set(id, each);
    copy.#ids = this.#ids;
    return copy;
  }

  write(id: string | undefined, object: AclObject): void {
    switch (object.kind) {
      case 'acl-policy':
        this.#checkName(this.policies, id, object.object.name);
        this.policies.set(id ?? this.#newId(), object.object);
        return;
      case 'acl-role': {
        this.#checkName(this.roles, id, object.object.name);
        const { policies, ...role } = object.object;
        const policyIds = policies.map((name) => {
          const found = idOf(this.policies, name);
          if (found === undefined) throw new Error(`No such ACL policy with name ${name}`);
          return found;
        });
        this.roles.set(id ?? this.#newId(), { ...role, policyIds });
        return;
      }
      case 'acl-auth-method':
        this.methods.set(object.object.name.toLowerCase(), object.object);
        return;
      case 'acl-binding-rule':
        if (!this.methods.has(object.object.authMethod.toLowerCase()))
          throw new Error(`no auth method ${object.object.authMethod}`);
        this.rules.set(id ?? this.#newId(), object.object);
    }
  }

  remove(kind: AclObject['kind'], id: string): void {
    if (kind === 'acl-policy') {
      this.policies.delete(id);
      for (const [key, role] of this.roles)
        this.roles.set(key, { ...role, policyIds: role.policyIds.filter((each) => each !== id) });
    } else if (kind === 'acl-role') {
      this.roles.delete(id);
      for (const [key, token] of this.tokens)
        this.tokens.set(key, { ...token, roles: token.roles.filter((each) => each !== id) });
    } else if (kind === 'acl-auth-method') {
      this.methods.delete(id.toLowerCase());
      for (const [key, rule] of this.rules)
        if (rule.authMethod.toLowerCase() === id.toLowerCase()) this.rules.delete(key);
      for (const [key, token] of this.tokens)
        if (token.authMethod.toLowerCase() === id.toLowerCase()) this.tokens.delete(key);
    } else this.rules.delete(id);
  }

  take(step: AclStep): void {
    if (step.do === 'write') this.write(step.id, step.object);
    else if (step.do === 'delete') this.remove(step.kind, step.id);
    else {
      const { by, longerThanSeconds } = step;
      const found = this.listTokens().filter((token) =>
        'role' in by ? token.roles.includes(by.role) : token.authMethod === by.authMethod,
      );
      for (const id of tokensToEnd(
        found,
        'pay',
        longerThanSeconds === undefined ? {} : { longerThanSeconds },
      ))
        this.tokens.delete(id);
    }
  }

  put(desired: DesiredAcl): void {
    for (const object of desired.policies)
      this.write(idOf(this.policies, object.name), { kind: 'acl-policy', object });
    for (const object of desired.roles)
      this.write(idOf(this.roles, object.name), { kind: 'acl-role', object });
    for (const object of desired.authMethods) this.write(undefined, { kind: 'acl-auth-method', object });
    for (const object of desired.bindingRules) this.write(undefined, { kind: 'acl-binding-rule', object });
  }

  /** The ids of the roles that a login with this method would give; undefined where it is refused. */
  login(methodName: string, principal: Principal): readonly string[] | undefined {
    const method = this.methods.get(methodName.toLowerCase());
    if (method === undefined) return undefined;
    const { config } = method;
    if (config.boundIssuer !== undefined && config.boundIssuer !== principal.issuer) return undefined;
    if (config.boundAudiences.length > 0 && !config.boundAudiences.includes(principal.audience))
      return undefined;
    const value: Record<string, string> = {};
    const list: Record<string, readonly string[]> = {};
    for (const [claim, name] of Object.entries(config.claimMappings)) {
      const found = principal.claims[claim];
      if (typeof found === 'string') value[name] = found;
      else if (found !== undefined) return undefined;
    }
    for (const [claim, name] of Object.entries(config.listClaimMappings)) {
      const found = principal.claims[claim];
      if (found !== undefined) list[name] = typeof found === 'string' ? [found] : found;
    }
    const bound = [...this.rules.values()].filter(
      (rule) =>
        rule.authMethod.toLowerCase() === methodName.toLowerCase() &&
        (rule.selector === '' || admits(rule.selector, { value, list })),
    );
    const roles = bound.flatMap((rule) => idOf(this.roles, rule.bindName) ?? []);
    return roles.length === 0 ? undefined : [...new Set(roles)];
  }

  /** Everybody logs in everywhere. */
  mint(principals: readonly Principal[]): void {
    for (const principal of principals)
      for (const method of this.methods.values()) {
        const roles = this.login(method.name, principal);
        if (roles === undefined) continue;
        const accessorId = this.#newId();
        const lifeSeconds = method.maxTokenTtlSeconds;
        this.tokens.set(accessorId, { accessorId, principal, authMethod: method.name, roles, lifeSeconds });
      }
  }

  /** What a set of roles can do: rules and identities. */
  powerOf(roleIds: readonly string[]): ReadonlySet<string> {
    const power = new Set<string>();
    for (const id of roleIds) {
      const role = this.roles.get(id);
      for (const policy of role?.policyIds ?? []) power.add(this.policies.get(policy)?.rules ?? '');
      for (const service of role?.serviceIdentities ?? []) power.add(`identity of ${service}`);
    }
    return power;
  }

  /** What a principal can do by logging in now, with whatever methods. */
  powerByLogin(principal: Principal): ReadonlySet<string> {
    return new Set(
      [...this.methods.keys()].flatMap((method) => [...this.powerOf(this.login(method, principal) ?? [])]),
    );
  }

  snapshot(): AclSnapshot {
    const stored = <T, S extends { readonly isAltered?: boolean }>(
      all: ReadonlyMap<string, S>,
      toObject: (each: S) => T,
    ): Stored<T>[] =>
      [...all].map(([id, each]) => ({
        id,
        object: toObject(each),
        isAltered: each.isAltered ?? false,
        modifyIndex: 1,
      }));
    return {
      policies: stored(this.policies, ({ name, description, rules }) => ({ name, description, rules })),
      roles: stored(this.roles, (role) => this.#role(role)),
      authMethods: stored(this.methods, ({ name, description, maxTokenTtlSeconds, config }) => ({
        name,
        description,
        maxTokenTtlSeconds,
        config,
      })),
      bindingRules: stored(this.rules, ({ description, authMethod, bindType, bindName, selector }) => ({
        description,
        authMethod,
        bindType,
        bindName,
        selector,
      })),
    };
  }

  listTokens(): AclToken[] {
    return [...this.tokens.values()].map((token) => ({
      accessorId: token.accessorId,
      description: '',
      policies: [],
      isManagement: false,
      roles: token.roles.map((id) => this.roles.get(id)?.name ?? ''),
      serviceIdentities: [],
      nodeIdentities: [],
      templatedPolicies: [],
      authMethod: token.authMethod,
      isLocal: true,
      createdAt: '2026-01-01T00:00:00.000Z',
      ...(token.lifeSeconds === 0
        ? {}
        : { expiresAt: new Date(Date.UTC(2026, 0, 1) + token.lifeSeconds * 1000).toISOString() }),
    }));
  }

  #role({ policyIds, name, description, serviceIdentities }: StoredRole): AclRole {
    const policies = policyIds.flatMap((id) => this.policies.get(id)?.name ?? []).toSorted();
    return { name, description, policies, serviceIdentities };
  }

  #checkName(all: ReadonlyMap<string, { readonly name: string }>, id: string | undefined, name: string) {
    const taken = idOf(all, name);
    if (taken !== undefined && taken !== id) throw new Error(`${name} already exists`);
  }

  #newId(): string {
    this.#ids++;
    return `id-${String(this.#ids).padStart(6, '0')}`;
  }
}

function idOf(all: ReadonlyMap<string, { readonly name: string }>, name: string): string | undefined {
  for (const [id, each] of all) if (each.name.toLowerCase() === name.toLowerCase()) return id;
  return undefined;
}
