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

interface EmbeddedConsulOptions {
  /** The port of HTTP on 127.0.0.1; a free one if absent. */
  readonly port?: number;
  /** The state survives restarts in `consul.sqlite` here; in memory alone if absent. */
  readonly stateDirectory?: string;
  readonly defaultPolicy: 'deny' | 'allow';
  /**
   * The version in `/v1/agent/self`; 1.14.11 if absent. From 1.16 on there are jwt-provider entries, and
   * intentions take JWT requirements; everything else is as in 1.14.11.
   */
  readonly version?: string;
  readonly clock?: Clock;
}

export interface EmbeddedConsul {
  /** `http://127.0.0.1:PORT` */
  readonly address: string;
  /** Random. A persisted state keeps the one it was created with. */
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
  const host = '127.0.0.1';
  const journal =
    options.stateDirectory === undefined ? undefined : openSqliteJournal(options.stateDirectory);
  const store = new StateStore(journal);
  const version = options.version ?? '1.14.11';
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
    datacenter: 'dc1',
    nodeName: 'embedded',
    nodeId: store.get('facts', 'node-id')?.value ?? randomUUID(),
    defaultPolicy: options.defaultPolicy,
    host,
  };
  const managementToken = seedState(context);
  for (const session of store.list('sessions')) armSession(store, context.sessions, session);
  const listener = new HttpListener((request) => answerRequest(context, request));
  const port = await listener.listen(host, options.port ?? 0).catch((error: unknown) => {
    store.close();
    throw error;
  });
  let closed: Promise<void> | undefined;
  return {
    address: `http://${host}:${port}`,
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
