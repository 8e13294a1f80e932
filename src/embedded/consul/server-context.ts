import type { Clock } from '../../clock.js';
import type { AclResolver } from './acl/acl-resolver.js';
import type { MethodKeys } from './acl/method-keys.js';
import type { EntryKind } from './entries/entry-kind.js';
import type { SessionClock } from './state/sessions.js';
import type { StateStore } from './state/state-store.js';

/** One server that is leader, agent and only node at once: what every handler works on. */
export interface ServerContext {
  readonly store: StateStore;
  readonly acl: AclResolver;
  readonly clock: Clock;
  readonly sessions: SessionClock;
  /** The keys with which auth methods verify tokens. */
  readonly keys: MethodKeys;
  readonly version: string;
  /** The kinds of config entries that this version has. */
  readonly entryKinds: ReadonlyMap<string, EntryKind>;
  readonly datacenter: string;
  readonly nodeName: string;
  readonly nodeId: string;
  readonly defaultPolicy: 'deny' | 'allow';
  /** Of the HTTP listener. */
  readonly host: string;
}
