import { setMaxListeners } from 'node:events';
import type { Config } from '../config/config.js';
import type { PrometheusMetrics } from '../src/app/metrics.js';
import { checkRelay, type RunOptions } from '../src/app/run-daemon.js';
import type { CallGate } from '../src/daemon/call-gate.js';
import { describeProcess, reachableAddress } from '../src/daemon/describe-process.js';
import { openListeners } from '../src/daemon/listeners.js';
import { stuckPart } from '../src/daemon/live-core.js';
import { createLiveSecrets } from '../src/daemon/live-secrets.js';
import { createLocalReplica, type LocalReplica } from '../src/daemon/local-replica.js';
import { Resources } from '../src/daemon/resources.js';
import { serveHttp } from '../src/daemon/serve-http.js';
import { runWatchdog } from '../src/daemon/watchdog.js';
import { untilAborted } from '../src/linked-signal.js';
import { makeStateDirectory } from '../src/make-directory.js';
import type { Traced } from '../src/observe.js';
import { keepSpace } from '../src/queue/store-space.js';
import type { Runtime } from '../src/runtime.js';
import { runPresence } from './presence.js';
import { runRoles } from './roles.js';
import {
  openConsul,
  openDecisionFeed,
  openProvider,
  openSigner,
  openStore,
  startCommand,
  startQuestionThread,
} from './wire.js';

/**
 * The daemon: one replica, which always takes events, and leads while it has the lease. Resolves after a clean stop: intake
 * ends first, then the term, then the lease is released.
 */
export async function runDaemon(
  options: RunOptions,
  given: Runtime & { readonly metrics: PrometheusMetrics },
  signal: AbortSignal,
): Promise<void> {
  const { config, only, reload } = options;
  const { logger, metrics, clock } = given;
  checkRelay(options);
  makeStateDirectory(config.state.directory, 'daemon');
  const resources = new Resources();
  const runtime = { ...given, ...(await openTelemetry(config, given, resources)) };
  // A standby whose key cannot be used must not find out when it leads.
  openSigner(config, runtime);
  const store = resources.add(await openStore(config, runtime));
  const end = new AbortController();
  /** Ends every part, at the first signal or when one fails. */
  const stop = AbortSignal.any([signal, end.signal]);
  setMaxListeners(0, stop);
  const parts: Promise<void>[] = [];
  try {
    await store.queue.check();
    const mayWrite = () => replica.leadership.mayWrite();
    const consul = resources.add(await openConsul(config.consul, config.owner, runtime, mayWrite));
    const secrets = createLiveSecrets(config);
    const providers = await Promise.all(
      secrets.config.providers.map((each) => openProvider(each, config, runtime)),
    );
    for (const { directory } of providers) resources.add(directory);
    let address: string | undefined;
    const opened = { config, store, consul, providers, secrets, reload, address: () => address, runtime };
    const replica: LocalReplica = await createLocalReplica(opened, signal, stop);
    resources.add({ close: () => replica.standby.end() });
    const { ports, reloads } = replica;
    resources.add(ports.activity);

    const openFeed = resources.openOnce(() => openDecisionFeed(config, runtime));
    const listeners = resources.add(openListeners(config, runtime));
    const served = {
      ...opened,
      only,
      replica,
      metrics,
      openFeed,
      startQuestionThread: (gate: CallGate) => startQuestionThread(config, gate),
      startCommand: (args: readonly string[]) => startCommand(options.configFile, args),
    };
    const { listen, admin } = await serveHttp(listeners, served, runtime);
    address = reachableAddress(admin ?? listen, (config.http.admin ?? config.http.listen).host);
    options.onReload(() => reloads.request());

    const described = describeProcess(address, only, runtime);
    parts.push(
      ports.rejectedEvents.run(stop),
      ports.unstored.run(stop),
      keepSpace(store.space, () => replica.live.deps.askForSweep(), clock, stop),
      runPresence(store.roster, () => ({ ...described, mapping: reloads.mapping }), runtime, stop),
      runWatchdog(options.supervisor, () => stuckPart(replica.live), runtime, stop),
    );
    // By itself: if it throws, the parts that run already are waited for.
    parts.push(...runRoles(only, opened, replica, stop));
    const failed = Promise.all(parts).then(() => {});
    if (only.includes('reconcile')) await Promise.race([replica.attempted(signal), failed]);
    const { owner, mode } = config;
    const addresses = { address: listen, ...(admin === undefined ? {} : { admin }) };
    logger.info({ owner, mode, ...addresses, roles: only }, 'scopemesh is running');
    options.started?.(listen, admin ?? listen);

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
    await resources.close(logger);
  }
}

/** Traces and metrics by OTLP. The packages take a tenth of a second to load, so only what is configured loads them. */
async function openTelemetry(
  { telemetry, owner }: Config,
  runtime: Runtime & { readonly metrics: PrometheusMetrics },
  resources: Resources,
): Promise<Traced> {
  if (telemetry === undefined) return {};
  const { startOpenTelemetry } = await import('../src/app/open-telemetry.js');
  return { tracing: resources.add(startOpenTelemetry(telemetry, owner, runtime)) };
}
