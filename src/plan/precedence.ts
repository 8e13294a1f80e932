import type { Access, IntentionEntry, IntentionSource, ServiceName } from '../model/intention.js';
import { serviceText } from './world.js';

/** The local sources of an entry, by `serviceText`; of several with one name the first. Entries are immutable. */
const indexes = new WeakMap<IntentionEntry, ReadonlyMap<string, IntentionSource>>();

/**
 * The intention that would apply without the exact source; undefined means the default policy of the mesh. Consul applies only
 * the most exact intention (precedence 9 to 5). These are wider, most exact first: 8 `* -> destination`, 6 `source -> *`,
 * 5 `* -> *`.
 */
export function fallbackIntention(
  source: ServiceName,
  exact: IntentionEntry | undefined,
  wildcard: IntentionEntry | undefined,
): IntentionSource | undefined {
  const star: ServiceName = { ...source, name: '*' };
  return localSource(exact, star) ?? localSource(wildcard, source) ?? localSource(wildcard, star);
}

/** Whether the wildcard entry lets a source call each destination whose own entry says nothing of it. */
export function opensEvery(source: ServiceName, wildcard: IntentionEntry | undefined): boolean {
  const found = fallbackIntention(source, undefined, wildcard);
  return found !== undefined && allowsAnything(found.access);
}

/** The intention that applies to a pair: the exact source of the entry, or a wider one. */
export function deciding(
  source: ServiceName,
  entry: IntentionEntry | undefined,
  wildcard: IntentionEntry | undefined,
): IntentionSource | undefined {
  return localSource(entry, source) ?? fallbackIntention(source, entry, wildcard);
}

/** Indexed, because the owner of a destination can put tens of thousands of sources into its entry, and all are asked for. */
function localSource(entry: IntentionEntry | undefined, name: ServiceName): IntentionSource | undefined {
  if (entry === undefined) return undefined;
  const known = indexes.get(entry);
  if (known !== undefined) return known.get(serviceText(name));
  const local = entry.sources.filter(({ peer }) => peer === undefined);
  const index = new Map(local.toReversed().map((each) => [serviceText(each), each] as const));
  indexes.set(entry, index);
  return index.get(serviceText(name));
}

/** Whether a source allows anything. Unknown content counts as allowing. */
export function allowsAnything(access: Access | { readonly kind: 'other' }): boolean {
  return access.kind !== 'deny';
}
