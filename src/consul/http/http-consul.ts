import { connect, type Socket } from 'node:net';
import type { Clock } from '../../clock.js';
import { isRecord } from '../../model/is-record.js';
import type { Runtime } from '../../runtime.js';
import type { AclObjects } from '../acl.js';
import type { ClusterId, Consul, LogNote, ProxyDefaults } from '../consul.js';
import { incomplete, Reader } from '../reader.js';
import { readNamed } from './acl-named.js';
import { readSnapshot } from './acl-snapshot.js';
import { readAclToken } from './acl-token.js';
import { deleteTokens, listTokens } from './acl-tokens.js';
import { deleteAcl, writeAcl } from './acl-write.js';
import { type Address, parseAddress } from './address.js';
import { parseJson, readComplete } from './answer.js';
import { createCatalogReader } from './catalog.js';
import { createClaimRecords } from './claims.js';
import { createConsulClient } from './consul-client.js';
import { createIndexGuard, type IndexGuard } from './index-guard.js';
import { inspectConsul } from './inspect.js';
import { createIntentions } from './intentions.js';
import { createJwtProviders } from './jwt-providers.js';
import { putKey, readKey } from './kv-key.js';
import { ownerKey } from './kv-keys.js';
import { createLeaderLock } from './leader-lock.js';
import { toTenancyQuery } from './place.js';
import { readProxies } from './proxies.js';
import { createQuarantineRecords } from './quarantines.js';
import { createReachability } from './reachability.js';
import { createTransport, type Transport, type TransportOptions } from './transport.js';
import { UnreadableEntries } from './unreadable-entries.js';
import { watchTable } from './watch.js';

export interface HttpConsulOptions extends Omit<TransportOptions, 'requestTimeoutMs' | 'maxBytes'>, Runtime {
  /** Names the KV folders `claims/` and `quarantine/` below `scopemesh/<owner>/`. */
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
 * The lease goes through the npm package `consul`, which knows no config entries, on connections of its own. One transport sends
 * all other requests.
 */
export function createHttpConsul(options: HttpConsulOptions): Consul {
  const { owner, logger, clock, datacenter } = options;
  const maxBytes = options.maxBytes ?? MAX_ENTRY_BYTES;
  const requestTimeoutMs = options.requestTimeoutMs ?? 10_000;
  const transport = createTransport({ ...options, requestTimeoutMs, maxBytes });
  const client = createConsulClient({ ...options, maxBytes });
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
    claims: createClaimRecords(transport, owner, unreadable),
    quarantines: createQuarantineRecords(transport, owner),
    lock: createLeaderLock(client, transport, owner),
    clusterId: createClusterId(transport, owner),
    logNote: createLogNote(transport, owner),
    acl: createAclObjects({ ...options, transport, guard, unreadable }),
    jwtProviders: createJwtProviders(transport, guard, logger, unreadable),
    reachability: createReachability(transport),
    proxyDefaults: createProxyDefaults(transport),
    readCatalog: createCatalogReader(transport, guard, logger, unreadable),
    watch: (table, listener, signal) => watchTable(table, watching, listener, signal),
    inspect: (signal) => inspectConsul(transport, datacenter, signal),
    connectionsLeft: (most, signal) => connectionsLeft(parseAddress(options.address), most, signal),
    readProxies: (services, signal) => readProxies(transport, services, signal),
    readAclToken: (signal) => readAclToken(transport, signal),
    unreadable: () => unreadable.all,
    async close() {
      await client.close();
      await transport.close();
    },
  };
}

/** At `scopemesh/<owner>/cluster` in KV. */
function createClusterId(transport: Transport, owner: string): ClusterId {
  const key = ownerKey(owner, 'cluster');
  const self: ClusterId = {
    async read(signal) {
      return (await readKey(transport, key, 'cluster.read', signal))?.text;
    },
    async create(id, signal) {
      const operation = 'cluster.write';
      await putKey(transport, key, id, { operation, signal, cas: 0 });
      const found = await self.read(signal);
      if (found === undefined) throw incomplete(operation, 'the key was deleted at this moment');
      return found;
    },
  };
  return self;
}

