import { compareText } from '../../model/compare-text.js';
import type { ServiceName } from '../../model/intention.js';
import { isOwned, isOwnedHere, otherOwnerOf } from '../../plan/ownership.js';
import type { WorldState } from '../../state/world-state.js';
import { type Finding, namesText, warning } from './finding.js';

/**
 * Whether two instances write the same destination, and what a narrower `select` left behind. Both show in the marks, so
 * an overlap is found once both instances have written.
 */
export function selectFindings(world: WorldState): readonly Finding[] {
  return [...overlaps(world), ...leftBehind(world)];
}

function overlaps({ entries, mapping }: WorldState): readonly Finding[] {
  const byOwner = new Map<string, Set<string>>();
  for (const { destination, sources } of entries.values())
    for (const { description, peer } of sources) {
      const other = peer === undefined ? otherOwnerOf(mapping.owner, description) : undefined;
      if (other !== undefined && destination.name !== '*')
        byOwner.set(other, (byOwner.get(other) ?? new Set()).add(destination.name));
    }
  return [...byOwner]
    .toSorted(([a], [b]) => compareText(a, b))
    .map(([other, names]) =>
      warning(
        'select.overlap',
        `the instance with owner ${other} also writes intentions to ${namesText([...names].toSorted())}: a source that one instance wrote is held by the other, and each closes only its own`,
        'give the two instances a select: without overlap, so that one of them manages each destination; if that instance is gone, run scopemesh eject with its configuration',
      ),
    );
}

/** The one place that mentions what is outside: nothing closes this access any more. */
function* leftBehind(world: WorldState): Iterable<Finding> {
  const { mapping } = world;
  const { owner, select } = mapping;
  if (select === undefined) return;
  const isLeft = (destination: ServiceName) => destination.name !== '*' && !select.hasService(destination);
  const edges = [...world.everyEntry()].flatMap(({ destination, sources }) =>
    sources
      .filter((source) => isOwned(owner, source) && source.access.kind !== 'deny')
      .filter((source) => isLeft(destination) || !isOwnedHere(mapping, source))
      .map((source) => `${source.name} -> ${destination.name}`),
  );
  if (edges.length > 0)
    yield warning(
      'select.left',
      `this instance wrote ${edges.length} edges that are now outside select, and no revocation closes them: ${namesText(edges.toSorted())}`,
      'let select match them again; or delete those that are not needed (consul config write, without these sources), or stop this instance for good and run scopemesh eject',
    );
}
