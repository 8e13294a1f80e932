import type { Facts } from '../../src/queue/facts.js';

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
