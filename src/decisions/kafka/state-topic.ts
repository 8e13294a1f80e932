import type { Kafka, Message } from 'kafkajs';
import { ulid } from 'ulid';
import { SyncError } from '../../errors.js';
import { inParts } from '../../in-parts.js';
import type { Decision } from '../../model/decision.js';
import { jsonIn } from '../../model/json-in.js';
import type { Logger } from '../../observe.js';
import { safeParse } from '../../safe-parse.js';
import {
  EDGE_CURSOR_EVENT,
  EDGE_CURSOR_TYPE,
  type EdgeCursor,
  type EdgeStateRecord,
  lastStates,
  toEdgeState,
} from '../edge-state.js';
import { CONTENT_TYPE } from '../envelope.js';
import { parseLogEvent } from '../log.js';
import { KafkaTopic, type Offsets, startingAt, type TopicOptions } from './topic.js';
import type { TopicMessage } from './topic-reader.js';
import type { DependentMessages, TransactionalWriter } from './transactional-writer.js';

export interface StateTopicOptions {
  readonly topic: string;
  /** Only the decisions of this owner are read again. */
  readonly owner: string;
  /** Ends the reading of decisions that the states lack, which can take minutes; then nothing is published. */
  readonly stop?: AbortSignal;
}

/** Reads committed messages of a topic, from the one offsets to the other ones. */
type Read = (topic: string, start: Offsets, end: Offsets) => AsyncIterable<Omit<TopicMessage, 'offset'>>;

interface Bounds {
  readonly low: Offsets;
  readonly end: Offsets;
}

interface Placed {
  readonly decision: Decision;
  readonly partition: number;
}

const HEADERS = { 'content-type': CONTENT_TYPE };
/** The cursor is in one partition, so that only this one is searched for it. */
const CURSOR_PARTITION = 0;
/** Offsets of the first look for the cursor: the last transactions. */
const CURSOR_WINDOW = 4_096n;
const BATCH = 500;

/**
 * The compacted topic with the present state of each edge. A state is in the transaction of its decision, and a cursor in
 * the same transaction says which decisions the states contain. What was published without states, as by an earlier
 * configuration, is read from the cursor on before the next decision is published.
 */
export class StateTopic {
  readonly #options: StateTopicOptions & { readonly logger: Logger };
  readonly #topic: KafkaTopic;
  readonly #writer: TransactionalWriter;
  readonly #read: Read;
  readonly #isProven: (event: string) => boolean;
  /** Where the states end in each partition of the decision topic; undefined: not known. */
  #offsets: Map<number, bigint> | undefined;
  /** The place of the next decision if none was deleted unread; undefined: none can have been. */
  #due: { readonly log: string | undefined; readonly sequence: number } | undefined;
  /** Whether one was. The cursor then names no place in the chain until the topic is made again. */
  #lacks = false;

  constructor(
    kafka: () => Promise<Kafka>,
    options: StateTopicOptions & Omit<TopicOptions, 'isCompacted'> & { readonly logger: Logger },
    {
      writer,
      read,
      isProven,
    }: {
      readonly writer: TransactionalWriter;
      readonly read: Read;
      readonly isProven: (event: string) => boolean;
    },
  ) {
    this.#options = options;
    this.#topic = new KafkaTopic(kafka, { ...options, isCompacted: true });
    this.#writer = writer;
    this.#read = read;
    this.#isProven = isProven;
  }

  async check(): Promise<void> {
    await this.#topic.check();
  }

