import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { type Clock, systemClock } from '../../clock.js';
import { AclResolver } from './acl/acl-resolver.js';
import { MethodKeys } from './acl/method-keys.js';
import { entryKindsOf } from './entries/entry-kinds.js';
import { HttpListener } from './http-listener.js';
import { answerRequest } from './router.js';
import { seedState } from './seed-state.js';
import type { ServerContext } from './server-context.js';
import { armSession, SessionClock } from './state/sessions.js';
import { openSqliteJournal } from './state/sqlite-journal.js';
import { StateStore } from './state/state-store.js';

export interface EmbeddedConsulOptions {
  /** Where to serve HTTP; 127.0.0.1 on a free port if absent. */
  readonly listen?: { readonly host?: string; readonly port?: number };
  /** The state survives restarts in `consul.sqlite` here; in memory alone if absent. */
  readonly stateDirectory?: string;
  /** The initial management secret, random if absent. A persisted state keeps the one it was created with. */
  readonly managementToken?: string;
  readonly defaultPolicy: 'deny' | 'allow';
  /**
   * The version in `/v1/agent/self`; 1.14.11 if absent. From 1.16 on there are jwt-provider entries, and
   * intentions take JWT requirements; everything else is as in 1.14.11.
   */
  readonly version?: string;
  readonly datacenter?: string;
  readonly nodeName?: string;
  readonly clock?: Clock;
}

export interface EmbeddedConsul {
  /** `http://127.0.0.1:PORT` */
  readonly address: string;
  readonly managementToken: string;
  /** Ends waiting queries, closes connections and the state. Safe to repeat. */
  close(): Promise<void>;
}

/**
 * Serves the part of Consul's HTTP API that a mesh needs, as one server that is its own leader and agent.
 * Rejects where the address is taken or the data directory cannot be opened or is in use by another process.
 */
export async function createEmbeddedConsul(options: EmbeddedConsulOptions): Promise<EmbeddedConsul> {
  const clock = options.clock ?? systemClock;
  const host = options.listen?.host ?? '127.0.0.1';
  const journal =
    options.stateDirectory === undefined ? undefined : openSqliteJournal(options.stateDirectory);
  const store = new StateStore(journal);
  const version = options.version ?? '1.14.11';
  let port = options.listen?.port ?? 0;
  const acl = new AclResolver(store, options.defaultPolicy === 'allow', () => clock.now());
  const closing = new AbortController();
  // Every fetch of keys listens to it. Node would report more than ten listeners as a leak.
  setMaxListeners(0, closing.signal);
  const context: ServerContext = {
    store,
    acl,
    clock,
    sessions: new SessionClock(clock),
    keys: new MethodKeys(closing.signal),
    version,
    entryKinds: entryKindsOf(version),
    datacenter: options.datacenter ?? 'dc1',
    nodeName: options.nodeName ?? 'embedded',
    nodeId: store.get('facts', 'node-id')?.value ?? randomUUID(),
    defaultPolicy: options.defaultPolicy,
    address: () => ({ host, port }),
  };
  const managementToken = seedState(context, options.managementToken ?? randomUUID());
  for (const session of store.list('sessions')) armSession(store, context.sessions, session);
  const listener = new HttpListener((request) => answerRequest(context, request));
  try {
    port = await listener.listen(host, port);
  } catch (error) {
    store.close();
    throw error;
  }
  let closed: Promise<void> | undefined;
  return {
    address: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    managementToken,
    close() {
      closing.abort();
      closed ??= listener.close().then(() => {
        context.sessions.close();
        store.close();
      });
      return closed;
    },
  };
}
