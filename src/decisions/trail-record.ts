import { isUtf8 } from 'node:buffer';
import { canonicalJson } from '../model/canonical-json.js';
import type { ChainLink } from '../model/decision.js';
import { fieldOf } from '../model/field-of.js';
import { hashOfEvent, intactLinkOf, linkOf } from './chain.js';
import { formerLogIn, isCheckpointEvent, parseCheckpointEvent, type StoredCheckpoint } from './checkpoint.js';
import { parseJson } from './envelope.js';

/** What the verification needs of one event: far less than the event, so that a topic can be put in order in memory. */
export type TrailRecord =
  | {
      readonly kind: 'decision';
      readonly id: string;
      readonly source: string;
      readonly time: string;
      readonly link: ChainLink;
      readonly isIntact: boolean;
      /** Where the topic has it, for people; only if it is not intact. */
      readonly place?: string;
    }
  | { readonly kind: 'checkpoint'; readonly checkpoint: StoredCheckpoint }
  | { readonly kind: 'unreadable'; readonly place?: string }
  /** A message of a topic that none of the keys signed: anybody who may write to the topic may have left it there. */
  | { readonly kind: 'unproven' };

/** The same with its place in the topic, for a report, if it is a fault whatever is before it. */
export function withPlace(record: TrailRecord, place: string | undefined): TrailRecord {
  const isFault = record.kind === 'unreadable' || (record.kind === 'decision' && !record.isIntact);
  return isFault && place !== undefined ? { ...record, place } : record;
}

/** Reads an event as it is stored, as text or as bytes. The hash is computed from all of it, also from fields that this version does not know. */
export function toTrailRecord(stored: Buffer | string): TrailRecord {
  const intact = intactLinkOf(stored);
  // A spread of the members takes as long as the hash.
  if (intact !== undefined) {
    const { id, source, time, link } = intact;
    return { kind: 'decision', id, source, time, link, isIntact: true };
  }
  // A text would not show a byte that is not UTF-8.
  if (typeof stored !== 'string' && !isUtf8(stored)) return { kind: 'unreadable' };
  const text = stored.toString();
  try {
    const event = parseJson(text);
    if (isCheckpointEvent(event)) {
      const checkpoint = parseCheckpointEvent(event);
      return checkpoint === undefined ? { kind: 'unreadable' } : { kind: 'checkpoint', checkpoint };
    }
    const id = fieldOf(event, 'id');
    const source = fieldOf(event, 'source');
    const time = fieldOf(event, 'time');
    const link = linkOf(event);
    if (
      typeof id !== 'string' ||
      typeof source !== 'string' ||
      typeof time !== 'string' ||
      link === undefined
    )
      return { kind: 'unreadable' };
    // The same value in other bytes (a member twice, another escape) is not what scopemesh wrote, in any version.
    const isOwnForm = canonicalJson(event) === text || JSON.stringify(event) === text;
    return {
      kind: 'decision',
      id,
      source,
      link,
      time,
      isIntact: isOwnForm && hashOfEvent(event) === link.hash,
    };
  } catch {
    return { kind: 'unreadable' };
  }
}

/** The log of a record and its place in it: a checkpoint is behind the last decision that it signs. */
export function placeOf(record: TrailRecord): { readonly log: string; readonly at: number } | undefined {
  if (record.kind === 'decision') return { log: record.link.log, at: record.link.sequence };
  if (record.kind === 'checkpoint')
    return { log: record.checkpoint.log, at: record.checkpoint.tree.size + 0.5 };
  return undefined;
}

/**
 * Orders the records of a topic, whose partitions keep only the order of each subject: each log after the log that it follows,
 * then by sequence, each checkpoint after what it signs.
 */
export function inChainOrder<T>(items: readonly T[], recordOf: (item: T) => TrailRecord): readonly T[] {
  const former = new Map<string, string | undefined>();
  for (const item of items) {
    const record = recordOf(item);
    const log = placeOf(record)?.log;
    if (log === undefined) continue;
    const found = record.kind === 'checkpoint' ? formerLogIn(record.checkpoint.note)?.log : undefined;
    if (!former.has(log) || found !== undefined) former.set(log, found);
  }
  const ranks = new Map<string, number>();
  // The names of logs are ULIDs: where nothing links two logs, the older one is first.
  for (const log of [...former.keys()].toSorted()) rank(log, former, ranks);
  const placed = items.map((item) => {
    const { log, at } = placeOf(recordOf(item)) ?? { log: '', at: 0 };
    return { item, log: ranks.get(log) ?? -1, at };
  });
  return placed.sort((a, b) => a.log - b.log || a.at - b.at).map(({ item }) => item);
}

function rank(
  log: string,
  former: ReadonlyMap<string, string | undefined>,
  ranks: Map<string, number>,
): void {
  const waiting: string[] = [];
  for (let each: string | undefined = log; each !== undefined && former.has(each) && !ranks.has(each); ) {
    if (waiting.includes(each)) break;
    waiting.push(each);
    each = former.get(each);
  }
  for (const each of waiting.toReversed()) ranks.set(each, ranks.size);
}
