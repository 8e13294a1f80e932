import { Stopped, SyncError } from '../errors.js';
import type { ReconcilerDeps } from './deps.js';

/** Counts a failed read of a directory. The caller handles the error. */
export function countFailure(provider: string, error: unknown, deps: Pick<ReconcilerDeps, 'metrics'>): void {
  if (error instanceof Stopped) return;
  const code = error instanceof SyncError ? error.code : 'ERR_INTERNAL';
  deps.metrics.count('scopemesh_directory_failures_total', { provider, code });
}
