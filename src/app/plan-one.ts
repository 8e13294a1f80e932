import { countInSlices } from '../reconcile/count-in-slices.js';
import type { ReconcilerDeps } from '../reconcile/deps.js';
import { countInferred } from '../state/fleet.js';

/** Destinations that are counted at once: some milliseconds. */
const SLICE = 50;

/** Counts in advance what `planInFleet` needs, with other work in between. */
export function countInferredAhead(deps: Pick<ReconcilerDeps, 'world' | 'clock'>): Promise<void> {
  return countInSlices((now) => countInferred(deps.world, now, SLICE), deps);
}
