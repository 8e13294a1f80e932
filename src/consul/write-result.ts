/**
 * `conflict`: the compare-and-set index was stale and nothing was written; plan again. Consul's answer to a write has no
 * index: `modifyIndex` is present only if the adapter read the entry afterwards.
 */
export type WriteResult =
  | { readonly kind: 'written'; readonly modifyIndex?: number }
  | { readonly kind: 'conflict' };
