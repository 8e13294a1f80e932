import type { Kafka, Message } from 'kafkajs';
import type { ChainLink, Decision } from '../../model/decision.js';
import { fieldOf } from '../../model/field-of.js';
import { jsonIn } from '../../model/json-in.js';
import type { Metrics } from '../../observe.js';
import type { ProofCheck } from '../batch-proof.js';
import { linkOf, toStoredText } from '../chain.js';
import { checkpointSubject, type StoredCheckpoint, toCheckpointEvent } from '../checkpoint.js';
import { CONTENT_TYPE } from '../envelope.js';
import {
  closedLog,
  type DecisionLog,
  instantOf,
  type LogParts,
  type PlacedEvent,
  type ReadOptions,
  ReplacedLog,
  readDecisions,
} from '../log.js';
import { createKafka, type KafkaConnectionOptions } from './connection.js';
import { KafkaTopic, type Offsets, startingAt, type TopicOptions } from './topic.js';
import {
  formatPosition,
  fromMarks,
  type Mark,
  markOf,
  NOWHERE,
  type Place,
  parsePosition,
  type TopicPosition,
  unseenOf,
} from './topic-position.js';
import { readCommitted, type TopicMessage, TopicReader, type TopicReaderOptions } from './topic-reader.js';
import { TRANSACTION_TIMEOUT_MS, TransactionalWriter, type WriterOptions } from './transactional-writer.js';

export interface KafkaDecisionLogOptions extends KafkaConnectionOptions, TopicOptions, WriterOptions {
  readonly metrics: Metrics;
  /** The keys whose decisions count: anybody who may write to the topic can leave others there. Absent: all count. */
  readonly proofs?: () => ProofCheck;
}

/**
 * The decision log as a Kafka topic. Each message is a CloudEvent in structured mode with the subject as key, and each
 * `append` is one transaction. Connects at first use. Read it with isolation level read_committed.
 */
export function createKafkaDecisionLog(options: KafkaDecisionLogOptions): DecisionLog {
  return new KafkaDecisionLog(options);
}

type ReadRange = Pick<TopicReaderOptions, 'start'>;

/** A read of what follows a position. */
interface PartsRead {
  readonly since: string;
  readonly marks: ReadonlyMap<number, Mark>;
  readonly low: Offsets;
  readonly start: Offsets;
  readonly end: Offsets;
  /** Behind what was read; filled by the read. */
  readonly behind: { readonly offsets: Map<number, bigint>; readonly marks: Map<number, Mark> };
  readonly position: () => string;
}

const HEADERS = { 'content-type': CONTENT_TYPE };
/** How many offsets the first look for the last decision of a partition covers; markers of transactions have some. */
const FIRST_WINDOW = 16n;
const LAST_WINDOW = 4_096n;
const MAX_TRIES = 50;
const RETRY_MS = 5;

class KafkaDecisionLog implements DecisionLog {
  readonly #options: KafkaDecisionLogOptions;
  readonly #topic: KafkaTopic;
  readonly #writer: TransactionalWriter;
  readonly #closing = new AbortController();
  readonly #isProven = (event: string) => this.#options.proofs?.().isProvenEvent(event) ?? true;
  /** The reader of the last `readParts`, and the position that it is at. */
  #reading: { readonly reader: TopicReader; readonly position: () => string } | undefined;

  constructor(options: KafkaDecisionLogOptions) {
    this.#options = options;
    const connect = () => createKafka(options);
    this.#topic = new KafkaTopic(connect, options);
    this.#writer = new TransactionalWriter(connect, options);
  }

  async check(): Promise<void> {
    this.#refuseIfClosed();
    await this.#topic.check();
  }

  async position(): Promise<string> {
    this.#refuseIfClosed();
    const place = await this.#place();
    const { end } = await this.#bounds();
    return formatPosition(place, { ...NOWHERE, offsets: end });
  }

