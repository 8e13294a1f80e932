import type { FastifyInstance } from 'fastify';
import { readLogin } from '../cli/login-view.js';
import type { PrometheusMetrics } from '../cli/metrics.js';
import { composeSources } from '../identity/with-signals.js';
import type { Queue } from '../queue/queue.js';
import { createRulings } from '../reconcile/rulings.js';
import { addApi } from './api.js';
import { addIntake, type IntakeDeps } from './events.js';
import { addHealth } from './health.js';
import { readStatus, type StatusParts } from './status.js';

export interface RouteParts extends Omit<StatusParts, 'metrics'> {
  readonly metrics: PrometheusMetrics;
  readonly intake: Omit<IntakeDeps, 'sources'>;
  /** The durable queue, for a process that does not reconcile. */
  readonly queue: Pick<Queue, 'add'>;
  /** Whether this process takes events. */
  readonly isIntake: boolean;
}

/** Adds every route of the daemon. */
export function addRoutes(server: FastifyInstance, parts: RouteParts): void {
  const { config, store, providers, deps, metrics, intake, isReconciling } = parts;
  const { host } = config.http;
  addHealth(server, {
    host,
    metrics,
    canStore: () => store.keyValues.set('probe', new Date(deps.clock.now()).toISOString()),
    status: () => readStatus(parts),
  });
  addApi(server, {
    rulings: createRulings(isReconciling ? deps : { ...deps, queue: parts.queue }),
    login: (id) => readLogin(deps, id, deps.clock.now()),
    host,
    logger: deps.logger,
  });
  if (!parts.isIntake) return;
  const sources = providers.flatMap((provider) => {
    const source = composeSources(provider);
    return source === undefined ? [] : [[source.provider, source] as const];
  });
  addIntake(server, { ...intake, sources: new Map(sources) });
}
