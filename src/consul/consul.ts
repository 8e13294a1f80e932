import type { Catalog, ClaimRecord } from '../model/catalog.js';
import type { IntentionEntry, IntentionSource, NewSource, ServiceName } from '../model/intention.js';
import type { AclObjects } from './acl.js';
import type { JwtProviders } from './jwt-providers.js';
import type { WriteResult } from './write-result.js';

export type { WriteResult } from './write-result.js';

/**
 * service-intentions entries. Every method throws SyncError: ERR_CONSUL_UNREACHABLE or ERR_TIMEOUT (retriable;
 * a write may have happened), ERR_CONSUL_DENIED (403), ERR_CONSUL_REJECTED (Consul refused the content; carries
 * its text), ERR_CONSUL_INCOMPLETE (filtered, rewound or partial answer).
 *
 * A write is one request and is not read back. The caller learns what Consul holds from the watch: it lists all
 * entries after a change, compares them with what it wrote, and a complete comparison does the same from time to time.
 */
export interface Intentions {
  /**
   * Every entry, read with `?consistent`. One that is unchanged since the last list is the same object, so that
   * a list costs its length in bytes and the parse of what changed.
   */
  list(signal: AbortSignal): Promise<readonly IntentionEntry[]>;
  /** One entry, read with `?consistent`; undefined if there is none. */
  read(destination: ServiceName, signal: AbortSignal): Promise<IntentionEntry | undefined>;
  /**
   * Compare-and-set of the whole entry: a source with `raw` is written back as it was read, a new one is built
   * (`toRawSource`); every other field of the entry comes from `base`. `expectedIndex` 0 creates. Not safe to
   * repeat blindly.
   *
   * `written` means that Consul held this content when it answered. Consul says so of a write, and also of content
   * that it has already: then the index stays, and a stale `expectedIndex` is no conflict. Of two equal writes both can
   * be `written`; of two different writes at one index at most one is.
   */
  write(
    destination: ServiceName,
    base: IntentionEntry | undefined,
    sources: readonly (IntentionSource | NewSource)[],
    expectedIndex: number,
    signal: AbortSignal,
  ): Promise<WriteResult>;
  /**
   * Compare-and-set delete. The caller must have read the entry at `expectedIndex` in the same job: Consul answers
   * `written` for an entry that somebody else removed meanwhile, and for one that never was. An entry that changed, or
   * was made again, is `conflict`.
   */
  delete(destination: ServiceName, expectedIndex: number, signal: AbortSignal): Promise<WriteResult>;
  /** Bytes of the body that `write` would send; pure. */
  sizeOf(
    destination: ServiceName,
    base: IntentionEntry | undefined,
    sources: readonly (IntentionSource | NewSource)[],
  ): number;
}

export type ClaimWrite =
  | { readonly do: 'create'; readonly record: Omit<ClaimRecord, 'modifyIndex'> }
  | { readonly do: 'delete'; readonly record: ClaimRecord };

/**
 * `conflict`: there is a record already, or the one to delete changed or is gone. `refused`: Consul does not take the
 * write (no permission, an id that no key can hold), and repeating it does not help.
 */
export type ClaimResult =
  | { readonly kind: 'written' }
  | { readonly kind: 'conflict' }
  | { readonly kind: 'refused'; readonly detail: string };

/** Records of `claims: first` in KV. */
export interface ClaimRecords {
  list(signal: AbortSignal): Promise<readonly ClaimRecord[]>;
  /**
   * Each write by compare-and-set, many to a request; resolves with a result for each, in their order. One that fails
   * harms no other. Throws as `Intentions` does; then each of the writes may have happened, and the list tells.
   */
  write(writes: readonly ClaimWrite[], signal: AbortSignal): Promise<readonly ClaimResult[]>;
}

/**
 * What a watch looks at; `protocols` are the service-defaults and proxy-defaults, which `readCatalog` reads. `acl` are
 * policies, roles, auth methods and binding rules; tokens are no table to watch, for they change with every login.
 */
export type WatchedTable = 'intentions' | 'protocols' | 'catalog' | 'claims' | 'jwt-providers' | 'acl';

/** `acl.role_ttl`, `acl.policy_ttl` and `acl.token_ttl` of the agent that answers, in seconds. */
export interface AclCacheSeconds {
  readonly role: number;
  readonly policy: number;
  readonly token: number;
}

export interface ConsulFacts {
  readonly version: string;
  readonly datacenter: string;
  readonly defaultPolicy: 'allow' | 'deny' | 'unknown';
  readonly aclsEnabled: boolean;
  /** How long agents may use what they know of ACL objects before they ask anew; absent where it was not told. */
  readonly aclCache?: AclCacheSeconds;
  /** ISO 8601, by the server's clock, to the second; absent where the answer told none. */
  readonly serverTime?: string;
}

/** A sidecar, or a service that speaks to the mesh itself. */
export interface ServiceProxy {
  readonly id: string;
  /** The services it has a local listener for. */
  readonly upstreams: readonly string[];
  /** Reaches every service without naming it (transparent proxy, or a service integrated natively). */
  readonly reachesAll: boolean;
}

/** What the ACL token in use is. */
export interface AclTokenFacts {
  readonly accessorId: string;
  /** Names of the policies linked to it directly. */
  readonly policies: readonly string[];
  readonly isManagement: boolean;
  /** The rules of all its policies, roles' included; absent where the token may not read them (acl:read). */
  readonly rules?: readonly string[];
  /** ISO 8601; absent for a token that does not expire. */
  readonly expiresAt?: string;
}

/** Everything scopemesh needs of Consul; the adapter owns its connections. */
export interface Consul {
  readonly intentions: Intentions;
  readonly claims: ClaimRecords;
  readonly acl: AclObjects;
  readonly jwtProviders: JwtProviders;
  /** All services with instances, and the protocols; complete or throws. */
  readCatalog(signal: AbortSignal): Promise<Catalog>;
  /**
   * Calls `changed` whenever the table may have changed (and once at the start), `alive` on each proof of life;
   * resolves when aborted, reconnects by itself, never throws for an unreachable Consul.
   */
  watch(
    table: WatchedTable,
    listener: { changed(): void; alive(): void },
    signal: AbortSignal,
  ): Promise<void>;
  /** Version and default policy; throws as above. */
  inspect(signal: AbortSignal): Promise<ConsulFacts>;
  /** What stands between the service and the mesh, by its registrations; throws as above. */
  readProxies(service: ServiceName, signal: AbortSignal): Promise<readonly ServiceProxy[]>;
  /** The token in use; undefined where ACLs are off or no token is configured. */
  readAclToken(signal: AbortSignal): Promise<AclTokenFacts | undefined>;
  close(): Promise<void>;
}
