/** What this process knows about the quarantines in Consul's KV. Clients are named by their `clientText`. */
export class QuarantineWrites {
  /** Clients whose quarantine this process has written. */
  readonly recorded = new Set<string>();
  /** Clients for which the KV could not be made equal to the store. */
  readonly failed = new Map<string, 'put' | 'delete'>();
}
