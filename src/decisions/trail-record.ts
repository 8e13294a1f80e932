import { isUtf8 } from 'node:buffer';
import { canonicalJson } from '../model/canonical-json.js';
import type { ChainLink } from '../model/decision.js';
import { fieldOf } from '../model/field-of.js';
import { hashOfEvent, intactLinkOf, linkOf } from './chain.js';
import { isCheckpointEvent, parseCheckpointEvent, type StoredCheckpoint } from './checkpoint.js';
import { parseJson } from './envelope.js';

/** What the verification needs of one event: far less than the event, so that a topic can be put in order in memory. */
export type TrailRecord =
  | {
      readonly kind: 'decision';
      readonly id: string;
      readonly time: string;
      readonly link: ChainLink;
      readonly isIntact: boolean;
      /** Where the topic has it, for people; only if it is not intact. */
      readonly place?: string;
    }
  | { readonly kind: 'unchained'; readonly id: string }
  | { readonly kind: 'checkpoint'; readonly checkpoint: StoredCheckpoint }
  | { readonly kind: 'unreadable'; readonly place?: string };

/** The same with its place in the topic, for a report, if it is a fault whatever is before it. */
export function withPlace(record: TrailRecord, place: string | undefined): TrailRecord {
  const isFault = record.kind === 'unreadable' || (record.kind === 'decision' && !record.isIntact);
  return isFault && place !== undefined ? { ...record, place } : record;
}

/** Reads an event as it is stored, as text or as bytes. The hash is computed from all of it, also from fields that this version does not know. */
export function toTrailRecord(stored: Buffer | string): TrailRecord {
  const intact = intactLinkOf(stored);
  // A spread of the members takes as long as the hash.
  if (intact !== undefined)
    return { kind: 'decision', id: intact.id, time: intact.time, link: intact.link, isIntact: true };
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
    const time = fieldOf(event, 'time');
    if (typeof id !== 'string' || typeof time !== 'string') return { kind: 'unreadable' };
    const link = linkOf(event);
    if (link === undefined) {
      const hasChain = fieldOf(fieldOf(event, 'data'), 'chain') !== undefined;
      return hasChain ? { kind: 'unreadable' } : { kind: 'unchained', id };
    }
    // The same value in other bytes (a member twice, another escape) is not what scopemesh wrote, in any version.
    const isOwnForm = canonicalJson(event) === text || JSON.stringify(event) === text;
    return { kind: 'decision', id, link, time, isIntact: isOwnForm && hashOfEvent(event) === link.hash };
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
 * Orders the records of a topic, whose partitions keep only the order of each subject: by log in the order of its first
 * record, then by sequence, each checkpoint after what it signs.
 */
export function inChainOrder<T>(items: readonly T[], recordOf: (item: T) => TrailRecord): readonly T[] {
  const logs = new Map<string, number>();
  const placed = items.map((item) => {
    const { log, at } = placeOf(recordOf(item)) ?? { log: '', at: 0 };
    if (!logs.has(log)) logs.set(log, log === '' ? -1 : logs.size);
    return { item, log: logs.get(log) ?? 0, at };
  });
  return placed.sort((a, b) => a.log - b.log || a.at - b.at).map(({ item }) => item);
}
