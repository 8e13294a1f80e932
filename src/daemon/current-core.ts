import type { LiveCore } from './live-core.js';

/** The core that a replica shows and hands its events to: that of its term, or one that runs nothing while it does not lead. */
export class CurrentCore {
  readonly #createIdle: () => LiveCore;
  #live: LiveCore;
  /** Of the core at the time of the call. */
  readonly inbox: LiveCore['inbox'] = {
    add: (triggers) => this.#live.inbox.add(triggers),
    accept: (provider, events, memory) => this.#live.inbox.accept(provider, events, memory),
  };

  constructor(createIdle: () => LiveCore) {
    this.#createIdle = createIdle;
    this.#live = createIdle();
  }

  get live(): LiveCore {
    return this.#live;
  }

  lead(core: LiveCore): void {
    this.#live = core;
  }

  /** Ends what `lead` began. */
  rest(): void {
    this.#live = this.#createIdle();
  }
}
