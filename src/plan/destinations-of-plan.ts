import { destinationKey, formatKey, type Key } from '../model/key.js';
import type { Change, Hold } from './plan.js';

export type DestinationKey = Extract<Key, { kind: 'destination' }>;

interface Planned {
  readonly changes: readonly Change[];
  readonly holds: readonly Hold[];
}

/** Every destination with a change or a hold; those with narrowing changes first. */
export function destinationsOf(plan: Planned): readonly DestinationKey[] {
  const found = new Map<string, DestinationKey>();
  const narrowing = plan.changes.filter((change) => change.narrows);
  for (const { resource } of [...narrowing, ...plan.changes, ...plan.holds]) {
    const { kind, destination, namespace, partition } = resource;
    if (kind !== 'intention' || destination === undefined) continue;
    const key = destinationKey(destination, namespace ?? 'default', partition ?? 'default');
    if (!found.has(formatKey(key))) found.set(formatKey(key), key);
  }
  return [...found.values()];
}

/** The names of destinations at which the plan removes access. */
export function losingNames({ changes }: Pick<Planned, 'changes'>): ReadonlySet<string> {
  return new Set(changes.flatMap(({ narrows, resource }) => (narrows ? (resource.destination ?? []) : [])));
}
