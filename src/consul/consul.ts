import type { Catalog, ClaimRecord } from '../model/catalog.js';
import type {
  DefaultPolicy,
  IntentionEntry,
  IntentionSource,
  NewSource,
  ServiceName,
} from '../model/intention.js';
import type { ExistingJwtProvider, JwtProviderEntry } from '../model/jwt-provider.js';
import type { QuarantineRecord } from '../model/quarantine.js';
import type { Registration } from '../model/registration.js';
import type { AclObjects } from './acl.js';
import type { Reachability } from './reachability.js';

/**
 * `conflict`: the compare-and-set index was stale and nothing was written; plan again. Consul's answer to a write has no
 * index: `modifyIndex` is present only if the adapter read the entry afterwards.
 */
export type WriteResult =
  | { readonly kind: 'written'; readonly modifyIndex?: number }
  | { readonly kind: 'conflict' };

/**
 * service-intentions entries. Every method throws SyncError: ERR_CONSUL_UNREACHABLE or ERR_TIMEOUT (retriable;
 * a write may have happened), ERR_CONSUL_DENIED (403), ERR_CONSUL_REJECTED (Consul refused the content; carries
 * its text), ERR_CONSUL_INCOMPLETE (filtered, rewound or partial answer).
 *
 * A write is one request and is not read back. After the watch reports a change, and regularly, the caller lists all entries
 * and compares them with what it wrote.
 */
export interface Intentions {
  /**
   * Every entry, read with `?consistent`. An entry that is unchanged since the last list is the same object; only changed
   * entries are parsed.
   */
  list(signal: AbortSignal): Promise<readonly IntentionEntry[]>;
  /** One entry, read with `?consistent`; undefined if it does not exist. */
  read(destination: ServiceName, signal: AbortSignal): Promise<IntentionEntry | undefined>;
  /**
   * Compare-and-set of the whole entry: a source with `raw` is written back as it was read, a new one is built
   * (`toRawSource`); every other field of the entry comes from `base`. `expectedIndex` 0 creates. Not safe to
   * repeat blindly.
   *
   * `written` means that Consul had this content when it answered. Consul also answers this if it already had the content:
   * then the index stays, and a stale `expectedIndex` is not a conflict. Two equal writes can both be `written`; of two
   * different writes at one index at most one is.
   */
  write(
    destination: ServiceName,
    current: IntentionEntry | undefined,
    sources: readonly (IntentionSource | NewSource)[],
    expectedIndex: number,
    signal: AbortSignal,
  ): Promise<WriteResult>;
  /**
   * Compare-and-set delete. The caller must have read the entry at `expectedIndex` in the same job, because Consul also
   * answers `written` for an entry that is gone or never existed. An entry that changed, or was created again, is
   * `conflict`.
   */
  delete(destination: ServiceName, expectedIndex: number, signal: AbortSignal): Promise<WriteResult>;
  /** Bytes of the body that `write` would send; pure. */
  sizeOf(
    destination: ServiceName,
    current: IntentionEntry | undefined,
    sources: readonly (IntentionSource | NewSource)[],
  ): number;
}

/**
 * jwt-provider config entries, which exist since Consul 1.16. An older Consul answers every call with an error, so check its
 * version first. Every method throws SyncError as `Intentions` does.
 */
export interface JwtProviders {
  /** Every entry, read with `?consistent`; needs `mesh = "read"`. */
  list(signal: AbortSignal): Promise<readonly ExistingJwtProvider[]>;
  /** Compare-and-set of the whole entry; needs `mesh = "write"`. `expectedIndex` 0 creates. The list is read afterwards for the index. */
  write(entry: JwtProviderEntry, expectedIndex: number, signal: AbortSignal): Promise<WriteResult>;
  /**
   * Compare-and-set delete. An entry that is already gone is `conflict`. Consul refuses to delete an entry that an intention
   * names, because the proxies of the destination would get no listener.
   */
  delete(name: string, expectedIndex: number, signal: AbortSignal): Promise<WriteResult>;
  /**
   * The versions of all agents of the datacenter, sorted; needs `node = "read"` on each. An agent creates the configuration
   * of its own proxies; an agent without support for JWT requirements omits them.
   */
  agentVersions(signal: AbortSignal): Promise<readonly string[]>;
}

export type ClaimWrite =
  | { readonly do: 'create'; readonly record: Omit<ClaimRecord, 'modifyIndex'> }
  | { readonly do: 'delete'; readonly record: ClaimRecord };

/**
 * `conflict`: a record exists already, or the one to delete changed or is gone. `refused`: Consul rejects the write (no
 * permission, an ID that does not fit into a key), and repeating it does not help.
 */
