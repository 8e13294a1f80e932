import { isSelectedName } from '../../plan/openings.js';
import { isOwned } from '../../plan/ownership.js';
import { captureNames, isPlainServiceName } from '../../plan/pattern.js';
import type { WorldState } from '../../state/world-state.js';

/** The destinations whose intentions scopemesh writes, or would write if their clients were claimed. */
export function writtenDestinations(world: WorldState): readonly string[] {
  const { mapping, entries } = world;
  const opened = [
    ...mapping.rules.flatMap(({ to }) =>
      to === undefined || !isPlainServiceName(to) || !isSelectedName(to, mapping) ? [] : [to],
    ),
    ...[...world.openings().values()].flatMap(({ openings }) => openings.map((each) => each.destination)),
  ].filter((name) => !mapping.protectedServices.includes(name));
  // Owned sources at a protected destination are removed.
  const owned = [...entries.values()].filter(({ sources }) =>
    sources.some((source) => isOwned(mapping.owner, source)),
  );
  return [...new Set([...opened, ...owned.map(({ destination }) => destination.name)])].toSorted();
}

/** The scopes of the rules that capture the destination from the scope's name, by the rule's `to`. */
export function capturedDestinations({ mapping }: WorldState): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const { to, scope } of mapping.rules)
    if (to !== undefined && captureNames(to).length > 0) found.set(to, [...(found.get(to) ?? []), scope]);
  return found;
}

/** The end of a sentence that says which clients were not checked; empty if all were. */
export function unreadText(world: WorldState): string {
  const unread = world.mapping.providers.filter((provider) => !world.hasDirectory(provider));
  return unread.length === 0
    ? ''
    : `; the scopes of ${unread.join(' and ')} are not checked, because the provider cannot be read`;
}
