import type { AclState } from '../acl/apply/acl-state.js';
import type { Clock } from '../clock.js';
import type { Consul } from '../consul/consul.js';
import type { Logger } from '../observe.js';
import type { WorldState } from '../state/world-state.js';

/** The dependencies of the reads of ACL objects. */
export interface AclReadDeps {
  readonly consul: Pick<Consul, 'acl'>;
  readonly world: WorldState;
  readonly acl: AclState;
}

/** The dependencies of the reads of Consul. */
export interface ReadDeps {
  readonly consul: Consul;
  /** How the address of a provider's keys is read, by provider name; throws as a directory does. */
  readonly jwksUris: ReadonlyMap<string, (signal: AbortSignal) => Promise<string>>;
  readonly world: WorldState;
  readonly acl: AclState;
  readonly clock: Clock;
  readonly logger: Logger;
}
