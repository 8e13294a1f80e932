import type { IntentionEntry, IntentionSource, NewSource } from '../model/intention.js';
import { isOwned } from '../plan/ownership.js';
import type { Change } from '../plan/plan.js';
import { serviceText } from '../plan/world.js';

export type Source = IntentionSource | NewSource;

/** The sources after all changes. Every other source keeps its place and content, and new ones come last. */
export function sourcesAfter(
  sources: readonly Source[],
  changes: readonly Change[],
  owner: string,
): readonly Source[] {
  const waiting = new Map(changes.map((change) => [serviceText(change.source), change]));
  const next: Source[] = [];
  for (const source of sources) {
    const change = waiting.get(serviceText(source));
    if (change === undefined || !isMeant(source, change, owner)) {
      next.push(source);
      continue;
    }
    waiting.delete(serviceText(source));
    if (change.reason === 'Adopted' && 'raw' in source) next.push(marked(source, change));
    else if (change.after !== undefined) next.push(toSource(change, change.after));
  }
  for (const change of waiting.values())
    if (change.after !== undefined) next.push(toSource(change, change.after));
  return next;
}

/** The entry after a write; undefined if no source is left. `modifyIndex` 0: its index is unknown. */
export function entryAfter(
  current: IntentionEntry | undefined,
  destination: IntentionEntry['destination'],
  sources: readonly Source[],
  modifyIndex: number,
): IntentionEntry | undefined {
  if (sources.length === 0) return undefined;
  return {
    destination,
    sources: sources.map((source) => ('raw' in source ? source : { isLegacy: false, raw: {}, ...source })),
    meta: current?.meta ?? {},
    modifyIndex,
    raw: current?.raw ?? {},
  };
}

/** Whether only the write changed the sources and the Meta. Consul sorts the sources in its own order. */
export function isLikeWritten(
  read: IntentionEntry | undefined,
  written: IntentionEntry | undefined,
): boolean {
  return textOf(read) === textOf(written);
}

function textOf(entry: IntentionEntry | undefined): string {
  const sources = entry?.sources.map((each) =>
    JSON.stringify([serviceText(each), each.peer, each.description]),
  );
  return JSON.stringify([sources?.toSorted(), Object.entries(entry?.meta ?? {}).toSorted()]);
}

/** Only an adoption changes an unmarked source. */
function isMeant(source: Source, change: Change, owner: string): boolean {
  return (
    !('raw' in source) || isOwned(owner, source) || (change.reason === 'Adopted' && source.peer === undefined)
  );
}

/** An adoption writes the mark alone: permissions stay in the form that their author gave them. */
function marked(source: IntentionSource, { description }: Change): IntentionSource {
  return { ...source, description, raw: { ...source.raw, Description: description } };
}

function toSource(change: Change, access: NonNullable<Change['after']>): NewSource {
  const { partition, namespace, name } = change.source;
  return { partition, namespace, name, description: change.description, access };
}
