import { setMaxListeners } from 'node:events';
import type { Config } from '../config/config.js';
import { apiTokenPath, createApiToken } from '../src/cli/api-token.js';
import { createCore } from '../src/cli/create-core.js';
import type { PrometheusMetrics } from '../src/cli/metrics.js';
import type { Role, RunOptions } from '../src/cli/run-daemon.js';
import { reportClosed } from '../src/daemon/closed-connections.js';
import { createHttpServer, listen } from '../src/daemon/http-server.js';
import { publishLocalToken, warnOfMissingTokens } from '../src/daemon/local-token.js';
import { Progress } from '../src/daemon/progress.js';
import { Reloads } from '../src/daemon/reload.js';
import { addRoutes } from '../src/daemon/routes.js';
import { queueState } from '../src/daemon/status.js';
import { WatchAges } from '../src/daemon/watch-ages.js';
import { runWatchdog } from '../src/daemon/watchdog.js';
import { messageOf } from '../src/errors.js';
import { ChannelActivity } from '../src/intake/channel-activity.js';
import { createRejectedEvents } from '../src/intake/rejected-events.js';
import { UnstoredEvents } from '../src/intake/unstored-events.js';
import { createNotifier } from '../src/notifier.js';
import { keepSpace } from '../src/queue/store-space.js';
import { stampOf } from '../src/reconcile/deps.js';
import type { Runtime } from '../src/runtime.js';
import { runReaper } from './reaper.js';
import { runReconcile } from './reconcile.js';
import { run as runRelay } from './relay.js';
import { runResync } from './resync.js';
import { runWatch } from './watch.js';
import { watchProvider } from './watch-provider.js';
import { openCheckpoints, openConsul, openDecisionLog, openProvider, openStore } from './wire.js';

const NOT_FOUND_BESIDE_ADMIN =
  'this listener has /events/, /healthz and /readyz; everything else is at http.admin';

/**
 * The daemon. Resolves after a clean stop: intake, polls and watches end first, then the running jobs, then the relay,
 * which publishes the settled decisions.
 */
