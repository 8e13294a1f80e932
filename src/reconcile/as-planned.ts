import type { Clock } from '../clock.js';
import type { WorldState } from '../state/world-state.js';

/**
 * Returns whether a change would still be planned as it is, for the question between its record and its write. A change
 * that does not widen depends on the configuration alone, which has the mode: nothing else may keep it from closing. A
 * widening change also depends on the freeze, and on `facts`: the same values until one of them changes.
 */
export function asPlanned(
  { world, clock }: { readonly world: WorldState; readonly clock: Pick<Clock, 'now'> },
  facts: () => readonly unknown[] = () => [],
): (change: { readonly widens: boolean }) => boolean {
  const { mapping } = world;
  const all = () => [...facts(), world.freezes.at(clock.now()) !== undefined];
  const planned = all();
  return ({ widens }) =>
    world.mapping === mapping && (!widens || all().every((fact, at) => fact === planned[at]));
}
