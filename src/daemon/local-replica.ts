import type { Config } from '../../config/config.js';
import { createCore } from '../app/create-core.js';
import { createLeases } from '../app/create-lease.js';
import { isoInstant } from '../clock.js';
import { ChannelActivity } from '../intake/channel-activity.js';
import { createRejectedEvents } from '../intake/rejected-events.js';
import { UnstoredEvents } from '../intake/unstored-events.js';
import { Leadership } from '../lease/leadership.js';
import type { Term } from '../lease/term.js';
import type { OwnMapping } from '../model/replica.js';
import { createNotifier } from '../notifier.js';
import type { Store } from '../queue/store-parts.js';
import { stampOf } from '../reconcile/deps.js';
import type { Runtime } from '../runtime.js';
import { createLiveCore, type LiveCore } from './live-core.js';
import type { LiveSecrets } from './live-secrets.js';
import { Reloads } from './reload.js';
import { Standby } from './standby.js';
import type { TermCoreParts } from './term-core.js';

interface LocalReplicaParts extends TermCoreParts {
  readonly secrets: LiveSecrets;
  /** Reads the file again. */
  readonly reload: () => Promise<Config>;
  /** The address of its API, once it listens. */
  readonly address: () => string | undefined;
}

/** What one term runs: `publish` makes its core the one that the replica shows, and hands its events to. */
type RunTerm = (
  term: Term,
  parts: {
    readonly config: Config;
    readonly mapping: () => OwnMapping;
    readonly publish: (core: LiveCore) => void;
  },
) => Promise<void>;

/** What this process is among the replicas: it takes events, leads while it has the lease, and else stands by. */
export interface LocalReplica {
  readonly leadership: Leadership;
  readonly standby: Standby;
  readonly reloads: Reloads;
  readonly ports: ReturnType<typeof createIntakePorts>;
  /** The core of its term; without one, a core that runs nothing. */
  readonly live: LiveCore;
  /** Resolves when it leads, or has tried to for the first time, or when the signal aborts. */
  attempted(signal: AbortSignal): Promise<void>;
  /** Leads whenever it has the lease. Resolves after `stop` has aborted; rejects as `lead` does. */
  run(lead: RunTerm, stop: AbortSignal): Promise<void>;
}

/** `signal`: the first signal of the process. `stop`: that, or the failure of a part. */
export async function createLocalReplica(
  { config, store, consul, providers, secrets, reload, address, runtime }: LocalReplicaParts,
  signal: AbortSignal,
  stop: AbortSignal,
): Promise<LocalReplica> {
  const createIdleCore = () => createCore(reloads.current, { consul, providers, store }, runtime);
  const reloads: Reloads = new Reloads({
    running: config,
    readAt: isoInstant(runtime.clock),
    read: reload,
    live: () => live,
    stepDown: () => leadership.stepDown(),
    taken: (next) => secrets.take(next),
    signal,
  });
  const rest = () =>
    createLiveCore(createIdleCore(), { queue: store.queue, clock: runtime.clock, isReconciling: false });
  let live = rest();
  const intervalMs = () =>
    Math.max(reloads.current.resyncMs, ...reloads.current.providers.map(({ fullReadMs }) => fullReadMs));
  const standby = new Standby({ createDeps: () => createIdleCore().deps, intervalMs }, runtime);
  const attempted = createNotifier();
  const leaseOf = await createLeases(config, { consul, store }, runtime, address, () => reloads.mapping);
  const leadership = new Leadership({
    ...runtime,
    lease: () => leaseOf(reloads.current.mode),
    onWait() {
      attempted.notify();
      if (!stop.aborted) standby.begin();
    },
  });
  const publish = (core: LiveCore) => {
    live = core;
    attempted.notify();
  };
  return {
    leadership,
    standby,
    reloads,
    ports: createIntakePorts(store, () => live, runtime),
    get live() {
      return live;
    },
    attempted: attempted.wait,
    run: (lead, until) =>
      leadership.run(async (term) => {
        void standby.end();
        try {
          await lead(term, { config: reloads.current, mapping: () => reloads.mapping, publish });
        } finally {
          live = rest();
        }
      }, until),
  };
}

/** What takes events. Every replica does, and hands them to the core of the moment. */
function createIntakePorts(store: Store, live: () => LiveCore, runtime: Runtime) {
  const inbox: LiveCore['inbox'] = {
    add: (triggers) => live().inbox.add(triggers),
    accept: (provider, events, memory) => live().inbox.accept(provider, events, memory),
  };
  const activity = new ChannelActivity(store.keyValues, runtime.clock);
  const unstored = new UnstoredEvents({ ...store, ...runtime, queue: inbox, inbox, activity });
  const rejectedEvents = createRejectedEvents({
    ...store,
    ...runtime,
    stamp: () => stampOf(live().deps),
    onSettled: () => live().deps.onSettled(),
  });
  return { ...store, ...runtime, queue: inbox, inbox, activity, rejectedEvents, unstored };
}
