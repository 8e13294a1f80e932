import type { ExistingJwtProvider, JwtProviderEntry } from '../model/jwt-provider.js';
import type { WriteResult } from './write-result.js';

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
