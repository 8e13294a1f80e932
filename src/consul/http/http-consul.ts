import type { Runtime } from '../../runtime.js';
import type { Consul } from '../consul.js';
import { createAclObjects } from './acl-objects.js';
import { readAclToken } from './acl-token.js';
import { parseAddress } from './address.js';
import { createBreakGlassRecords } from './break-glass.js';
import { createCanary } from './canary.js';
import { createCatalogReader } from './catalog.js';
import { createClaimRecords } from './claims.js';
import { createClusterId } from './cluster-id.js';
import { connectionsLeft } from './connections-left.js';
import { createConsulClient } from './consul-client.js';
import { createIndexGuard } from './index-guard.js';
import { inspectConsul } from './inspect.js';
import { createIntentions } from './intentions.js';
import { createJwtProviders } from './jwt-providers.js';
import { createLeaderLock } from './leader-lock.js';
import { createLogNote } from './log-note.js';
import { readProxies } from './proxies.js';
import { createProxyDefaults } from './proxy-defaults.js';
import { createQuarantineRecords } from './quarantines.js';
import { createReachability } from './reachability.js';
import { createTransport, type TransportOptions } from './transport.js';
import { UnreadableEntries } from './unreadable-entries.js';
import { watchTable } from './watch.js';

export interface HttpConsulOptions extends Omit<TransportOptions, 'requestTimeoutMs' | 'maxBytes'>, Runtime {
  /** Names the KV folders `claims/`, `quarantine/` and `break-glass/` below `scopemesh/<owner>/`. */
  readonly owner: string;
  /** For each exchange except blocking queries; 10 s by default. */
  readonly requestTimeoutMs?: number | undefined;
  /** For writes of auth methods and binding rules, which make Consul fetch keys; 5 s by default. */
  readonly keyFetchTimeoutMs?: number | undefined;
  /** How long a blocking query waits; 30 s by default. */
  readonly watchWaitMs?: number | undefined;
  /**
   * How late the answer to a blocking query may be before the connection counts as dead, and a change before the watch does;
   * 10 s by default. More than 5 s, because a watch may rest.
   */
  readonly watchGraceMs?: number | undefined;
  /** How often a watch is compared with Consul; 30 s by default. */
  readonly watchCheckMs?: number | undefined;
  /** The longest entry of a list that is read, and the longest answer that is no list; 8 MiB by default. */
  readonly maxBytes?: number | undefined;
}

/** scopemesh lets an entry grow to 2 MiB. What Consul answers is longer than what was written. */
const MAX_ENTRY_BYTES = 8 * 1024 * 1024;

/**
 * Consul over its HTTP API, version 1.14 or newer.
 *
 * Sessions, KV and transactions go through the npm package `consul`, which knows no config entries. One transport sends these and
 * all other requests, with the same timeouts, size limits and errors.
 */
export function createHttpConsul(options: HttpConsulOptions): Consul {
  const { owner, logger, clock, datacenter } = options;
  const transport = createTransport({
    ...options,
    requestTimeoutMs: options.requestTimeoutMs ?? 10_000,
    maxBytes: options.maxBytes ?? MAX_ENTRY_BYTES,
  });
  const client = createConsulClient(transport);
  const guard = createIndexGuard(clock, logger);
  const unreadable = new UnreadableEntries(options);
  const watching = {
    ...options,
    transport,
    waitMs: options.watchWaitMs ?? 30_000,
    graceMs: options.watchGraceMs ?? 10_000,
    checkMs: options.watchCheckMs ?? 30_000,
  };
  return {
    intentions: createIntentions(transport, guard, unreadable),
    claims: createClaimRecords(client, owner, unreadable),
    quarantines: createQuarantineRecords(client, owner),
    breakGlass: createBreakGlassRecords(client, owner),
    lock: createLeaderLock(client, owner),
    clusterId: createClusterId(client, owner),
    canary: createCanary(client, owner),
    logNote: createLogNote(client, owner),
    acl: createAclObjects({ ...options, transport, guard, unreadable }),
    jwtProviders: createJwtProviders(transport, guard, logger, unreadable),
    reachability: createReachability(transport),
    proxyDefaults: createProxyDefaults(transport),
    readCatalog: createCatalogReader(transport, guard, clock, logger, unreadable),
    watch: (table, listener, signal) => watchTable(table, watching, listener, signal),
    inspect: (signal) => inspectConsul(transport, datacenter, signal),
    connectionsLeft: (most, signal) => connectionsLeft(parseAddress(options.address), most, signal),
    readProxies: (services, signal) => readProxies(transport, services, signal),
    readAclToken: (signal) => readAclToken(transport, signal),
    unreadable: () => unreadable.all,
    close: () => transport.close(),
  };
}
