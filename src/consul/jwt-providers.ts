import type { ExistingJwtProvider, JwtProviderEntry } from '../model/jwt-provider.js';
import type { WriteResult } from './write-result.js';

/**
 * jwt-provider config entries, which Consul has from 1.16 on; an older one answers every call with an error, so its
 * version is asked first. Every method throws SyncError as `Intentions` does.
 */
export interface JwtProviders {
  /** Every entry, read with `?consistent`; needs `mesh = "read"`. */
  list(signal: AbortSignal): Promise<readonly ExistingJwtProvider[]>;
  /** Compare-and-set of the whole entry; needs `mesh = "write"`. `expectedIndex` 0 creates. The list is read afterwards for the index. */
  write(entry: JwtProviderEntry, expectedIndex: number, signal: AbortSignal): Promise<WriteResult>;
  /**
   * Compare-and-set delete. An entry already gone is `conflict`. Consul refuses it for an entry that an intention names:
   * without it the destination's proxies would get no listener.
   */
  delete(name: string, expectedIndex: number, signal: AbortSignal): Promise<WriteResult>;
  /**
   * The versions of all agents of the datacenter, sorted; needs `node = "read"` on each. An agent makes the configuration
   * of its own proxies, and one that does not know JWT requirements leaves them out.
   */
  agentVersions(signal: AbortSignal): Promise<readonly string[]>;
}
