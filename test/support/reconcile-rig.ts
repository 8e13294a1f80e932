import { createCore } from '../../src/app/create-core.js';
import { createMetrics } from '../../src/app/metrics.js';
import type { Consul } from '../../src/consul/consul.js';
import { Progress } from '../../src/daemon/progress.js';
import type { Cause, CauseKind } from '../../src/model/cause.js';
import type { Decision } from '../../src/model/decision.js';
import { type Key, providerKey } from '../../src/model/key.js';
import type { Trigger } from '../../src/model/trigger.js';
import { silentLogger } from '../../src/observe.js';
import type { Agenda } from '../../src/queue/agenda.js';
import type { Journal } from '../../src/queue/journal.js';
import type { Queue } from '../../src/queue/queue.js';
import type { Store } from '../../src/queue/store-parts.js';
import type { ReconcilerDeps } from '../../src/reconcile/deps.js';
import { runReconcile } from '../../workers/reconcile.js';
import { openConsul, openProvider, openStore } from '../../workers/wire.js';
import type { Rig } from './daemon.js';
import { until } from './until.js';

/** The reconcile worker alone, with no watch, sweep or relay, on a Consul that a test wraps. */
export interface Worker {
  readonly deps: ReconcilerDeps;
  readonly store: Store;
  readonly agenda: Agenda;
  readonly inbox: Pick<Queue, 'add'>;
  add(key: Key, kind?: CauseKind, trigger?: Partial<Trigger>): Promise<void>;
  /** Resolves when no key waits or runs; while all that is left waits for its next try, time goes faster. */
  idle(timeoutMs?: number): Promise<void>;
  /** What was settled so far; nothing is published. */
  settled(): Promise<readonly Decision[]>;
  /** The process is gone: what runs is not waited for longer than it takes to fail. */
  stop(): Promise<void>;
}

export async function startWorker(
  rig: Rig,
  wrap: (consul: Consul) => Consul = (it) => it,
  wrapJournal: (journal: Journal) => Journal = (it) => it,
): Promise<Worker> {
  const config = await rig.load();
  const runtime = { logger: silentLogger, metrics: createMetrics(), clock: rig.clock };
  const store = await openStore(config, runtime);
  const consul = await openConsul(config.consul, config.owner, runtime);
  const providers = await Promise.all(
    config.providers.map((settings) => openProvider(settings, config, runtime)),
  );
  const core = createCore(config, { consul: wrap(consul), providers, store }, runtime);
  const { agenda, inbox } = core;
  const deps = { ...core.deps, journal: wrapJournal(core.deps.journal) };
  const stop = new AbortController();
  const done = runReconcile(
    deps,
    agenda,
    store.queue,
    new Progress(deps.clock),
    stop.signal,
    new AbortController().signal,
  );
  const worker: Worker = {
    deps,
    store,
    agenda,
    inbox,
    add(key, kind = 'resync', trigger = {}) {
      const cause: Cause = { kind, receivedAt: new Date(rig.clock.now()).toISOString() };
      return inbox.add([{ key, cause, ...trigger }]);
    },
    async idle(timeoutMs) {
      const look = async () => {
        const { waiting, active, delayed } = await store.queue.state();
        if (waiting + active === 0 && delayed > 0) rig.clock.advance(100);
        return waiting + active + delayed === 0;
      };
      await until('an idle worker', look, timeoutMs);
    },
    settled: () => store.journal.outbox(10_000),
    async stop() {
      stop.abort();
      await done;
      await store.close();
      await consul.close();
      for (const { directory } of providers) await directory.close();
    },
  };
  await worker.add(providerKey('main'), 'full-read', { fullRead: true });
  return worker;
}

/** The same Consul with another way of writing or reading intentions. */
export function withIntentions(
  consul: Consul,
  change: (intentions: Consul['intentions']) => Partial<Consul['intentions']>,
): Consul {
  return {
    intentions: { ...consul.intentions, ...change(consul.intentions) },
    claims: consul.claims,
    quarantines: consul.quarantines,
    lock: consul.lock,
    clusterId: consul.clusterId,
    logNote: consul.logNote,
    acl: consul.acl,
    jwtProviders: consul.jwtProviders,
    reachability: consul.reachability,
    proxyDefaults: consul.proxyDefaults,
    readCatalog: (signal) => consul.readCatalog(signal),
    watch: (table, listener, signal) => consul.watch(table, listener, signal),
    inspect: (signal) => consul.inspect(signal),
    connectionsLeft: (most, signal) => consul.connectionsLeft(most, signal),
    readProxies: (services, signal) => consul.readProxies(services, signal),
    readAclToken: (signal) => consul.readAclToken(signal),
    unreadable: () => consul.unreadable(),
    close: () => consul.close(),
  };
}

/** The same Consul with another way of writing or reading ACL objects. */
export function withAcl(consul: Consul, change: (acl: Consul['acl']) => Partial<Consul['acl']>): Consul {
  return { ...withIntentions(consul, () => ({})), acl: { ...consul.acl, ...change(consul.acl) } };
}