export type RecordResult =
  /**
   * `modifyIndex`: of a record that was written; undefined if the token may not read it. A deletion has none of its own: an
   * index in its answer is that of the transaction, which may be of a check or of another record.
   */
  | { readonly kind: 'written'; readonly modifyIndex?: number }
  | { readonly kind: 'conflict' }
  | { readonly kind: 'refused'; readonly detail: string };

/** Records of `claims: first` in KV. */
export interface ClaimRecords {
  list(signal: AbortSignal): Promise<readonly ClaimRecord[]>;
  /**
   * Writes by compare-and-set, many per request; resolves with a result for each write, in order. A failed write does not
   * affect the others. Throws as `Intentions` does; then each write may have happened, which the list shows.
   */
  write(writes: readonly ClaimWrite[], signal: AbortSignal): Promise<readonly RecordResult[]>;
}

export interface QuarantineWrite {
  readonly do: 'put' | 'delete';
  readonly record: QuarantineRecord;
}

/** Clients in quarantine, in KV. The store of scopemesh has them too; these outlive it. */
export interface QuarantineRecords {
  /** A key whose value is not one that scopemesh wrote is listed without its instants. */
  list(signal: AbortSignal): Promise<readonly QuarantineRecord[]>;
  /**
   * Without a compare-and-set, many per request; repeating is safe, and to delete a missing record is no error. Resolves
   * with a result for each write, in order, never `conflict`. Throws as `Intentions` does.
   */
  write(writes: readonly QuarantineWrite[], signal: AbortSignal): Promise<readonly RecordResult[]>;
}

/** What the key of the leader holds. */
export interface LockState {
  /** The text of the last holder; it stays when the lock is free. Undefined if the key does not exist. */
  readonly value: string | undefined;
  /** The session that holds the lock; undefined if it is free. */
  readonly session: string | undefined;
}

/**
 * The lock on `scopemesh/<owner>/leader`, by Consul sessions. A session ends between one and two TTLs after its last
 * renewal. Its lock is then free at once (no lock-delay): the epoch of the store bars a late holder. Every method throws as
 * `Intentions` does; ERR_CONSUL_DENIED names the missing rule.
 */
export interface LeaderLock {
  /** Its key in KV. */
  readonly key: string;
  /** Read with `?consistent`. */
  read(signal: AbortSignal): Promise<LockState>;
  /** A new session; `ttlSeconds` is 10 at least. */
  createSession(name: string, ttlSeconds: number, signal: AbortSignal): Promise<string>;
  /** False if the session has ended. Repeating is safe. */
  renewSession(session: string, signal: AbortSignal): Promise<boolean>;
  /** Frees the lock of the session at once. Repeating is safe; to end a session that has ended is no error. */
  endSession(session: string, signal: AbortSignal): Promise<void>;
  /** Takes the lock, or keeps it, and sets the text. False if another session holds it, or this session has ended. */
  acquire(session: string, value: string, signal: AbortSignal): Promise<boolean>;
}

/** A random ID at `scopemesh/<owner>/cluster`, which a store remembers. Throws as `Intentions` does. */
export interface ClusterId {
  /** Undefined if there is none. */
  read(signal: AbortSignal): Promise<string | undefined>;
  /** Writes it unless there is one already, and resolves with the one that is there. */
  create(id: string, signal: AbortSignal): Promise<string>;
}

/** The newest signed note of the decision log, in KV: it outlives the store and the log. Throws as `Intentions` does. */
export interface LogNote {
  read(signal: AbortSignal): Promise<string | undefined>;
  /** Repeating is safe. */
  write(note: string, signal: AbortSignal): Promise<void>;
}

/**
 * The tables to watch. `protocols` are the service-defaults and proxy-defaults, which `readCatalog` reads. `acl` are
 * policies, roles, auth methods and binding rules, but not tokens, which change with every login.
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
  readonly defaultPolicy: DefaultPolicy;
  readonly aclsEnabled: boolean;
  /** How long agents may cache ACL objects; absent if the agent does not report it. */
  readonly aclCache?: AclCacheSeconds;
  /** ISO 8601, by the server's clock, to the second; absent if the answer has no time. */
  readonly serverTime?: string;
}

/** A sidecar, or a service with native mesh integration. */
export interface ServiceProxy extends Registration {
  /** The services for which it has a local listener. */
  readonly upstreams: readonly string[];
  /** Reaches every service without an upstream (transparent proxy, or native integration). */
  readonly reachesAll: boolean;
  /** By the name of the upstream: the protocol that its registration sets. */
  readonly upstreamProtocols: ReadonlyMap<string, string>;
}

