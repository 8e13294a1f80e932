import { z } from 'zod';
import { fieldOf } from '../../model/field-of.js';
import { jsonIn } from '../../model/json-in.js';
import type { Offsets } from './topic.js';
import type { TopicMessage } from './topic-reader.js';

/** What offsets belong to. */
export interface Place {
  /** Empty if the brokers do not tell it. */
  readonly cluster: string;
  readonly topic: string;
}

/** The last event that was read of a partition. */
export interface Mark {
  readonly offset: bigint;
  readonly id: string;
}

/** Where a reader of a topic is. */
export interface TopicPosition {
  /** The next offset of each partition. */
  readonly offsets: Offsets;
  /** kafkajs gives no ID of a topic. One that was made again under its name has other events at these places. */
  readonly marks: ReadonlyMap<number, Mark>;
}

/** Before everything. */
export const NOWHERE: TopicPosition = { offsets: new Map(), marks: new Map() };

const NUMBER = z.string().regex(/^\d+$/);
const OFFSETS = z.record(NUMBER, NUMBER);
const POSITION = z.union([
  z.strictObject({
    cluster: z.string(),
    topic: z.string(),
    offsets: OFFSETS,
    // Earlier versions stored no marks, and before that only the offsets.
    marks: z.record(NUMBER, z.strictObject({ offset: NUMBER, id: z.string() })).default({}),
  }),
  OFFSETS.transform((offsets) => ({ cluster: '', topic: undefined, offsets, marks: {} })),
]);

export function formatPosition(place: Place, { offsets, marks }: TopicPosition): string {
  return JSON.stringify({
    ...place,
    offsets: Object.fromEntries([...offsets].map(([at, offset]) => [at, `${offset}`])),
    marks: Object.fromEntries([...marks].map(([at, { offset, id }]) => [at, { offset: `${offset}`, id }])),
  });
}

/** The empty text is the beginning. Undefined for a position in another log, of whatever kind. */
export function parsePosition(text: string, place: Place): TopicPosition | undefined {
  if (text === '') return NOWHERE;
  const { data } = POSITION.safeParse(jsonIn(text));
  if (data === undefined || (data.topic ?? place.topic) !== place.topic) return undefined;
  if (data.cluster !== '' && place.cluster !== '' && data.cluster !== place.cluster) return undefined;
  const marks = Object.entries(data.marks);
  return {
    offsets: new Map(Object.entries(data.offsets).map(([at, offset]) => [Number(at), BigInt(offset)])),
    marks: new Map(marks.map(([at, { offset, id }]) => [Number(at), { offset: BigInt(offset), id }])),
  };
}

/** Undefined for a message of another program. */
export function markOf({ offset, value }: TopicMessage): Mark | undefined {
  const id = fieldOf(jsonIn(value), 'id');
  return typeof id === 'string' && id.length <= MAX_ID_LENGTH ? { offset, id } : undefined;
}

/** Own IDs have 26 characters. */
const MAX_ID_LENGTH = 128;

/** The marks that a read from `start` must find before it. */
export function unseenOf(marks: ReadonlyMap<number, Mark>, low: Offsets, start: Offsets): Map<number, Mark> {
  const isThere = (at: number, { offset }: Mark) =>
    offset >= (low.get(at) ?? 0n) && offset < (start.get(at) ?? 0n);
  return new Map([...marks].filter(([at, mark]) => isThere(at, mark)));
}

export function fromMarks(start: Offsets, unseen: ReadonlyMap<number, Mark>): Offsets {
  return new Map([...start].map(([at, offset]) => [at, unseen.get(at)?.offset ?? offset]));
}
