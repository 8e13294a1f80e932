import { setMaxListeners } from 'node:events';
import { hostname } from 'node:os';
import { apiTokenPath, createApiToken } from '../src/cli/api-token.js';
import { createCore } from '../src/cli/create-core.js';
import { createLeases, replicaName } from '../src/cli/create-lease.js';
import type { PrometheusMetrics } from '../src/cli/metrics.js';
import type { RunOptions } from '../src/cli/run-daemon.js';
import { readVersion } from '../src/cli/version.js';
import { isoInstant } from '../src/clock.js';
import { openListeners } from '../src/daemon/listeners.js';
import { createLiveCore, type LiveCore } from '../src/daemon/live-core.js';
import { publishLocalToken, warnOfMissingTokens } from '../src/daemon/local-token.js';
import { Reloads } from '../src/daemon/reload.js';
import { addRoutes } from '../src/daemon/routes.js';
import { runWatchdog } from '../src/daemon/watchdog.js';
import { messageOf } from '../src/errors.js';
import { ChannelActivity } from '../src/intake/channel-activity.js';
import { createRejectedEvents } from '../src/intake/rejected-events.js';
import { UnstoredEvents } from '../src/intake/unstored-events.js';
import { Leadership } from '../src/lease/leadership.js';
import { openOnce } from '../src/open-once.js';
import { keepSpace } from '../src/queue/store-space.js';
import { stampOf } from '../src/reconcile/deps.js';
import type { Runtime } from '../src/runtime.js';
import { aborted, lead } from './lead.js';
import { runPresence } from './presence.js';
import { runRelay } from './run-relay.js';
import { Standby } from './stay-warm.js';
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
  const store = await openStore(config, runtime);
  const closers: (() => Promise<void>)[] = [() => store.close()];
  /** Ends every part, at the first signal or when one fails. */
  const end = new AbortController();
  const parts: Promise<void>[] = [];
  try {
    await store.queue.check();
    const consul = await openConsul(config.consul, config.owner, runtime, () => leadership.mayWrite());
    closers.unshift(() => consul.close());
    const providers = config.providers.map((settings) => openProvider(settings, config.groups, runtime));
    for (const { directory } of providers) closers.unshift(() => directory.close());

    const createIdleCore = () => createCore(reloads.current, { consul, providers, store }, runtime);
    const idle = () => createLiveCore(createIdleCore(), { queue: store.queue, clock, isReconciling: false });
    const reloads: Reloads = new Reloads(
      config,
      options.reload,
      () => live,
      () => leadership.stepDown(),
      signal,
    );
    let live = idle();
    const inbox: LiveCore['inbox'] = {
      add: (triggers) => live.inbox.add(triggers),
      accept: (provider, events, memory) => live.inbox.accept(provider, events, memory),
    };
    const rejectedEvents = createRejectedEvents({
      ...runtime,
      journal: store.journal,
      space: store.space,
      stamp: () => stampOf(live.deps),
      onSettled: () => live.deps.onSettled(),
    });
    const activity = new ChannelActivity(store.keyValues, clock);
    const unstored = new UnstoredEvents({ ...store, ...runtime, queue: inbox, inbox, activity });
    const ports = { ...store, ...runtime, queue: inbox, inbox, activity, rejectedEvents, unstored };

    let address: string | undefined;
    const leaseOf = await createLeases(config, { consul, store }, runtime, () => address);
    let attempted = () => {};
    const firstAttempt = new Promise<void>((resolve) => {
      attempted = resolve;
    });
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
        attempted();
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
        config,
        store,
        providers,
        activity,
        live: () => live,
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
      rejectedEvents.run(stop),
      unstored.run(stop),
      keepSpace(store.space, () => live.deps.askForSweep(), clock, stop),
      runPresence(store.roster, self, runtime, stop),
    );
    const stuck = () =>
      live.isReconciling
        ? live.progress.stuck(live.agenda.state().waiting, live.ages.ages(), live.sweptAt)
        : undefined;
    parts.push(runWatchdog(options.supervisor, stuck, runtime, stop));
    if (only.includes('relay')) parts.push(runTrailIndex(config, store, runtime, stop));
    if (only.includes('reconcile')) {
      const term = { store, consul, providers, only, runtime, ports };
      const publish = (core: LiveCore) => {
        live = core;
        attempted();
      };
      parts.push(
        leadership.run(async (each) => {
          void standby.end();
          try {
            await lead({ ...term, config: reloads.current, publish }, each);
          } finally {
            live = idle();
          }
        }, stop),
      );
    } else {
      // Parts of their own, beside the leader.
      if (only.includes('watch'))
        for (const provider of providers) parts.push(...watchProvider(provider, ports, stop));
      if (only.includes('relay'))
        parts.push(runRelay(config, { ...store, settled: live.settled }, runtime, stop));
      attempted();
    }
    const failed = Promise.all(parts).then(() => {});
    await Promise.race([firstAttempt, failed, aborted(signal)]);
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

    await Promise.race([failed, aborted(signal), ...(store.damaged === undefined ? [] : [store.damaged])]);
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
