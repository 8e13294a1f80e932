import { setMaxListeners } from 'node:events';
import { hostname } from 'node:os';
import { apiTokenPath, createApiToken } from '../src/cli/api-token.js';
import { createCore } from '../src/cli/create-core.js';
import { createLeases, replicaName } from '../src/cli/create-lease.js';
import type { PrometheusMetrics } from '../src/cli/metrics.js';
import { checkRelay, type RunOptions } from '../src/cli/run-daemon.js';
import { readVersion } from '../src/cli/version.js';
import { isoInstant } from '../src/clock.js';
import { CurrentCore } from '../src/daemon/current-core.js';
import { createIntakePorts } from '../src/daemon/intake-ports.js';
import { openListeners } from '../src/daemon/listeners.js';
import { createLiveCore, type LiveCore, stuckPart } from '../src/daemon/live-core.js';
import { createLiveSecrets } from '../src/daemon/live-secrets.js';
import { publishLocalToken, warnOfMissingTokens } from '../src/daemon/local-token.js';
import { Reloads } from '../src/daemon/reload.js';
import { addRoutes } from '../src/daemon/routes.js';
import { Standby } from '../src/daemon/standby.js';
import { runWatchdog } from '../src/daemon/watchdog.js';
import { messageOf } from '../src/errors.js';
import { Leadership } from '../src/lease/leadership.js';
import { untilAborted } from '../src/linked-signal.js';
import { createNotifier } from '../src/notifier.js';
import { openOnce } from '../src/open-once.js';
import { keepSpace } from '../src/queue/store-space.js';
import type { Runtime } from '../src/runtime.js';
import { lead } from './lead.js';
import { runPresence } from './presence.js';
import { runRelay } from './relay.js';
import { runTrailIndex } from './trail-index.js';
import { watchProvider } from './watch-provider.js';
import { openConsul, openDecisionLog, openProvider, openStore, openTrail } from './wire.js';

/**
 * The daemon: one replica, which always takes events, and leads while it has the lease. Resolves after a clean stop: intake
 * ends first, then the term, then the lease is released.
 */
