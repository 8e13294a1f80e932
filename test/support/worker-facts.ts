import type { Trigger } from '../../src/model/trigger.js';
import type { Inbox } from '../../src/queue/inbox.js';
import type { KeyValueStore } from '../../src/queue/key-value-store.js';

/** Facts in memory; what is remembered does not expire. */
export function createFacts(): KeyValueStore & { readonly values: Map<string, string> } {
  const values = new Map<string, string>();
  const seen = new Set<string>();
  return {
    values,
    get: async (name) => values.get(name),
    set: async (name, value) => void values.set(name, value),
    async replace(name, expected, value) {
      if (values.get(name) !== expected) return false;
      values.set(name, value);
      return true;
    },
    has: async (scope, id) => seen.has(JSON.stringify([scope, id])),
    async remember(scope, ids) {
      for (const id of ids) seen.add(JSON.stringify([scope, id]));
    },
  };
}

/** An inbox that remembers ids among the facts; `queue` gets the triggers. */
export function createInbox(
  keyValues: KeyValueStore,
  queue: (triggers: readonly Trigger[]) => void = () => {},
): Pick<Inbox, 'accept'> {
  return {
    async accept(_provider, events, { scope, ttlMs }) {
      const accepted = new Set<string>();
      for (const { id, triggers } of events) {
        if (await keyValues.has(scope, id)) continue;
        accepted.add(id);
        queue(triggers);
      }
      await keyValues.remember(scope, [...accepted], ttlMs);
      return accepted;
    },
  };
}
