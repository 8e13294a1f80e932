/**
 * One HTTP permission as Consul writes it (`Permissions[].HTTP` of a service-intentions entry), with names in
 * camel case. Exactly one path form or none; no methods means every method.
 */
export interface HttpPermission {
  readonly methods?: readonly string[];
  readonly pathExact?: string;
  readonly pathPrefix?: string;
  readonly pathRegex?: string;
  readonly headers?: readonly HeaderMatch[];
  /** The token that a call must carry besides the caller's certificate; needs Consul 1.16.1 or newer. */
  readonly jwt?: JwtRequirement;
}

/** What Consul does with a call that no intention matches. */
export type DefaultPolicy = 'allow' | 'deny' | 'unknown';

/** The token that a request must carry: issued by this jwt-provider, with all of these claims. */
export interface JwtRequirement {
  /** The name of a jwt-provider entry. */
  readonly provider: string;
  readonly verifyClaims: readonly ClaimValue[];
}

/** A claim by its path. It matches a text that equals the value, or a list that contains the value. */
export interface ClaimValue {
  readonly path: readonly string[];
  readonly value: string;
}

export interface HeaderMatch {
  readonly name: string;
  readonly present?: boolean;
  readonly exact?: string;
  readonly prefix?: string;
  readonly suffix?: string;
  readonly regex?: string;
  readonly invert?: boolean;
}

/** What one source may do at a destination: everything (L4), nothing (an owned deny), or a sorted set of L7 permissions. */
export type Access =
  | { readonly kind: 'allow' }
  | { readonly kind: 'deny' }
  | { readonly kind: 'http'; readonly permissions: readonly HttpPermission[] };

/** Partition and namespace are `default` outside Consul Enterprise. */
export interface ServiceName {
  readonly partition: string;
  readonly namespace: string;
  readonly name: string;
}

/**
 * One element of `Sources` of a service-intentions entry. `raw` is the parsed JSON from Consul; foreign sources are
 * written back with it unchanged.
 */
export interface IntentionSource {
  readonly name: string;
  readonly namespace: string;
  readonly partition: string;
  /** Set for sources of another cluster or of a sameness group: always foreign. */
  readonly peer?: string;
  readonly description: string;
  /** `other` if the content has something that scopemesh does not write (several JWT providers, unknown fields). */
  readonly access: Access | { readonly kind: 'other' };
  readonly isLegacy: boolean;
  readonly raw: Readonly<Record<string, unknown>>;
}

/** A source as scopemesh writes it; the adapter gives it its wire form. */
export interface NewSource {
  readonly name: string;
  readonly namespace: string;
  readonly partition: string;
  readonly description: string;
  readonly access: Access;
}

/**
 * The value of the Meta `external-source` of an entry that no manifest can change, while intentions are written as manifests.
 * Consul itself never has it.
 */
export const WITHOUT_MANIFEST = 'scopemesh: no manifest';

/** The beginning of such a value if the manifest cannot be read. The reason and the remedy follow. */
export const BROKEN_MANIFEST = 'scopemesh: broken manifest: ';

/** A service-intentions entry as read. `raw` contains every field, including unknown ones. */
export interface IntentionEntry {
  readonly destination: ServiceName;
  readonly sources: readonly IntentionSource[];
  readonly meta: Readonly<Record<string, string>>;
  readonly modifyIndex: number;
  readonly raw: Readonly<Record<string, unknown>>;
  /** Why its content cannot be read, and how to look at it. Its sources are the last known ones then, or none. */
  readonly unreadable?: string;
}