/** Consul answers a connection that it refuses at once, before any request. */
const QUIET_MS = 300;
const LONGEST_MS = 5_000;

/** How many more connections Consul takes from this address now, up to `most`. They are closed again at once. */
async function connectionsLeft(
  { origin, socketPath }: Address,
  most: number,
  signal: AbortSignal,
): Promise<number> {
  signal.throwIfAborted();
  const { protocol, hostname, port } = new URL(origin);
  const place =
    socketPath === undefined
      ? { host: hostname.replace(/[[\]]/g, ''), port: Number(port) || (protocol === 'https:' ? 443 : 80) }
      : { path: socketPath };
  const sockets = Array.from({ length: most }, () => connect(place));
  try {
    const taken = await Promise.all(sockets.map((socket) => isTaken(socket)));
    return taken.filter(Boolean).length;
  } finally {
    for (const socket of sockets) socket.destroy();
  }
}

function isTaken(socket: Socket): Promise<boolean> {
  return new Promise((resolve) => {
    const refuse = () => resolve(false);
    for (const event of ['data', 'end', 'close', 'error']) socket.on(event, refuse);
    socket.setTimeout(LONGEST_MS, refuse);
    socket.on('connect', () => setTimeout(() => resolve(true), QUIET_MS));
  });
}

const PROXY_DEFAULTS_READ = 'proxy-defaults.read';

function createProxyDefaults(transport: Transport): ProxyDefaults {
  // The entry exists only in the default namespace of a partition.
  const query = toTenancyQuery({ partition: transport.tenancy.partition });
  return {
    async readAccessLog(signal) {
      const request = {
        operation: PROXY_DEFAULTS_READ,
        path: '/v1/config/proxy-defaults/global',
        query,
      } as const;
      const answer = await readComplete(transport, request, signal, [200, 404]);
      if (answer.status === 404) return undefined;
      const reader = new Reader(PROXY_DEFAULTS_READ);
      const { AccessLogs: logs } = reader.record(parseJson(answer.body, PROXY_DEFAULTS_READ));
      const fields = isRecord(logs) ? logs : {};
      return {
        isEnabled: fields.Enabled === true,
        jsonFormat: reader.optionalText(fields.JSONFormat),
        textFormat: reader.optionalText(fields.TextFormat),
      };
    },
  };
}

/** The KV key `scopemesh/<owner>/log`. */
function createLogNote(transport: Transport, owner: string): LogNote {
  const key = ownerKey(owner, 'log');
  return {
    async read(signal) {
      return (await readKey(transport, key, 'log-note.read', signal))?.text;
    },
    async write(note, signal) {
      await putKey(transport, key, note, { operation: 'log-note.write', signal });
    },
  };
}

interface AclObjectsOptions {
  readonly transport: Transport;
  readonly guard: IndexGuard;
  readonly unreadable: UnreadableEntries;
  readonly clock: Clock;
  /** For writes of auth methods and binding rules, which make Consul fetch keys; 5 s by default. */
  readonly keyFetchTimeoutMs?: number | undefined;
}

export function createAclObjects(options: AclObjectsOptions): AclObjects {
  const { transport, guard, unreadable, clock, keyFetchTimeoutMs = 5_000 } = options;
  const writing = { transport, keyFetchTimeoutMs };
  return {
    read: (isOurs, signal) => readSnapshot(transport, guard, isOurs, unreadable, signal),
    readNamed: (names, policies, signal) => readNamed(transport, guard, names, policies, signal),
    write: (id, object, signal, known) => writeAcl(writing, id, object, signal, known),
    delete: (kind, id, signal, isOurs) => deleteAcl(transport, kind, id, signal, isOurs),
    tokens: (by, signal) => listTokens(transport, by, signal),
    deleteTokens: (accessorIds, signal, perSecond) =>
      deleteTokens(transport, clock, accessorIds, signal, perSecond),
  };
}