/** The properties of the configured ACL token. */
export interface AclTokenFacts {
  readonly accessorId: string;
  /** Names of the policies linked to it directly. */
  readonly policies: readonly string[];
  readonly isManagement: boolean;
  /** The rules of all its policies, including those of roles; absent if the token cannot read them (acl:read). */
  readonly rules?: readonly string[];
  /** ISO 8601; absent for a token that does not expire. */
  readonly expiresAt?: string;
}

/** The access logs of all proxies, since Consul 1.15. */
export interface AccessLogSettings {
  readonly isEnabled: boolean;
  /** Empty without a format of its own. */
  readonly jsonFormat: string;
  readonly textFormat: string;
}

/** The config entry proxy-defaults. */
export interface ProxyDefaults {
  /** Undefined if there is no entry. Needs no permission. Throws SyncError as `Intentions` does. */
  readAccessLog(signal: AbortSignal): Promise<AccessLogSettings | undefined>;
}

/** Intentions that a GitOps tool brings from a directory to Consul. */
export interface Manifests {
  /** As of the last `Intentions.list`: the destinations whose entry in Consul is not yet as the files say. */
  unsynced(): readonly ServiceName[];
  /** As of the last `Intentions.list`: why each broken file cannot be read. Their destinations are held. */
  broken(): readonly string[];
  /**
   * As of the last `Intentions.list`, undefined before it: the destinations whose entry in Consul scopemesh made through the
   * API and consul-k8s has not taken over. A change needs the right to write intentions there.
   */
  fromApi(): readonly ServiceName[] | undefined;
  /** Whether the first L7 intention of the destination also sets its protocol to http. Throws as `Intentions` does. */
  lacksDefaults(destination: ServiceName, signal: AbortSignal): Promise<boolean>;
}

/** What a watch tells. */
export interface WatchListener {
  changed(): void;
  /** A change arrived, or a comparison showed that none was missed. Silence is no sign of life. */
  alive(): void;
  /**
   * Resolves when the next read begins, which sees every change reported so far. Until then another answer would be of no
   * use.
   */
  taken?(): Promise<void>;
}

/** An entry that a list could not show. What it has stays and gains nothing; all others are handled as usual. */
export interface UnreadableEntry {
  /** Of a config entry or an ACL object; `service` for the instances of one, `kv` for a key. */
  readonly kind: string;
  readonly name: string;
  /** Bytes, if it is too large or nested too deep. */
  readonly size?: number;
  /** Why, and the command that shows it. */
  readonly detail: string;
}

/** Everything that scopemesh needs from Consul. The adapter owns its connections. */
export interface Consul {
  readonly intentions: Intentions;
  readonly claims: ClaimRecords;
  readonly quarantines: QuarantineRecords;
  readonly lock: LeaderLock;
  readonly clusterId: ClusterId;
  readonly logNote: LogNote;
  readonly acl: AclObjects;
  readonly jwtProviders: JwtProviders;
  readonly reachability: Reachability;
  readonly proxyDefaults: ProxyDefaults;
  /** Only if intentions are written as manifests. */
  readonly manifests?: Manifests;
  /** All services with instances, and the protocols; complete or throws. */
  readCatalog(signal: AbortSignal): Promise<Catalog>;
  /**
   * Calls `changed` whenever the table may have changed (and once at the start), and `alive` when a change arrived or a
   * comparison showed that none was missed: silence is no sign of life. A watch that missed one starts again. Resolves when aborted; reconnects itself and never throws for an unreachable Consul.
   */
  watch(table: WatchedTable, listener: WatchListener, signal: AbortSignal): Promise<void>;
  /** Version and default policy; throws as above. */
  inspect(signal: AbortSignal): Promise<ConsulFacts>;
  /** How many more connections Consul takes from this address now, up to `most`. They are closed again at once. */
  connectionsLeft(most: number, signal: AbortSignal): Promise<number>;
  /**
   * The proxies between each service and the mesh, by their registrations, in the order of the services. One request for each,
   * and few for the modes of all of them; throws as above.
   */
  readProxies(
    services: readonly ServiceName[],
    signal: AbortSignal,
  ): Promise<readonly (readonly ServiceProxy[])[]>;
  /** The configured token; undefined if ACLs are disabled or no token is configured. */
  readAclToken(signal: AbortSignal): Promise<AclTokenFacts | undefined>;
  /** As of the last complete lists. */
  unreadable(): readonly UnreadableEntry[];
  close(): Promise<void>;
}
