import type { Config } from '../../config/config.js';
import { diffConfig, toMapping } from '../../config/mapping-revision.js';
import { messageOf } from '../../src/errors.js';
import { plainDecision } from '../../src/reconcile/decide.js';
import { stampOf } from '../../src/reconcile/deps.js';
import { toTriggers } from '../../src/reconcile/observe-consul.js';
import { addApi } from '../api.js';
import { addHealth } from '../health.js';
import { addIntake, createHttpServer } from '../intake.js';
import type { PrometheusMetrics } from '../metrics.js';
import { runFullReads, runPoll } from '../poll.js';
import { runReconcile } from '../reconcile.js';
import { createRejections } from '../rejections.js';
import { run as runRelay } from '../relay.js';
import { runResync } from '../resync.js';
import { createRulings } from '../rulings.js';
import { readStatus } from '../status.js';
import { runWatch } from '../watch.js';
import { WatchAges } from '../watch-ages.js';
import { type Ambience, createCore, openConsul, openDecisionLog, openProvider, openStore } from '../wire.js';

export const ROLES = ['intake', 'watch', 'reconcile', 'relay'] as const;
export type Role = (typeof ROLES)[number];

export interface RunOptions {
  readonly config: Config;
  readonly only: readonly Role[];
  /** Reads the file again; for SIGHUP. */
  readonly reload: () => Promise<Config>;
  /** Calls back for each SIGHUP. */
  readonly onReload: (listener: () => void) => void;
  /** Told once everything runs. */
  readonly started?: (address: string) => void;
}

/**
 * The daemon. Resolves after a clean stop: intake, polls and watches end first, then running jobs, then the relay
 * publishes what was settled.
 */
export async function runDaemon(
  options: RunOptions,
  ambience: Ambience & { readonly metrics: PrometheusMetrics },
  signal: AbortSignal,
): Promise<void> {
  const { config } = options;
  const { logger, metrics, clock } = ambience;
  const plays = (role: Role) => options.only.includes(role);
  const store = await openStore(config, ambience);
  const closers: (() => Promise<void>)[] = [() => store.close()];
  try {
    await store.queue.check();
    const consul = await openConsul(config.consul, config.owner, ambience);
    closers.unshift(() => consul.close());
    const providers = config.providers.map((settings) => openProvider(settings, ambience));
    for (const { directory } of providers) closers.unshift(() => directory.close());
    const { deps, settled } = createCore(config, { consul, providers, store }, ambience);
    const ages = new WatchAges(clock);
    let sweptAt: number | undefined;

    const server = createHttpServer();
    closers.unshift(() => server.close());
    addHealth(server, {
      metrics,
      canStore: async () => {
        await store.facts.get('probe');
      },
      status: () => readStatus({ config, store, deps, ages, sweptAt: () => sweptAt, metrics }),
    });
    addApi(server, { rulings: createRulings(deps), host: config.http.host, logger });
    if (plays('intake')) {
      const sources = new Map(
        providers.flatMap(({ source }) => (source === undefined ? [] : [[source.provider, source] as const])),
      );
      const rejections = createRejections({
        journal: store.journal,
        stamp: () => stampOf(deps),
        clock,
        logger,
        onSettled: deps.onSettled,
      });
      addIntake(server, {
        sources,
        queue: store.queue,
        facts: store.facts,
        rejections,
        clock,
        logger,
        metrics,
      });
    }
    const address = await server.listen({ host: config.http.host, port: config.http.port });
    let current = config;
    options.onReload(() => {
      void reloadMapping(options, current, deps).then((next) => {
        current = next;
      });
    });

    const reconcileEnd = new AbortController();
    const relayEnd = new AbortController();
    const inputs: Promise<void>[] = [];
    if (plays('watch')) {
      for (const { settings, poll } of providers) {
        const ports = { queue: store.queue, facts: store.facts, clock, logger, metrics };
        if (poll !== undefined) inputs.push(runPoll(poll, settings.pollMs, ports, signal));
        inputs.push(
          runFullReads(
            settings.name,
            poll === undefined ? Math.min(settings.pollMs, settings.fullReadMs) : settings.fullReadMs,
            ports,
            signal,
          ),
        );
      }
    }
    const jobs = plays('reconcile')
      ? runReconcile(deps, store.queue, reconcileEnd.signal)
      : Promise.resolve();
    if (plays('reconcile')) {
      inputs.push(
        runWatch(deps, ages, signal),
        runResync(
          deps,
          config.resyncMs,
          (at) => {
            sweptAt = at;
          },
          signal,
        ),
      );
    }
    const relay = plays('relay')
      ? openDecisionLog(config, ambience).then(async (log) => {
          closers.unshift(() => log.close());
          await runRelay(
            { journal: store.journal, facts: store.facts, log, settled, logger, metrics, clock },
            relayEnd.signal,
          );
        })
      : Promise.resolve();
    logger.info({ owner: config.owner, mode: config.mode, address, roles: options.only }, 'scopemesh runs');
    options.started?.(address);

    const failed = Promise.all([...inputs, jobs, relay]).then(() => {});
    await Promise.race([failed, aborted(signal)]);
    logger.info({}, 'stopping: no new events, running jobs are finished');
    await server.close();
    await Promise.all(inputs);
    reconcileEnd.abort();
    await jobs;
    relayEnd.abort();
    await relay;
    logger.info({}, 'stopped');
  } finally {
    for (const close of closers)
      await close().catch((error: unknown) =>
        logger.warn({ error: messageOf(error) }, 'a connection did not close cleanly'),
      );
  }
}

/** A good new file takes effect and is a decision; a bad one is refused, and the old one keeps running. */
async function reloadMapping(
  options: RunOptions,
  current: Config,
  deps: ReturnType<typeof createCore>['deps'],
): Promise<Config> {
  const { owner } = current;
  const cause = { kind: 'config' as const, receivedAt: new Date(deps.clock.now()).toISOString() };
  const decide = (
    facts: Pick<
      Parameters<typeof plainDecision>[0],
      'outcome' | 'reason' | 'detail' | 'before' | 'after' | 'verb'
    >,
  ) =>
    deps.journal.settle(`config/${owner}`, [
      plainDecision(
        { resource: { kind: 'config', name: owner }, subject: `config/${owner}`, cause, ...facts },
        stampOf(deps),
      ),
    ]);
  try {
    const next = await options.reload();
    const changes = diffConfig(current, next);
    if (next.owner !== owner)
      throw new Error(
        'the owner cannot change while scopemesh runs; stop it, change it, and adopt what the old owner left',
      );
    deps.world.setMapping(toMapping(next));
    await deps.queue.add(toTriggers(deps.world.destinations(deps.clock.now()), cause));
    await decide({ verb: 'reloaded', outcome: 'applied', reason: 'ConfigReloaded', after: changes });
    deps.logger.info(
      { changes: changes.map(({ path }) => path) },
      'configuration reloaded; servers and listeners keep theirs until a restart',
    );
    deps.onSettled();
    return next;
  } catch (error) {
    deps.metrics.count('scopemesh_config_reload_failures_total');
    deps.logger.error(
      { error: messageOf(error) },
      'the new configuration is refused; the old one keeps running',
    );
    await decide({
      verb: 'rejected',
      outcome: 'refused',
      reason: 'ConfigRefused',
      detail: messageOf(error),
    }).catch(() => {});
  }
  deps.onSettled();
  return current;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
