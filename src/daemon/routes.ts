import { readLogin } from '../cli/login-view.js';
import type { PrometheusMetrics } from '../cli/metrics.js';
import type { DecisionLog } from '../decisions/log.js';
import { composeSources } from '../identity/with-signals.js';
import { createRulings } from '../operator/rulings.js';
import type { Fence } from '../queue/fence.js';
import { createParkedKeys } from '../queue/parked-keys.js';
import { inabilityOf } from '../state/failed-reads.js';
import { addAdoptionApi } from './adoption-api.js';
import { addApi } from './api.js';
import { type ApiAccessSettings, createApiAccess } from './api-access.js';
import { addBreakGlassApi } from './break-glass-api.js';
import { addDecisionStream } from './decision-stream.js';
import { addDenyApi } from './deny-api.js';
import { addIntake, type IntakeDeps } from './events.js';
import { addFreezeApi } from './freeze-api.js';
import { addProbes, addStatus } from './health.js';
import type { Listeners } from './listeners.js';
import { addOpenapi } from './openapi.js';
import { addParkedApi } from './parked-api.js';
import { readStatus, type StatusParts } from './status.js';
import { addTrailApi, type TrailApiDeps } from './trail-api.js';
import { addWebhookApi } from './webhook-api.js';

export interface RouteParts extends Omit<StatusParts, 'metrics'> {
  readonly metrics: PrometheusMetrics;
  /** The embedded decision log, opened at the first stream; undefined if the decisions are on a topic. */
  readonly decisionLog: (() => Promise<DecisionLog>) | undefined;
  readonly intake: Omit<IntakeDeps, 'sources'>;
  readonly questions: TrailApiDeps['questions'];
  /** Whether this process takes events. */
  readonly isIntake: boolean;
}

/** Adds every route of the daemon. `local`: the token for commands on this machine. */
export function addRoutes(
  { main, admin }: Pick<Listeners, 'main' | 'admin'>,
  parts: RouteParts,
  local: ApiAccessSettings['local'],
): void {
  const { config, store, providers, live, leading, metrics, intake } = parts;
  const { clock, logger } = intake;
  const { host } = config.http.admin ?? config.http.listen;
  const access = createApiAccess({ host, tokens: config.http.tokens, local });
  const canStore = () => store.inbox.check();
  const sides = providers.map(({ settings }) => settings.name);
  const inability = () => {
    const { deps, isReconciling } = live();
    return leading().isLeader && isReconciling ? inabilityOf(deps.reads, sides, clock.now()) : undefined;
  };
  for (const server of [main, admin]) if (server !== undefined) addProbes(server, { canStore, inability });
  const rest = admin ?? main;
  addStatus(rest, {
    access,
    metrics,
    status: (holdsAfter) => readStatus(parts, holdsAfter),
    records: () => {
      const { isReconciling, deps } = live();
      const { records } = deps.world;
      return isReconciling && records.areKnown ? records.ofJobs() : undefined;
    },
  });
  const standby = async () => (leading().isLeader ? undefined : standbyText(await store.fence.read()));
  const change = { standby, access, logger };
  const { partition = 'default', namespace = 'default' } = config.consul;
  const place = { partition, namespace };
  addApi(rest, {
    ...change,
    rulings: () => createRulings(live().deps),
    login: (id) => readLogin(live().deps, id, clock.now()),
  });
  addAdoptionApi(rest, { ...change, live: () => live().deps, clock });
  addFreezeApi(rest, { ...change, freezes: () => live().deps });
  addBreakGlassApi(rest, {
    ...change,
    breakGlass: () => live().deps,
    place,
  });
  addDenyApi(rest, {
    ...change,
    live: () => live().deps,
    orders: () => ({ ...live().deps, queue: live().queue }),
    place,
  });
  addDecisionStream(rest, { log: parts.decisionLog, access, clock, logger, metrics });
  addTrailApi(rest, {
    questions: parts.questions,
    world: () => live().deps.world,
    isReconciling: () => live().isReconciling,
    access,
    clock,
    logger,
  });
  addParkedApi(rest, {
    ...change,
    parked: {
      unpark: (key, how) => {
        const { queue, agenda, deps } = live();
        return createParkedKeys(queue, agenda, (done) => deps.revocations.done(done)).unpark(key, how);
      },
    },
    // While nobody leads, the durable queue itself is changed.
    standby: async () => ((await store.fence.read())?.isAlive === true ? standby() : undefined),
  });
  addOpenapi(rest, { access });
  const names = config.decisions.webhooks.map(({ name }) => name);
  addWebhookApi(rest, { names, keyValues: store.keyValues, access, logger });
  if (!parts.isIntake) return;
  const sources = providers.flatMap((provider) => {
    const source = composeSources(provider);
    return source === undefined ? [] : [[source.provider, source] as const];
  });
  addIntake(main, { ...intake, sources: new Map(sources) });
}

/** Why a replica that does not lead cannot answer. */
function standbyText(lease: Awaited<ReturnType<Fence['read']>>): string {
  if (lease === undefined || !lease.isAlive)
    return 'no replica leads at this moment, and only the leader can make this change; try again in 30 seconds, and run scopemesh doctor if there is no leader then either';
  const { replica, host, address } = lease.leader;
  return `this replica does not lead; ${replica} on ${host} does${address === undefined ? '' : `: send the request to ${address}`}`;
}
