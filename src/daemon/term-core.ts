import type { Config } from '../../config/config.js';
import type { Provider } from '../app/adapter-factory.js';
import { createCore } from '../app/create-core.js';
import type { Consul } from '../consul/consul.js';
import { guardConsul } from '../lease/guarded-consul.js';
import type { Term } from '../lease/term.js';
import type { LedStore, Store } from '../queue/store-parts.js';
import type { Runtime } from '../runtime.js';
import { createLiveCore, type LiveCore } from './live-core.js';

export interface TermCoreParts {
  readonly config: Config;
  readonly store: Store;
  readonly consul: Consul;
  readonly providers: readonly Provider[];
  readonly runtime: Runtime;
}

interface TermCore {
  readonly core: LiveCore;
  /** To be closed after the term. */
  readonly store: LedStore;
}

/** The core of one term: its store and its Consul refuse writes once the term is over. */
export function createTermCore(
  { config, store, consul, providers, runtime }: TermCoreParts,
  term: Term,
): TermCore {
  const led = store.lead(term.leader.epoch);
  const guarded = { consul: guardConsul(consul, term), providers, store: led };
  const core = createLiveCore(createCore(config, guarded, runtime), {
    queue: led.queue,
    clock: runtime.clock,
    isReconciling: true,
  });
  return { core, store: led };
}
