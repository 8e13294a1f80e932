import { isOwned } from '../../plan/ownership.js';
import { captureNames, isPlainServiceName } from '../../plan/pattern.js';
import type { WorldState } from '../../state/world-state.js';

/** The destinations at which scopemesh writes, or would if their clients were claimed. */
export function writtenDestinations(world: WorldState): readonly string[] {
  const { mapping, entries } = world;
  const opened = [
    ...mapping.rules.flatMap(({ to }) => (to === undefined || !isPlainServiceName(to) ? [] : [to])),
    ...[...world.openings().values()].flatMap(({ openings }) => openings.map((each) => each.destination)),
  ].filter((name) => !mapping.protectedServices.includes(name));
  // What stands at a protected one too is taken away.
  const owned = [...entries.values()].filter(({ sources }) =>
    sources.some((source) => isOwned(mapping.owner, source)),
  );
  return [...new Set([...opened, ...owned.map(({ destination }) => destination.name)])].toSorted();
}

/** The rules whose destination is a part of the scope's name, by what they say of it. */
export function capturedDestinations({ mapping }: WorldState): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const { to, scope } of mapping.rules)
    if (to !== undefined && captureNames(to).length > 0) found.set(to, [...(found.get(to) ?? []), scope]);
  return found;
}

/** What is not known of openings, as the end of a sentence. */
export function unreadText(world: WorldState): string {
  const unread = world.mapping.providers.filter((provider) => !world.hasDirectory(provider));
  return unread.length === 0
    ? ''
    : `; what clients of ${unread.join(' and ')} open is not looked at, because the provider cannot be read`;
}