  async append(decisions: readonly Decision[]): Promise<void> {
    this.#refuseIfClosed();
    const begun = this.#options.clock.now();
    await this.#writer.write(decisions.map(toMessage));
    this.#options.metrics.time('scopemesh_publish_seconds', (this.#options.clock.now() - begun) / 1000);
  }

  /** Reads back from the end of each partition until it finds a decision of the log: usually a handful of messages. */
  async lastLink(log: string, known: number): Promise<ChainLink | undefined | 'unknown'> {
    this.#refuseIfClosed();
    const { low, end } = await this.#bounds();
    let last: ChainLink | undefined;
    let open = new Map([...end].filter(([at, to]) => to > (low.get(at) ?? 0n)));
    // A partition that is empty now may have had the last decision.
    let isCertain = [...end].every(([at, to]) => open.has(at) || to === 0n);
    for (let window = FIRST_WINDOW; open.size > 0 && window <= LAST_WINDOW; window *= 16n) {
      const start = new Map([...open].map(([at, to]) => [at, larger(to - window, low.get(at))]));
      const found = new Set<number>();
      for await (const { partition, value } of this.#read({ start, end: open }, this.#closing.signal)) {
        const link = linkOf(jsonIn(value));
        if (link?.log !== log || !this.#isProven(value)) continue;
        found.add(partition);
        if (link.sequence > (last?.sequence ?? 0)) last = link;
      }
      this.#refuseIfClosed(); // the read may be incomplete
      const left = [...start].filter(([at]) => !found.has(at));
      isCertain &&= left.every(([at, from]) => from > (low.get(at) ?? 0n) || from === 0n);
      open = new Map(left.filter(([at, from]) => from > (low.get(at) ?? 0n)));
    }
    return (isCertain && open.size === 0) || (last?.sequence ?? 0) >= Math.max(known, 1) ? last : 'unknown';
  }

  async appendCheckpoint(checkpoint: StoredCheckpoint): Promise<void> {
    this.#refuseIfClosed();
    const value = JSON.stringify(toCheckpointEvent(checkpoint));
    await this.#writer.write([{ key: checkpointSubject(checkpoint.log), value, headers: HEADERS }]);
  }

  async contains(ids: readonly string[], since: string): Promise<ReadonlySet<string>> {
    this.#refuseIfClosed();
    // First, so that none of the IDs can appear after the answer.
    await this.#writer.fence();
    if (ids.length === 0) return new Set();
    const { low } = await this.#topic.offsets();
    const end = await this.#writer.probe([...low.keys()]);
    // Of a position in another log, all that this one has is after it.
    const start = startingAt((parsePosition(since, await this.#place()) ?? NOWHERE).offsets, low, end);
    const asked = new Set(ids);
    const found = new Set<string>();
    for await (const { value } of this.#read({ start, end }, this.#closing.signal)) {
      const id = fieldOf(jsonIn(value), 'id');
      if (typeof id === 'string' && asked.has(id) && this.#isProven(value)) found.add(id);
    }
    this.#refuseIfClosed(); // the read may be incomplete
    return found;
  }

  read(options: ReadOptions, signal: AbortSignal): AsyncIterable<Decision> {
    return readDecisions(this, options, signal, this.#options.logger, this.#isProven);
  }

  async *readEvents(options: ReadOptions, signal: AbortSignal): AsyncIterable<string> {
    this.#refuseIfClosed();
    const from = instantOf(options.from);
    const stop = AbortSignal.any([signal, this.#closing.signal]);
    if (stop.aborted) return;
    const { low, end } = await this.#bounds();
    const start = options.from === 'end' ? end : from === undefined ? low : await this.#topic.offsetsAt(from);
    for await (const { value } of this.#read({ start, ...(options.follow ? {} : { end }) }, stop))
      yield value;
  }

  async *readFrom(position: string, signal: AbortSignal): AsyncIterable<PlacedEvent> {
    this.#refuseIfClosed();
    const stop = AbortSignal.any([signal, this.#closing.signal]);
    if (stop.aborted) return;
    const place = await this.#place();
    const asked = parsePosition(position, place);
    try {
      if (asked !== undefined) {
        yield* this.#follow(place, asked, false, stop);
        return;
      }
    } catch (error) {
      if (!(error instanceof ReplacedLog)) throw error;
    }
    this.#options.logger.warn({ ...place }, 'a reader has a position of another log: it reads everything');
    yield* this.#follow(place, NOWHERE, true, stop);
  }

  async *#follow(
    place: Place,
    from: TopicPosition,
    isAfterGap: boolean,
    signal: AbortSignal,
  ): AsyncIterable<PlacedEvent> {
    const { low, end } = await this.#bounds();
    const start = startingAt(from.offsets, low, end);
    // A partition that was added later has no position, and nothing of it is missing.
    let isGap = isAfterGap || [...start].some(([at, to]) => (from.offsets.get(at) ?? to) !== to);
    const behind = { offsets: new Map(start), marks: new Map(from.marks) };
    const marked = new Map<number, bigint>();
    for (const [at, { offset }] of from.marks) if (offset < (end.get(at) ?? 0n)) marked.set(at, offset + 1n);
    // First, so that nothing of another topic is given as if it followed.
    const unseen = unseenOf(from.marks, low, marked);
    const old = this.#read({ start: fromMarks(marked, unseen), end: marked }, signal);
    for await (const _ of this.#afterMarks(old, unseen, marked, signal));
    for await (const message of this.#read({ start }, signal)) {
      passed(behind, message);
      isGap ||= message.isAfterGap === true;
      const placed = { event: message.value, position: formatPosition(place, behind) };
      yield isGap ? { ...placed, isAfterGap: true } : placed;
      isGap = false;
    }
  }

  async readParts(signal: AbortSignal, since = ''): Promise<LogParts> {
    this.#refuseIfClosed();
    const stop = AbortSignal.any([signal, this.#closing.signal]);
    const place = await this.#place();
    const { low, end } = await this.#bounds();
    const from = parsePosition(since, place);
    if (from === undefined || [...from.offsets].some(([at, to]) => to > (end.get(at) ?? 0n)))
      throw replaced(place);
    const start = startingAt(from.offsets, low, end);
    const behind = { offsets: new Map(start), marks: new Map(from.marks) };
    const isNews = [...start].some(([at, first]) => first < (end.get(at) ?? 0n));
    const position = () => formatPosition(place, behind);
    return {
      cut: [...low].flatMap(([at, first]) => (first > (from.offsets.get(at) ?? 0n) ? [`${at}`] : [])),
      events: isNews
        ? this.#parts({ since, marks: from.marks, low, start, end, behind, position }, stop)
        : nothing(),
      position,
    };
  }

  /** Goes on with the reader of the last read if that ended at `since`, and keeps it for the next one. */
  async *#parts(
    { since, marks, low, start, end, behind, position }: PartsRead,
    signal: AbortSignal,
  ): LogParts['events'] {
    const last = this.#reading;
    this.#reading = undefined;
    const isNext = last?.position() === since;
    if (!isNext) await last?.reader.close();
    const unseen = isNext ? new Map<number, Mark>() : unseenOf(marks, low, start);
    const reader = (isNext && last?.reader) || (await this.#openReader({ start: fromMarks(start, unseen) }));
    let isDone = false;
    try {
      for await (const message of this.#afterMarks(reader.read(end, signal), unseen, start, signal)) {
        passed(behind, message);
        const { partition, offset, value } = message;
        yield { part: `${partition}`, event: value, place: `partition ${partition}, offset ${offset}` };
      }
      isDone = !signal.aborted;
    } finally {
      if (!isDone) await reader.close();
    }
    if (!isDone) return;
    // Behind the last message there are markers of transactions.
    for (const [at, to] of end) behind.offsets.set(at, larger(to, behind.offsets.get(at)));
    this.#reading = { reader, position };
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all([this.#writer.close(), this.#topic.close(), this.#reading?.reader.close()]);
  }

  async *#read(
    { end, ...range }: ReadRange & { readonly end?: Offsets },
    signal: AbortSignal,
  ): AsyncIterable<TopicMessage> {
    const kafka: Kafka = await createKafka(this.#options);
    yield* readCommitted(
      kafka,
      { ...this.#readerOptions(range), ...(end === undefined ? {} : { end }) },
      signal,
    );
  }

  async #openReader(range: ReadRange): Promise<TopicReader> {
    return new TopicReader(await createKafka(this.#options), this.#readerOptions(range));
  }

  #readerOptions(range: ReadRange): TopicReaderOptions {
    const { topic, clientId, timeoutMs, clock } = this.#options;
    // Nothing after another writer's open transaction is readable before the broker ends that transaction.
    return { topic, clientId, clock, patienceMs: timeoutMs + TRANSACTION_TIMEOUT_MS, ...range };
  }

  /**
   * The messages from `start`. Looks among those before it for the ones that were read last, and throws ReplacedLog if one of
   * them is another one now, or is not there although Kafka did not delete it.
   */
  async *#afterMarks(
    messages: AsyncIterable<TopicMessage>,
    unseen: Map<number, Mark>,
    start: Offsets,
    signal: AbortSignal,
  ): AsyncIterable<TopicMessage> {
    for await (const message of messages) {
      const { partition, offset } = message;
      const mark = unseen.get(partition);
      if (mark?.offset === offset && markOf(message)?.id === mark.id) unseen.delete(partition);
      if (offset < (start.get(partition) ?? 0n)) continue;
      if (unseen.has(partition)) await this.#refuseReplaced(unseen);
      yield message;
    }
    if (unseen.size > 0 && !signal.aborted) await this.#refuseReplaced(unseen);
  }

  /** Forgets the marks that Kafka deleted meanwhile. Throws ReplacedLog if one is left. */
  async #refuseReplaced(unseen: Map<number, Mark>): Promise<void> {
    const { low } = await this.#topic.offsets();
    for (const [at, { offset }] of unseen) if (offset < (low.get(at) ?? 0n)) unseen.delete(at);
    if (unseen.size > 0) throw replaced(await this.#place());
  }

  /**
   * The begin and end of the partitions. Readers see a transaction a moment after its commit was acknowledged, so this waits
   * for own writes, but not for long: another writer's open transaction may precede them.
   */
  async #bounds(): Promise<{ readonly low: Offsets; readonly end: Offsets }> {
    const { written } = this.#writer;
    for (let tries = 1; ; tries++) {
      const { low, end } = await this.#topic.offsets();
      const isBehind = [...end].some(([partition, offset]) => offset < (written.get(partition) ?? 0n));
      if (!isBehind) return { low, end };
      if (tries === MAX_TRIES) {
        return { low, end: new Map([...end].map(([at, offset]) => [at, larger(offset, written.get(at))])) };
      }
      await this.#options.clock.sleep(RETRY_MS);
      this.#refuseIfClosed();
    }
  }

  async #place(): Promise<Place> {
    return { cluster: await this.#topic.clusterId(), topic: this.#options.topic };
  }

  #refuseIfClosed(): void {
    if (this.#closing.signal.aborted) throw closedLog();
  }
}

async function* nothing(): LogParts['events'] {}

function toMessage(decision: Decision): Message {
  return {
    key: decision.subject,
    value: toStoredText(decision),
    headers: HEADERS,
  };
}

function passed(behind: PartsRead['behind'], message: TopicMessage): void {
  behind.offsets.set(message.partition, message.offset + 1n);
  const mark = markOf(message);
  if (mark !== undefined) behind.marks.set(message.partition, mark);
}

function replaced({ topic }: Place): ReplacedLog {
  return new ReplacedLog(
    'ERR_DECISIONS_UNREACHABLE',
    `The topic ${topic} is another one than the one that was read before: it was made again, or the cluster is another.`,
    { retriable: true },
  );
}

function larger(a: bigint, b = 0n): bigint {
  return a > b ? a : b;
}
