/**
 * Consul's ACL objects as scopemesh makes them. Names, not ids, are their identity here: Consul keeps names of
 * policies, roles and auth methods unique without regard to case. Each carries the mark of its owner in name and
 * Description; binding rules have no name, so theirs is the Description.
 */
export interface AclPolicy {
  readonly name: string;
  readonly description: string;
  /** ACL rules as canonical JSON text. */
  readonly rules: string;
}

export interface AclRole {
  readonly name: string;
  readonly description: string;
  /** Sorted. */
  readonly policies: readonly string[];
  /** Services whose identity the role carries; sorted. */
  readonly serviceIdentities: readonly string[];
}

/** An auth method of type `jwt`. */
export interface AclAuthMethod {
  readonly name: string;
  readonly description: string;
  /** Consul allows one minute to 24 hours. 0, which only a read returns: no limit is set, and tokens never expire. */
  readonly maxTokenTtlSeconds: number;
  readonly config: JwtMethodConfig;
}

/** Exactly one of `jwksUrl`, `oidcDiscoveryUrl` and `validationPubKeys`. Audiences and algorithms are sorted. */
export interface JwtMethodConfig {
  readonly jwksUrl?: string;
  readonly oidcDiscoveryUrl?: string;
  readonly validationPubKeys?: readonly string[];
  readonly caCert?: string;
  readonly boundIssuer?: string;
  readonly boundAudiences: readonly string[];
  readonly signingAlgorithms: readonly string[];
  /** Claim (or JSON pointer) to the name by which selectors see it: `value.<name>`. */
  readonly claimMappings: Readonly<Record<string, string>>;
  /** The same for lists: `list.<name>`. */
  readonly listClaimMappings: Readonly<Record<string, string>>;
}

export const ACL_BIND_TYPES = ['role', 'service', 'node', 'policy', 'templated-policy'] as const;
export type AclBindType = (typeof ACL_BIND_TYPES)[number];

export interface AclBindingRule {
  readonly description: string;
  readonly authMethod: string;
  /** scopemesh writes `role` and `service`; the others are manual edits. */
  readonly bindType: AclBindType;
  readonly bindName: string;
  readonly selector: string;
}

/** An object as Consul has it. `id` addresses writes; an auth method's is its name. */
export interface Stored<T> {
  readonly id: string;
  readonly object: T;
  /** A field that scopemesh does not model differs from what scopemesh writes: somebody edited the object. */
  readonly isAltered: boolean;
  readonly modifyIndex: number;
}

/** The ID of the built-in management policy in every cluster, even if the policy was renamed. */
export const MANAGEMENT_POLICY_ID = '00000000-0000-0000-0000-000000000001';

/** A token without its secret, which scopemesh never asks for. */
export interface AclToken {
  readonly accessorId: string;
  readonly description: string;
  readonly policies: readonly string[];
  /** Linked directly to the built-in management policy. */
  readonly isManagement: boolean;
  readonly roles: readonly string[];
  readonly serviceIdentities: readonly string[];
  /** Each as `<datacenter>/<node>`. */
  readonly nodeIdentities: readonly string[];
  /** Names of Consul's templated policies (1.17 and newer), without their variables. */
  readonly templatedPolicies: readonly string[];
  /** Present for tokens that came from a login. */
  readonly authMethod?: string;
  readonly isLocal: boolean;
  /** ISO 8601. */
  readonly createdAt: string;
  readonly expiresAt?: string;
}

/** Everything of one kind, complete: lists that hide rules or configuration have been completed by single reads. */
export interface AclSnapshot {
  readonly policies: readonly Stored<AclPolicy>[];
  readonly roles: readonly Stored<AclRole>[];
  readonly authMethods: readonly Stored<AclAuthMethod>[];
  readonly bindingRules: readonly Stored<AclBindingRule>[];
  /** Names of auth methods that have our name prefix but another type than jwt; their tokens are foreign. */
  readonly otherMethods?: readonly string[];
  /** The names of roles of others, by each service whose identity they have. */
  readonly otherIdentities?: ReadonlyMap<string, readonly string[]>;
}

export type AclObject =
  | { readonly kind: 'acl-policy'; readonly object: AclPolicy }
  | { readonly kind: 'acl-role'; readonly object: AclRole }
  | { readonly kind: 'acl-auth-method'; readonly object: AclAuthMethod }
  | { readonly kind: 'acl-binding-rule'; readonly object: AclBindingRule };
