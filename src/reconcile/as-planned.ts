import type { Clock } from '../clock.js';
import { policyOf } from '../plan/mode.js';
import type { WorldState } from '../state/world-state.js';

/**
 * Returns whether a change would still be planned as it is, for the question between its record and its write. A change
 * that does not widen depends only on the owner and on what the mode allows: nothing else may keep it from closing, also
 * no other reload of the configuration. A widening change depends on the whole configuration, the freeze, and `facts`: the
 * same values until one of them changes.
 */
export function asPlanned(
  { world, clock }: { readonly world: WorldState; readonly clock: Pick<Clock, 'now'> },
  facts: () => readonly unknown[] = () => [],
): (change: { readonly widens: boolean }) => boolean {
  const toClose = () => {
    const { writes, removes } = policyOf(world.mapping);
    return [world.mapping.owner, writes, removes];
  };
  const toOpen = () => [world.mapping, world.freezes.at(clock.now()) !== undefined, ...facts()];
  const closing = toClose();
  const opening = toOpen();
  return ({ widens }) => (widens ? isEqual(toOpen(), opening) : isEqual(toClose(), closing));
}

function isEqual(now: readonly unknown[], planned: readonly unknown[]): boolean {
  return now.every((fact, at) => fact === planned[at]);
}
