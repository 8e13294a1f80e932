import type { IntentionEntry, IntentionSource } from '../model/intention.js';
import {
  clientOfDescription,
  isManagedElsewhere,
  isOwnedDescription,
  textOfDescription,
} from './ownership.js';
import { type Change, intentionResource, intentionSubject } from './plan.js';

/** The marks of one entry that go. Nothing else of the entry changes. */
export interface Ejection {
  readonly entry: IntentionEntry;
  /** All sources of the entry, without the marks. */
  readonly sources: readonly IntentionSource[];
  readonly changes: readonly Change[];
  /** Why the marks must stay; undefined if they can go. */
  readonly why?: string;
}

/**
 * Every entry with a mark of this owner, whatever `select` has and whether or not the edge is recorded. A source keeps its
 * place, its access and all fields, also those that scopemesh does not know. Its Description is the one from before its
 * adoption.
 */
export function planEjections(owner: string, entries: Iterable<IntentionEntry>): readonly Ejection[] {
  return [...entries].flatMap((entry) => {
    const isMarked = ({ description }: IntentionSource) => isOwnedDescription(owner, description);
    const marked = entry.sources.filter(isMarked);
    if (marked.length === 0 && entry.unreadable === undefined) return [];
    return {
      entry,
      sources: entry.sources.map((source) => (isMarked(source) ? unmarked(source) : source)),
      changes: marked.map((source) => toChange(source, entry)),
      ...definedWhy(entry),
    };
  });
}

function definedWhy(entry: IntentionEntry): Pick<Ejection, 'why'> {
  if (entry.unreadable !== undefined) return { why: entry.unreadable };
  if (isManagedElsewhere(entry))
    return { why: 'another tool manages this entry, as its Meta shows; remove the mark with that tool' };
  if (entry.sources.some(({ isLegacy }) => isLegacy))
    return {
      why: "the entry has sources of Consul's old intentions API, which cannot be written back unchanged",
    };
  return {};
}

function unmarked(source: IntentionSource): IntentionSource {
  const { Description: _, ...raw } = source.raw;
  const description = textOfDescription(source.description);
  return {
    ...source,
    description,
    raw: { ...raw, ...(description === '' ? {} : { Description: description }) },
  };
}

function toChange(source: IntentionSource, { destination }: IntentionEntry): Change {
  const { name, namespace, partition, access, description } = source;
  const client = clientOfDescription(description);
  return {
    subject: intentionSubject(destination, name),
    resource: intentionResource(destination, name),
    source: { name, namespace, partition },
    action: 'change',
    verb: 'updated',
    reason: 'Ejected',
    before: access,
    after: access.kind === 'other' ? undefined : access,
    description: textOfDescription(description),
    ...(client === undefined ? {} : { client: { ...client, actorKind: 'unknown' as const } }),
    scopes: [],
    opensBy: [],
    isInferred: false,
    narrows: false,
    widens: false,
  };
}
