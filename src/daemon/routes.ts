import type { FastifyInstance } from 'fastify';
import { readLogin } from '../cli/login-view.js';
import type { PrometheusMetrics } from '../cli/metrics.js';
import { composeSources } from '../identity/with-signals.js';
import { createParkedKeys } from '../queue/parked-keys.js';
import type { Queue } from '../queue/queue.js';
import { createRulings } from '../reconcile/rulings.js';
import { type AccessSettings, createAccess } from './access.js';
import { addApi } from './api.js';
import { addIntake, type IntakeDeps } from './events.js';
import { addProbes, addStatus } from './health.js';
import { addParkedApi } from './parked-api.js';
import { readStatus, type StatusParts } from './status.js';

export interface RouteParts extends Omit<StatusParts, 'metrics'> {
  readonly metrics: PrometheusMetrics;
  readonly intake: Omit<IntakeDeps, 'sources'>;
  /** The durable queue, for a process that does not reconcile. */
  readonly queue: Pick<Queue, 'add'>;
  /** Whether this process takes events. */
  readonly isIntake: boolean;
}

/** The servers of the listeners. */
export interface Listeners {
  /** At `http.listen`. */
  readonly listen: FastifyInstance;
  /** At `http.admin`, if that is set. */
  readonly admin: FastifyInstance | undefined;
}

/** Adds every route of the daemon. `local`: the token for commands on this machine. */
export function addRoutes(
  { listen, admin }: Listeners,
  parts: RouteParts,
  local: AccessSettings['local'],
): void {
  const { config, store, providers, deps, metrics, intake, isReconciling } = parts;
  const { host } = config.http.admin ?? config.http.listen;
  const access = createAccess({ host, tokens: config.http.tokens, local });
  const canStore = () => store.keyValues.set('probe', new Date(deps.clock.now()).toISOString());
  for (const server of [listen, admin]) if (server !== undefined) addProbes(server, { canStore });
  const rest = admin ?? listen;
  addStatus(rest, { access, metrics, status: (holdsAfter) => readStatus(parts, holdsAfter) });
  addApi(rest, {
    rulings: createRulings(isReconciling ? deps : { ...deps, queue: parts.queue }),
    login: (id) => readLogin(deps, id, deps.clock.now()),
    access,
    logger: deps.logger,
  });
  addParkedApi(rest, {
    parked: createParkedKeys(store.queue, parts.agenda, (key) => deps.revocations.done(key)),
    access,
    logger: deps.logger,
  });
  if (!parts.isIntake) return;
  const sources = providers.flatMap((provider) => {
    const source = composeSources(provider);
    return source === undefined ? [] : [[source.provider, source] as const];
  });
  addIntake(listen, { ...intake, sources: new Map(sources) });
}
