import type { Trigger } from '../../src/model/trigger.js';
import type { Facts } from '../../src/queue/facts.js';
import type { Inbox } from '../../src/queue/inbox.js';

/** Facts in memory; what is remembered does not expire. */
export function createFacts(): Facts & { readonly values: Map<string, string> } {
  const values = new Map<string, string>();
  const seen = new Set<string>();
  return {
    values,
    get: async (name) => values.get(name),
    set: async (name, value) => void values.set(name, value),
    has: async (scope, id) => seen.has(JSON.stringify([scope, id])),
    async remember(scope, ids) {
      for (const id of ids) seen.add(JSON.stringify([scope, id]));
    },
  };
}

/** An inbox that remembers ids among the facts; `queue` gets the triggers. */
export function createInbox(facts: Facts, queue: (triggers: readonly Trigger[]) => void = () => {}): Inbox {
  return {
    async accept(_provider, events, { scope, ttlMs }) {
      const accepted = new Set<string>();
      for (const { id, triggers } of events) {
        if (await facts.has(scope, id)) continue;
        accepted.add(id);
        queue(triggers);
      }
      await facts.remember(scope, [...accepted], ttlMs);
      return accepted;
    },
  };
}