export async function runDaemon(
  options: RunOptions,
  runtime: Runtime & { readonly metrics: PrometheusMetrics },
  signal: AbortSignal,
): Promise<void> {
  const { config } = options;
  const { logger, metrics, clock } = runtime;
  const plays = (role: Role) => options.only.includes(role);
  const store = await openStore(config, runtime);
  const closers: (() => Promise<void>)[] = [() => store.close()];
  /** Ends the parts that feed the queue, at the first signal or when a part fails. Jobs and the relay end later. */
  const inputEnd = new AbortController();
  const reconcileEnd = new AbortController();
  const relayEnd = new AbortController();
  const inputs: Promise<void>[] = [];
  const later: Promise<void>[] = [];
  try {
    await store.queue.check();
    const consul = await openConsul(config.consul, config.owner, runtime);
    closers.unshift(() => consul.close());
    const providers = config.providers.map((settings) => openProvider(settings, config.groups, runtime));
    for (const { directory } of providers) closers.unshift(() => directory.close());
    const { deps, agenda, inbox, settled, sweepAsked } = createCore(
      config,
      { consul, providers, store },
      runtime,
    );
    const ages = new WatchAges(clock);
    const progress = new Progress(clock);
    const rejectedEvents = createRejectedEvents({
      ...runtime,
      journal: store.journal,
      space: store.space,
      stamp: () => stampOf(deps),
      onSettled: deps.onSettled,
    });
    const activity = new ChannelActivity(store.keyValues, clock);
    const unstored = new UnstoredEvents({ ...store, ...runtime, queue: inbox, inbox, activity });
    const ports = {
      ...store,
      ...runtime,
      queue: inbox,
      inbox,
      activity,
      rejectedEvents,
      unstored,
    };
    const reloads = new Reloads(config, options.reload, deps, signal);
    let sweptAt: number | undefined;
    const swept = createNotifier();

    const listeners = {
      listen: createHttpServer(
        config.http.admin === undefined ? {} : { notFound: NOT_FOUND_BESIDE_ADMIN },
        reportClosed('listen', runtime),
      ),
      admin:
        config.http.admin === undefined ? undefined : createHttpServer({}, reportClosed('admin', runtime)),
    };
    const localToken = createApiToken();
    const closeListeners = async () => {
      await Promise.all([listeners.listen.close(), listeners.admin?.close()]);
    };
    closers.unshift(closeListeners);
    addRoutes(
      listeners,
      {
        config,
        store,
        agenda,
        providers,
        activity: ports.activity,
        deps,
        ages,
        sweptAt: () => sweptAt,
        reloads,
        metrics,
        intake: ports,
        queue: inbox,
        isReconciling: plays('reconcile'),
        isIntake: plays('intake'),
      },
      { token: localToken, path: apiTokenPath(config) },
    );
    const address = await listen(listeners.listen, config.http.listen, 'http.listen');
    const admin =
      config.http.admin === undefined || listeners.admin === undefined
        ? undefined
        : await listen(listeners.admin, config.http.admin, 'http.admin');
    await publishLocalToken(config, localToken, logger);
    warnOfMissingTokens(config, logger);
    options.onReload(() => reloads.request());

    const end = AbortSignal.any([signal, inputEnd.signal]);
    // Every query to Consul listens to it. Node would report more than ten listeners as a leak.
    setMaxListeners(0, end);
    inputs.push(
      keepSpace(store.space, () => deps.askForSweep(), clock, end),
      rejectedEvents.run(end),
      unstored.run(end),
    );
    const stuck = () => progress.stuck(agenda.state().waiting, ages.ages(), sweptAt);
    inputs.push(runWatchdog(options.supervisor, stuck, runtime, end));
    if (plays('watch')) {
      for (const provider of providers) inputs.push(...watchProvider(provider, ports, end));
    }
    const jobs = plays('reconcile')
      ? runReconcile(deps, agenda, store.queue, progress, reconcileEnd.signal)
      : Promise.resolve();
    if (plays('reconcile')) {
      inputs.push(
        runWatch(deps, config.services.claimGraceMs, ages, end),
        runResync(
          deps,
          agenda,
          store.queue,
          config.resyncMs,
          (at) => {
            sweptAt = at;
            swept.notify();
          },
          sweepAsked,
          end,
        ),
        runReaper(deps, () => queueState(store.queue, agenda), swept, end),
      );
    }
    const relay = plays('relay')
      ? openDecisionLog(config, runtime, { mayCreateTopic: true }).then(async (log) => {
          closers.unshift(() => log.close());
          // The embedded log is on the disk of the embedded store: it must not use up what is kept back for revocations.
          const isPaused = () => sharesDisk(config) && store.space.isLow();
          const { journal, keyValues } = store;
          const checkpoints = openCheckpoints(config, { log, keyValues }, runtime);
          await runRelay(
            {
              journal,
              keyValues,
              log,
              settled,
              ...(checkpoints === undefined ? {} : { checkpoints }),
              isPaused,
              logger,
              metrics,
              clock,
            },
            relayEnd.signal,
          );
        })
      : Promise.resolve();
    later.push(jobs, relay);
    logger.info(
      {
        owner: config.owner,
        mode: config.mode,
        address,
        ...(admin === undefined ? {} : { admin }),
        roles: options.only,
      },
      'scopemesh is running',
    );
    options.started?.(address, admin ?? address);

    const failed = Promise.all([...inputs, jobs, relay]).then(() => {});
    await Promise.race([failed, aborted(signal), ...(store.damaged === undefined ? [] : [store.damaged])]);
    logger.info({}, 'stopping: no new events are accepted, running jobs are finished');
    await closeListeners();
    await Promise.all(inputs);
    await reloads.idle();
    reconcileEnd.abort();
    await jobs;
    relayEnd.abort();
    await relay;
    logger.info({}, 'stopped');
  } finally {
    // After a failure, the other parts must not use connections that are about to close.
    for (const part of [inputEnd, reconcileEnd, relayEnd]) part.abort();
    await Promise.allSettled([...inputs, ...later]);
    for (const close of closers)
      await close().catch((error: unknown) =>
        logger.warn({ error: messageOf(error) }, 'a connection did not close cleanly'),
      );
  }
}

function sharesDisk({ queue, decisions }: Config): boolean {
  return queue.kind === 'embedded' && decisions.kind === 'embedded';
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
