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
import { readProxies } from './proxies.js';
import { createProxyDefaults } from './proxy-defaults.js';
import { createQuarantineRecords } from './quarantines.js';
import { createReachability } from './reachability.js';
import { createTransport, type TransportOptions } from './transport.js';
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
  /** The longest answer that is read; 64 MiB by default. */
  readonly maxBytes?: number | undefined;
}

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
    maxBytes: options.maxBytes ?? 64 * 1024 * 1024,
  });
  const client = createConsulClient(transport);
  const guard = createIndexGuard(clock, logger);
  const watching = {
    ...options,
    transport,
    waitMs: options.watchWaitMs ?? 30_000,
    graceMs: options.watchGraceMs ?? 10_000,
    checkMs: options.watchCheckMs ?? 30_000,
  };
  return {
    intentions: createIntentions(transport, guard),
    claims: createClaimRecords(client, owner, logger),
    quarantines: createQuarantineRecords(client, owner),
    breakGlass: createBreakGlassRecords(client, owner),
    lock: createLeaderLock(client, owner),
    clusterId: createClusterId(client, owner),
    canary: createCanary(client, owner),
    acl: createAclObjects({ ...options, transport, guard }),
    jwtProviders: createJwtProviders(transport, guard, logger),
    reachability: createReachability(transport),
    proxyDefaults: createProxyDefaults(transport),
    readCatalog: createCatalogReader(transport, guard, clock, logger),
    watch: (table, listener, signal) => watchTable(table, watching, listener, signal),
    inspect: (signal) => inspectConsul(transport, datacenter, signal),
    connectionsLeft: (most, signal) => connectionsLeft(parseAddress(options.address), most, signal),
    readProxies: (services, signal) => readProxies(transport, services, signal),
    readAclToken: (signal) => readAclToken(transport, signal),
    close: () => transport.close(),
  };
}
