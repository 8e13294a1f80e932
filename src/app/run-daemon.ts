import type { Config } from '../../config/config.js';
import { relayWithoutLease } from '../lease/refusals.js';
import type { Runtime } from '../runtime.js';
import type { PrometheusMetrics } from './metrics.js';
import type { Supervisor } from './supervisor.js';

export const ROLES = ['intake', 'watch', 'reconcile', 'relay'] as const;
export type Role = (typeof ROLES)[number];

export interface RunOptions {
  readonly config: Config;
  /** Where it was read; for commands that the daemon runs. */
  readonly configFile: string;
  readonly only: readonly Role[];
  /** Reads the file again; for SIGHUP. */
  readonly reload: () => Promise<Config>;
  /** Calls back for each SIGHUP; the listener resolves when the reload is done. */
  readonly onReload: (listener: () => Promise<void>) => void;
  /** What started the process, if it wants notifications. */
  readonly supervisor?: Supervisor;
  /** Called once everything runs; `admin`: the address of everything but `/events`. */
  readonly started?: (address: string, admin: string) => void;
}

/** Runs the daemon until the signal aborts. */
export type RunDaemon = (
  options: RunOptions,
  runtime: Runtime & { readonly metrics: PrometheusMetrics },
  signal: AbortSignal,
) => Promise<void>;

/** Throws ERR_CONFIG for a relay that could write to an embedded log while another process does. */
export function checkRelay({ config, only }: Pick<RunOptions, 'config' | 'only'>): void {
  const isLoose = only.includes('relay') && !only.includes('reconcile');
  if (isLoose && config.queue.kind === 'bullmq' && config.decisions.kind === 'embedded')
    throw relayWithoutLease();
}