  /** Adds what the decision topic has and the states lack. Only after earlier writers are fenced. Repeating is safe. */
  async catchUp(decisionTopic: string, bounds: () => Promise<Bounds>): Promise<void> {
    if (this.#offsets !== undefined) return;
    const { low, end } = await bounds();
    const cursor = await this.#lastCursor();
    const position = offsetsOf(cursor);
    const start = startingAt(position, low, end);
    const { log, sequence } = cursor ?? {};
    let next = (sequence ?? 0) + 1;
    const newest = new Map<string, Placed>();
    for await (const { partition, value } of this.#read(decisionTopic, start, end)) {
      this.#refuseIfStopped();
      const decision = this.#ownDecision(value);
      if (decision?.chain?.log === log && (decision?.chain?.sequence ?? 0) > (sequence ?? 0)) next++;
      if (decision === undefined || toEdgeState(decision) === undefined) continue;
      const placed = { decision, partition };
      const known = newest.get(decision.subject);
      if (known === undefined || !isOlder(placed, known)) newest.set(decision.subject, placed);
    }
    const states = lastStates([...newest.values()].map(({ decision }) => decision));
    for (const batch of inParts(states, BATCH)) {
      const messages = batch.map(toMessage);
      await this.#writer.write([], { topic: this.#options.topic, messages: () => messages });
    }
    this.#offsets = new Map(end);
    this.#lacks = cursor !== undefined && log === undefined;
    const isCut = [...start].some(([partition, from]) => from !== (position.get(partition) ?? 0n));
    this.#due = cursor !== undefined && isCut ? { log, sequence: next } : undefined;
    if (this.#lacks) this.#reportLack();
  }

  /** What retention deleted before it was read may have ended an edge whose state is still here. */
  #lookForLack(chain: Decision['chain']): void {
    const due = this.#due;
    this.#due = undefined;
    if (due === undefined || this.#lacks) return;
    this.#lacks = chain === undefined || chain.log !== due.log || chain.sequence !== due.sequence;
    if (this.#lacks) this.#reportLack();
  }

  #reportLack(): void {
    const { topic, logger } = this.#options;
    logger.error(
      { topic },
      'Kafka deleted decisions before the topic of states took them, so edges that ended are perhaps still in it; ' +
        'delete the topic, and scopemesh makes it again from the decisions that are left (docs/how-to/publish-to-kafka.md)',
    );
  }

  /** The states of these decisions and the cursor behind them, for the transaction of the decisions. */
  of(decisions: readonly Decision[]): DependentMessages {
    return {
      topic: this.#options.topic,
      messages: (written) => {
        for (const [partition, offset] of written) this.#offsets?.set(partition, offset);
        const last = decisions.at(-1);
        if (last !== undefined) this.#lookForLack(decisions[0]?.chain);
        return [
          ...lastStates(decisions).map(toMessage),
          ...(last === undefined ? [] : [this.#cursorAfter(last)]),
        ];
      },
    };
  }

  /** It is unknown what was written: the cursor is read again. */
  doubt(): void {
    this.#offsets = undefined;
  }

  async close(): Promise<void> {
    await this.#topic.close();
  }

  async #lastCursor(): Promise<EdgeCursor['data'] | undefined> {
    const { topic, owner } = this.#options;
    const { low, end } = await this.#topic.offsets();
    const first = low.get(CURSOR_PARTITION) ?? 0n;
    const last = end.get(CURSOR_PARTITION) ?? 0n;
    const windows = last - first > CURSOR_WINDOW ? [last - CURSOR_WINDOW, first] : [first];
    for (const from of windows) {
      let found: EdgeCursor | undefined;
      for await (const { partition, value } of this.#read(
        topic,
        new Map(end).set(CURSOR_PARTITION, from),
        end,
      )) {
        if (partition === CURSOR_PARTITION) found = cursorIn(value, owner) ?? found;
      }
      if (found !== undefined) return found.data;
    }
    return undefined;
  }

  #refuseIfStopped(): void {
    if (!this.#options.stop?.aborted) return;
    const message = 'The topic of states is not complete yet, and scopemesh stops.';
    throw new SyncError('ERR_DECISIONS_UNREACHABLE', message, { retriable: true });
  }

  /** Undefined for a checkpoint, another owner's decision and what another program wrote or forged. */
  #ownDecision(value: string): Decision | undefined {
    try {
      const decision = parseLogEvent(value);
      const isOwn = decision?.source.startsWith(`scopemesh/${this.#options.owner}/`) === true;
      return isOwn && this.#isProven(value) ? decision : undefined;
    } catch (error) {
      if (error instanceof SyncError) return undefined;
      throw error;
    }
  }

  #cursorAfter({ time, chain }: Decision): Message {
    const { owner } = this.#options;
    const event: EdgeCursor = {
      specversion: '1.0',
      id: ulid(),
      time,
      source: `scopemesh/${owner}`,
      type: EDGE_CURSOR_TYPE,
      subject: `cursor/${owner}`,
      datacontenttype: 'application/json',
      data: {
        owner,
        ...(chain === undefined || this.#lacks ? {} : { log: chain.log, sequence: chain.sequence }),
        offsets: Object.fromEntries([...(this.#offsets ?? [])].map(([at, offset]) => [`${at}`, `${offset}`])),
      },
    };
    return {
      key: event.subject,
      value: JSON.stringify(event),
      headers: HEADERS,
      partition: CURSOR_PARTITION,
    };
  }
}

function toMessage({ subject, event }: EdgeStateRecord): Message {
  return { key: subject, value: event === null ? null : JSON.stringify(event), headers: HEADERS };
}

/** Whether a decision that is read later is older. In one partition the order of the topic counts; in two of them, after partitions were added, the chain or the time. */
function isOlder(one: Placed, other: Placed): boolean {
  if (one.partition === other.partition) return false;
  const [{ chain, time }, known] = [one.decision, other.decision];
  return chain !== undefined && known.chain?.log === chain.log
    ? chain.sequence < known.chain.sequence
    : time < known.time;
}

function offsetsOf(cursor: EdgeCursor['data'] | undefined): Offsets {
  return new Map(Object.entries(cursor?.offsets ?? {}).map(([at, offset]) => [Number(at), BigInt(offset)]));
}

function cursorIn(value: string, owner: string): EdgeCursor | undefined {
  // Most records are states, which need not be parsed.
  if (!value.includes(EDGE_CURSOR_TYPE)) return undefined;
  const event = safeParse(EDGE_CURSOR_EVENT, jsonIn(value)).data;
  return event?.data.owner === owner ? event : undefined;
}
