import { ConsulFailure, type ConsulRequest } from '../exchange.js';
import type { AclTokenRow, NodeIdentity, ServiceIdentity } from '../state/rows.js';
import type { StateStore } from '../state/state-store.js';
import { Authorizer } from './authorizer.js';
import { type AclRules, type NamedRule, parseAclRules } from './rules.js';

export const anonymousAccessorId = '00000000-0000-0000-0000-000000000002';
export const globalManagementPolicyId = '00000000-0000-0000-0000-000000000001';

/** Finds the ACL token of a request and what it may do. */
export class AclResolver {
  readonly #store: StateStore;
  readonly #defaultAllow: boolean;
  readonly #now: () => number;
  /** Where a secret was last found; checked again at each use. */
  readonly #accessors = new Map<string, string>();
  readonly #parsed = new Map<string, AclRules>();

  constructor(store: StateStore, defaultAllow: boolean, now: () => number) {
    this.#store = store;
    this.#defaultAllow = defaultAllow;
    this.#now = now;
  }

  /** The row of the request's ACL token; the anonymous one if it carries none. Throws 403 `ACL not found`. */
  tokenOf(request: ConsulRequest): AclTokenRow {
    const secret = secretOf(request);
    const row = secret === '' ? this.#store.get('acl-tokens', anonymousAccessorId) : this.#bySecret(secret);
    if (row === undefined) throw new ConsulFailure(403, 'ACL not found');
    return row;
  }

  authorize(request: ConsulRequest): Authorizer {
    const aclToken = this.tokenOf(request);
    return new Authorizer(aclToken.AccessorID, this.#rulesOf(aclToken), {
      named: this.#defaultAllow,
      acl: false,
    });
  }

  #bySecret(secret: string): AclTokenRow | undefined {
    const known = this.#store.get('acl-tokens', this.#accessors.get(secret) ?? '');
    const row =
      known?.SecretID === secret
        ? known
        : this.#store.list('acl-tokens').find((each) => each.SecretID === secret);
    if (row === undefined || isExpired(row, this.#now())) return undefined;
    if (this.#accessors.size > 10_000) this.#accessors.clear();
    this.#accessors.set(secret, row.AccessorID);
    return row;
  }

  #rulesOf(aclToken: AclTokenRow): AclRules[] {
    const roles = (aclToken.Roles ?? []).flatMap((link) => this.#store.get('acl-roles', link.ID) ?? []);
    const links = [...(aclToken.Policies ?? []), ...roles.flatMap((role) => role.Policies ?? [])];
    const services = [
      ...(aclToken.ServiceIdentities ?? []),
      ...roles.flatMap((role) => role.ServiceIdentities ?? []),
    ];
    const nodes = [...(aclToken.NodeIdentities ?? []), ...roles.flatMap((role) => role.NodeIdentities ?? [])];
    const texts = links.flatMap((link) => this.#store.get('acl-policies', link.ID)?.Rules ?? []);
    return [
      ...texts.map((text) => this.#parse(text)),
      ...services.map(serviceRules),
      ...nodes.map(nodeRules),
    ];
  }

  #parse(text: string): AclRules {
    const known = this.#parsed.get(text);
    if (known !== undefined) return known;
    const rules = parseAclRules(text);
    if (this.#parsed.size > 1000) this.#parsed.clear();
    this.#parsed.set(text, rules);
    return rules;
  }
}

export function isExpired({ ExpirationTime: ends }: AclTokenRow, nowMs: number): boolean {
  return ends !== undefined && Date.parse(ends) <= nowMs;
}

/** The secret a request carries: `?token=`, `X-Consul-Token`, or a bearer token, in that order. */
export function secretOf(request: ConsulRequest): string {
  const inQuery = request.query.get('token');
  if (inQuery !== null && inQuery !== '') return inQuery;
  const header = request.headers['x-consul-token'];
  if (typeof header === 'string' && header !== '') return header;
  const bearer = /^bearer\s+(\S+)/i.exec(request.headers.authorization ?? '');
  return bearer?.[1] ?? '';
}

function serviceRules({ ServiceName }: ServiceIdentity): AclRules {
  return {
    scalars: {},
    named: [
      rule('service', ServiceName, 'write'),
      rule('service', `${ServiceName}-sidecar-proxy`, 'write'),
      { ...rule('service', '', 'read'), isPrefix: true },
      { ...rule('node', '', 'read'), isPrefix: true },
    ],
  };
}

function nodeRules({ NodeName }: NodeIdentity): AclRules {
  return {
    scalars: {},
    named: [rule('node', NodeName, 'write'), { ...rule('service', '', 'read'), isPrefix: true }],
  };
}

function rule(resource: 'service' | 'node', segment: string, policy: 'read' | 'write'): NamedRule {
  return { resource, isPrefix: false, segment, policy };
}
