import { ChannelActivity } from '../intake/channel-activity.js';
import { createRejectedEvents } from '../intake/rejected-events.js';
import { UnstoredEvents } from '../intake/unstored-events.js';
import type { Store } from '../queue/store-parts.js';
import { stampOf } from '../reconcile/deps.js';
import type { Runtime } from '../runtime.js';
import type { CurrentCore } from './current-core.js';

/** What takes events. Every replica does, and hands them to the core of the moment. */
export function createIntakePorts(store: Store, current: CurrentCore, runtime: Runtime) {
  const { inbox } = current;
  const activity = new ChannelActivity(store.keyValues, runtime.clock);
  const unstored = new UnstoredEvents({ ...store, ...runtime, queue: inbox, inbox, activity });
  const rejectedEvents = createRejectedEvents({
    ...store,
    ...runtime,
    stamp: () => stampOf(current.live.deps),
    onSettled: () => current.live.deps.onSettled(),
  });
  return { ...store, ...runtime, queue: inbox, inbox, activity, rejectedEvents, unstored };
}