export async function runDaemon(
  options: RunOptions,
  runtime: Runtime & { readonly metrics: PrometheusMetrics },
  signal: AbortSignal,
): Promise<void> {
  const { config, only } = options;
  const { logger, metrics, clock } = runtime;
  checkRelay(options);
  const store = await openStore(config, runtime);
  const closers: (() => Promise<void>)[] = [() => store.close()];
  /** Ends every part, at the first signal or when one fails. */
  const end = new AbortController();
  const parts: Promise<void>[] = [];
  try {
    await store.queue.check();
    const consul = await openConsul(config.consul, config.owner, runtime, () => leadership.mayWrite());
    closers.unshift(() => consul.close());
    const secrets = createLiveSecrets(config);
    const providers = secrets.config.providers.map((settings) =>
      openProvider(settings, config.groups, runtime),
    );
    for (const { directory } of providers) closers.unshift(() => directory.close());

    const createIdleCore = () => createCore(reloads.current, { consul, providers, store }, runtime);
    const reloads: Reloads = new Reloads(
      config,
      options.reload,
      () => current.live,
      () => leadership.stepDown(),
      (now) => secrets.take(now),
      signal,
    );
    const current = new CurrentCore(() =>
      createLiveCore(createIdleCore(), { queue: store.queue, clock, isReconciling: false }),
    );
    const ports = createIntakePorts(store, current, runtime);

    let address: string | undefined;
    const leaseOf = await createLeases(config, { consul, store }, runtime, () => address);
    const attempted = createNotifier();
    const intervalMs = () => {
      const { resyncMs, providers: settings } = reloads.current;
      return Math.max(resyncMs, ...settings.map(({ fullReadMs }) => fullReadMs));
    };
    const standby = new Standby({ createDeps: () => createIdleCore().deps, intervalMs }, runtime);
    closers.unshift(() => standby.end());
    const leadership = new Leadership({
      ...runtime,
      lease: () => leaseOf(reloads.current.mode),
      onWait: () => {
        attempted.notify();
        if (!end.signal.aborted && !signal.aborted) standby.begin();
      },
    });

    const openedOnce = <T extends { close(): Promise<void> }>(open: () => Promise<T>) =>
      openOnce(async () => {
        const opened = await open();
        closers.unshift(() => opened.close());
        return opened;
      });
    const openStreamed = openedOnce(() => openDecisionLog(config, runtime));
    const trail = openedOnce(() => openTrail(config, runtime, { fromTopic: false, signal }));
    const localToken = createApiToken();
    const listeners = openListeners(config, runtime);
    closers.unshift(() => listeners.close());
    addRoutes(
      listeners,
      {
        config: secrets.config,
        store,
        providers,
        activity: ports.activity,
        live: () => current.live,
        leading: () => leadership.leading,
        reloads,
        metrics,
        decisionLog: config.decisions.kind === 'embedded' ? openStreamed : undefined,
        intake: ports,
        isIntake: only.includes('intake'),
        trail,
      },
      { token: localToken, path: apiTokenPath(config) },
    );
    const addresses = await listeners.listen();
    address = addresses.admin ?? addresses.listen;
    const self = {
      replica: replicaName(),
      host: hostname(),
      address,
      version: readVersion(),
      startedAt: isoInstant(clock),
      parts: only,
    };
    await publishLocalToken(config, localToken, logger);
    warnOfMissingTokens(config, logger);
    options.onReload(() => reloads.request());

    const stop = AbortSignal.any([signal, end.signal]);
    setMaxListeners(0, stop);
    parts.push(
      ports.rejectedEvents.run(stop),
      ports.unstored.run(stop),
      keepSpace(store.space, () => current.live.deps.askForSweep(), clock, stop),
      runPresence(store.roster, self, runtime, stop),
    );
    parts.push(runWatchdog(options.supervisor, () => stuckPart(current.live), runtime, stop));
    if (only.includes('relay')) parts.push(runTrailIndex(config, store, runtime, stop));
    if (only.includes('reconcile')) {
      const term = { store, consul, providers, only, runtime, ports };
      const publish = (core: LiveCore) => {
        current.lead(core);
        attempted.notify();
      };
      parts.push(
        leadership.run(async (each) => {
          void standby.end();
          try {
            await lead({ ...term, config: reloads.current, publish }, each);
          } finally {
            current.rest();
          }
        }, stop),
      );
    } else {
      // Parts of their own, beside the leader.
      if (only.includes('watch'))
        for (const provider of providers) parts.push(...watchProvider(provider, ports, stop));
      if (only.includes('relay'))
        parts.push(runRelay(config, { ...store, settled: current.live.settled }, runtime, stop));
      attempted.notify();
    }
    const failed = Promise.all(parts).then(() => {});
    await Promise.race([attempted.wait(signal), failed]);
    logger.info(
      {
        owner: config.owner,
        mode: config.mode,
        address: addresses.listen,
        ...(addresses.admin === undefined ? {} : { admin: addresses.admin }),
        roles: only,
      },
      'scopemesh is running',
    );
    options.started?.(addresses.listen, addresses.admin ?? addresses.listen);

    await Promise.race([
      failed,
      untilAborted(signal),
      ...(store.damaged === undefined ? [] : [store.damaged]),
    ]);
    logger.info({}, 'stopping: no new events are accepted, running jobs are finished');
    await Promise.all([listeners.close(), ...parts]);
    await reloads.idle();
    logger.info({}, 'stopped');
  } finally {
    end.abort();
    await Promise.allSettled(parts);
    for (const close of closers)
      await close().catch((error: unknown) =>
        logger.warn({ error: messageOf(error) }, 'a connection did not close cleanly'),
      );
  }
}
