import { setMaxListeners } from 'node:events';
import type { FastifyInstance } from 'fastify';
import type { Config } from '../config/config.js';
import { createCore } from '../src/cli/create-core.js';
import { readLogin } from '../src/cli/login-view.js';
import type { PrometheusMetrics } from '../src/cli/metrics.js';
import type { Role, RunOptions } from '../src/cli/run-daemon.js';
import { messageOf, SyncError } from '../src/errors.js';
import { composeSources } from '../src/identity/with-signals.js';
import { ChannelActivity } from '../src/intake/channel-activity.js';
import { createRejectedEvents } from '../src/intake/rejected-events.js';
import { createNotifier } from '../src/notifier.js';
import { stampOf } from '../src/reconcile/deps.js';
import { createRulings } from '../src/reconcile/rulings.js';
import type { Runtime } from '../src/runtime.js';
import { addApi } from './api.js';
import { addHealth } from './health.js';
import { addIntake, createHttpServer } from './intake.js';
import { runReaper } from './reaper.js';
import { runReconcile } from './reconcile.js';
import { run as runRelay } from './relay.js';
import { Reloads } from './reload.js';
import { runResync } from './resync.js';
import { queueState, readStatus } from './status.js';
import { runWatch } from './watch.js';
import { WatchAges } from './watch-ages.js';
import { watchProvider } from './watch-provider.js';
import { openConsul, openDecisionLog, openProvider, openStore } from './wire.js';

/**
 * The daemon. Resolves after a clean stop: intake, polls and watches end first, then running jobs, then the relay
 * publishes what was settled.
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
  /** Ends what feeds the queue, at the first signal or when a part fails; jobs and the relay end after it. */
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
    const rejectedEvents = createRejectedEvents({
      journal: store.journal,
      stamp: () => stampOf(deps),
      clock,
      logger,
      onSettled: deps.onSettled,
    });
    const ports = {
      ...store,
      ...runtime,
      queue: inbox,
      inbox,
      activity: new ChannelActivity(store.keyValues, clock),
      rejectedEvents,
    };
    const reloads = new Reloads(config, options.reload, deps, signal);
    let sweptAt: number | undefined;
    const swept = createNotifier();

    const server = createHttpServer();
    closers.unshift(() => server.close());
    addHealth(server, {
      host: config.http.host,
      metrics,
      canStore: async () => {
        await store.keyValues.set('probe', new Date(clock.now()).toISOString());
      },
      status: () =>
        readStatus({
          config,
          store,
          agenda,
          providers,
          activity: ports.activity,
          deps,
          ages,
          sweptAt: () => sweptAt,
          isReconciling: plays('reconcile'),
          reloads,
          metrics,
        }),
    });
    addApi(server, {
      rulings: createRulings(plays('reconcile') ? deps : { ...deps, queue: inbox }),
      login: (id) => readLogin(deps, id, clock.now()),
      host: config.http.host,
      logger,
    });
    if (plays('intake')) {
      const sources = new Map(
        providers.flatMap((provider) => {
          const source = composeSources(provider);
          return source === undefined ? [] : [[source.provider, source] as const];
        }),
      );
      addIntake(server, { ...ports, sources });
    }
    const address = await listen(server, config.http);
    options.onReload(() => reloads.request());

    const end = AbortSignal.any([signal, inputEnd.signal]);
    // Every query to Consul waits on it: more than ten is no leak, and Node's warning would only worry people.
    setMaxListeners(0, end);
    if (plays('watch')) {
      for (const provider of providers) inputs.push(...watchProvider(provider, ports, end));
    }
    const jobs = plays('reconcile')
      ? runReconcile(deps, agenda, store.queue, reconcileEnd.signal)
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
          await runRelay(
            { journal: store.journal, keyValues: store.keyValues, log, settled, logger, metrics, clock },
            relayEnd.signal,
          );
        })
      : Promise.resolve();
    later.push(jobs, relay);
    logger.info({ owner: config.owner, mode: config.mode, address, roles: options.only }, 'scopemesh runs');
    options.started?.(address);

    const failed = Promise.all([...inputs, jobs, relay]).then(() => {});
    await Promise.race([failed, aborted(signal), ...(store.damaged === undefined ? [] : [store.damaged])]);
    logger.info({}, 'stopping: no new events, running jobs are finished');
    await server.close();
    await Promise.all(inputs);
    await reloads.idle();
    reconcileEnd.abort();
    await jobs;
    relayEnd.abort();
    await relay;
    logger.info({}, 'stopped');
  } finally {
    // After a failure the other parts must not go on with what is about to be closed.
    for (const part of [inputEnd, reconcileEnd, relayEnd]) part.abort();
    await Promise.allSettled([...inputs, ...later]);
    for (const close of closers)
      await close().catch((error: unknown) =>
        logger.warn({ error: messageOf(error) }, 'a connection did not close cleanly'),
      );
  }
}

/** What a person can do about an address that cannot be listened at. */
const LISTEN_FAULTS: Readonly<Record<string, string>> = {
  EADDRINUSE: '(already in use); stop what listens there, or set another http.listen',
  EADDRNOTAVAIL: '(no address of this machine); set another http.listen',
  EACCES: '(not allowed to this user); set a port from 1024 up in http.listen',
};

async function listen(server: FastifyInstance, { host, port }: Config['http']): Promise<string> {
  try {
    return await server.listen({ host, port });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    const fault = LISTEN_FAULTS[code];
    if (fault === undefined) throw error;
    const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
    const message = `http.listen ${address} cannot be used ${fault}`;
    throw new SyncError('ERR_CONFIG', message, { retriable: false, cause: error });
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
