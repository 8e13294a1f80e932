import { replicaName } from '../src/app/create-lease.js';
import type { Role } from '../src/app/run-daemon.js';
import { recordLeaderChange } from '../src/daemon/leader-change.js';
import type { LiveCore } from '../src/daemon/live-core.js';
import { MappingAgreement } from '../src/daemon/mapping-agreement.js';
import { createStartGate } from '../src/daemon/start-gate.js';
import { StopOrder } from '../src/daemon/stop-order.js';
import { createTermCore, type TermCoreParts } from '../src/daemon/term-core.js';
import type { Term } from '../src/lease/term.js';
import type { OwnMapping } from '../src/model/replica.js';
import { createNotifier } from '../src/notifier.js';
import { runMapping } from './mapping.js';
import { runReaper } from './reaper.js';
import { runReconcile } from './reconcile.js';
import { runRelay } from './relay.js';
import { runResync } from './resync.js';
import { runRulings } from './rulings.js';
import { runWatch } from './watch.js';
import { type WatchPorts, watchProvider } from './watch-provider.js';

interface LeadDeps extends TermCoreParts {
  /** Of this process; always with `reconcile`. */
  readonly only: readonly Role[];
  /** What the polls need of the replica. */
  readonly ports: WatchPorts;
  /** Of the file that this replica has now. */
  readonly mapping: () => OwnMapping;
  /** Makes the core the one that the replica shows, and hands its events to. */
  readonly publish: (core: LiveCore) => void;
}

/**
 * One term: everything that only the leader runs, around a core of its own. It ends cleanly at the term's `stop`: polls and
 * watches first, then the running jobs, then the relay, which publishes the settled decisions. At `lost` all ends at once.
 */
export async function lead(deps: LeadDeps, term: Term): Promise<void> {
  const { config, providers, only, runtime, ports } = deps;
  const { clock } = runtime;
  const { core, store } = createTermCore(deps, term);
  deps.publish(core);
  const { agenda, settled, sweepAsked, inbox } = core;
  const order = new StopOrder(term, clock);

  const prepared = createNotifier();
  // The term may end before jobs can run.
  const first = createStartGate(store.queue, prepared.wait(order.inputs), clock, order.inputs);
  const { roster } = deps.store;
  const agreement = new MappingAgreement({ deps: core.deps, roster, own: deps.mapping, name: replicaName() });
  // Where replicas share no store, no other file was in force.
  const isShared = Number.isFinite(deps.store.fence.lifeMs);
  const known = createNotifier();
  if (!isShared) known.notify();
  const jobs = runReconcile(core.deps, agenda, store.queue, core.progress, order.jobs, term.lost, {
    known: known.wait(order.jobs),
    onPrepared: prepared.notify,
    hold: first.hold,
  });
  const swept = createNotifier();
  const onSwept = (at: number) => {
    core.sweptAt = at;
    agreement.compared();
    swept.notify();
  };
  const inputs = [
    first.soon.then(() => runWatch(core.deps, config.services.claimGraceMs, core.ages, order.inputs)),
    first.drained.then(() =>
      runResync(core.deps, agenda, config.resyncMs, onSwept, sweepAsked, order.inputs),
    ),
    ...(isShared ? [runMapping(agreement, known.notify, runtime, order.inputs)] : []),
    runRulings(core.deps, order.inputs),
    recordLeaderChange(term, core.deps, order.inputs),
    runReaper(core.deps, () => store.queue.state(), swept, order.inputs),
  ];
  if (only.includes('watch')) {
    const watching = { ...ports, ...store, queue: inbox, inbox };
    for (const provider of providers)
      inputs.push(...watchProvider(provider, watching, order.inputs, first.drained));
  }
  const relay = only.includes('relay')
    ? first.soon.then(() =>
        runRelay(config, core.deps.consul, { ...store, settled }, runtime, order.relay, term.lost),
      )
    : Promise.resolve();
  try {
    await order.end({ inputs, jobs, relay, flush: () => core.deps.contention.close() });
  } finally {
    await store.close();
  }
}
