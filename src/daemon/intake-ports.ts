import { ChannelActivity } from '../intake/channel-activity.js';
import { createRejectedEvents } from '../intake/rejected-events.js';
import { UnstoredEvents } from '../intake/unstored-events.js';
import type { Store } from '../queue/store-parts.js';
import { stampOf } from '../reconcile/deps.js';
import type { Runtime } from '../runtime.js';
import type { LiveCore } from './live-core.js';

/** What takes events. Every replica does, and hands them to the core of the moment. */
export function createIntakePorts(store: Store, live: () => LiveCore, runtime: Runtime) {
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
