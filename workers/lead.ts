import { setMaxListeners } from 'node:events';
import type { Config } from '../config/config.js';
import { createCore } from '../src/cli/create-core.js';
import type { Provider } from '../src/cli/parts.js';
import type { Role } from '../src/cli/run-daemon.js';
import type { Consul } from '../src/consul/consul.js';
import { recordLeaderChange } from '../src/daemon/leader-change.js';
import { createLiveCore, type LiveCore } from '../src/daemon/live-core.js';
import { queuedFirst } from '../src/daemon/queued-first.js';
import { queueState } from '../src/daemon/status.js';
import { guardConsul } from '../src/lease/guarded-consul.js';
import type { Term } from '../src/lease/term.js';
import { untilAborted } from '../src/linked-signal.js';
import type { Trigger } from '../src/model/trigger.js';
import { createNotifier } from '../src/notifier.js';
import type { Store } from '../src/queue/store-parts.js';
import type { Runtime } from '../src/runtime.js';
import { runBreakGlass } from './break-glass.js';
import { runFreeze } from './freeze.js';
import { runReaper } from './reaper.js';
import { runReconcile } from './reconcile.js';
import { runRelay } from './relay.js';
import { runResync } from './resync.js';
import { runWatch } from './watch.js';
import { type WatchPorts, watchProvider } from './watch-provider.js';

/** How long the relay of a leader that stops keeps the next one waiting. */
const RELAY_MS = 500;

export interface LeadDeps {
  readonly config: Config;
  readonly store: Store;
  readonly consul: Consul;
  readonly providers: readonly Provider[];
  /** Of this process; always with `reconcile`. */
  readonly only: readonly Role[];
  readonly runtime: Runtime;
  /** What the polls need of the replica. */
  readonly ports: WatchPorts;
  /** Makes the core the one that the replica shows, and hands its events to. */
  readonly publish: (core: LiveCore) => void;
}

/**
 * One term: everything that only the leader runs, around a core of its own. It ends cleanly at the term's `stop`: polls and
 * watches first, then the running jobs, then the relay, which publishes the settled decisions. At `lost` all ends at once.
 */
export async function lead(deps: LeadDeps, term: Term): Promise<void> {
  const { config, store, providers, only, runtime, ports } = deps;
  const { clock } = runtime;
  let becameDurable = (_: readonly Trigger[]) => {};
  const led = store.lead(term.leader.epoch, (triggers) => becameDurable(triggers));
  const consul = guardConsul(deps.consul, term);
  const core = createCore(config, { consul, providers, store: led }, runtime);
  becameDurable = (triggers) => core.agenda.becameDurable(triggers);
  const live = createLiveCore(core, { queue: led.queue, clock, isReconciling: true });
  deps.publish(live);

  const failed = new AbortController();
  const inputEnd = AbortSignal.any([term.stop, term.lost, failed.signal]);
  // Every query to Consul listens to it. Node would report more than ten listeners as a leak.
  setMaxListeners(0, inputEnd);
  const reconcileEnd = new AbortController();
  const relayEnd = new AbortController();
  const swept = createNotifier();
  const onSwept = (at: number) => {
    live.sweptAt = at;
    swept.notify();
  };
  const { agenda, settled, sweepAsked } = core;
  const prepared = createNotifier();
  // The term may end before jobs can run.
  const first = queuedFirst(led.queue, agenda, prepared.wait(inputEnd), clock, inputEnd);
  const jobs = runReconcile(core.deps, agenda, led.queue, live.progress, reconcileEnd.signal, term.lost, {
    onPrepared: prepared.notify,
    hold: first.hold,
  });
  const inputs = [
    first.soon.then(() => runWatch(core.deps, config.services.claimGraceMs, live.ages, inputEnd)),
    first.written.then(() =>
      runResync(core.deps, agenda, led.queue, config.resyncMs, onSwept, sweepAsked, inputEnd),
    ),
    runFreeze(core.deps, inputEnd),
    runBreakGlass(core.deps, inputEnd),
    recordLeaderChange(term, core.deps, inputEnd),
    runReaper(core.deps, () => queueState(led.queue, agenda), swept, inputEnd),
  ];
  if (only.includes('watch')) {
    const watching = { ...ports, ...led, queue: core.inbox, inbox: core.inbox };
    for (const provider of providers)
      inputs.push(...watchProvider(provider, watching, inputEnd, first.written));
  }
  const relay = only.includes('relay')
    ? first.soon.then(() => runRelay(config, { ...led, settled }, runtime, relayEnd.signal, term.lost))
    : Promise.resolve();
  try {
    await Promise.race([Promise.all([...inputs, jobs, relay]), untilAborted(inputEnd)]);
    await Promise.all(inputs);
    reconcileEnd.abort();
    await jobs;
    relayEnd.abort();
    // The relay may wait for a log that does not answer. The next leader publishes what it leaves.
    const last = Promise.all([relay, core.deps.contention.close()]);
    await Promise.race([last, clock.sleep(RELAY_MS).catch(() => {})]);
    await term.handOver();
    await relay;
  } finally {
    // After a failure, the other parts must not use connections that are about to close.
    for (const part of [failed, reconcileEnd, relayEnd]) part.abort();
    await Promise.allSettled([...inputs, jobs, relay, core.deps.contention.close()]);
    await led.close();
  }
}
