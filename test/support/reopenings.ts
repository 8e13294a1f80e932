import type { Edges } from '../e2e/crash-world.js';

/** Finds openings that a poll of Consul shows although the identity provider took them and did not give them again. */
export interface Reopenings {
  /** What the identity provider opens from now on for the edges of one client. */
  wants(before: Edges, after: Edges): void;
  /** What a poll showed whose answer has just come. */
  sees(edges: Edges): void;
  /** Openings seen open again without a grant, or seen closed without a revocation. */
  readonly faults: readonly string[];
}

/**
 * Follows each opening (`d-1/svc-1 GET /`) through what the identity provider wanted: granted, revoked, granted and so on.
 * Each time that a poll shows it otherwise than the one before, it moves on by one of these steps. Where no step is left
 * that has happened, nothing explains what was seen. A change that no poll shows is no fault.
 */
export function createReopenings(): Reopenings {
  /** The number of steps so far; a step with an odd number is a grant. */
  const desired = new Map<string, number>();
  const seen = new Map<string, number>();
  const faults = new Set<string>();
  return {
    wants(before, after) {
      const [old, fresh] = [openingsOf(before), openingsOf(after)];
      for (const each of new Set([...old, ...fresh]))
        if (old.has(each) !== fresh.has(each)) desired.set(each, (desired.get(each) ?? 0) + 1);
    },
    sees(edges) {
      const open = openingsOf(edges);
      for (const opening of new Set([...open, ...desired.keys()])) {
        const [isOpen, step] = [open.has(opening), seen.get(opening) ?? 0];
        if (isOpen === (step % 2 === 1)) continue;
        if (step < (desired.get(opening) ?? 0)) seen.set(opening, step + 1);
        else faults.add(`${opening} is ${isOpen ? 'open' : 'closed'} without a reason`);
      }
    },
    get faults() {
      return [...faults];
    },
  };
}

function openingsOf(edges: Edges): Set<string> {
  return new Set(
    [...edges].flatMap(([edge, openings]) => openings.split(', ').map((each) => `${edge} ${each}`)),
  );
}
