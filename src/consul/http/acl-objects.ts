import type { Clock } from '../../clock.js';
import type { AclObjects } from '../acl.js';
import { readNamed } from './acl-named.js';
import { readSnapshot } from './acl-snapshot.js';
import { deleteTokens, listTokens } from './acl-tokens.js';
import { deleteAcl, writeAcl } from './acl-write.js';
import type { IndexGuard } from './index-guard.js';
import type { Transport } from './transport.js';
import type { UnreadableEntries } from './unreadable-entries.js';

export interface AclObjectsOptions {
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
