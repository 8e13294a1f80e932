import type { ChainLink } from '../../model/decision.js';
import { HOUR_MS, type TopicContent } from '../topic-content.js';
import type { TopicIndexState } from './topic-index-state.js';

/**
 * Finds decisions that are missing in the index of a topic, or not at their place. What the index itself says is missing, it says
 * in each answer too: that is no fault.
 */
export class RowCheck {
  readonly #state: TopicIndexState;
  readonly #topic: TopicContent;
  readonly #rank: ReadonlyMap<string, number>;
  readonly #ends = new Map<
    string,
    { readonly first: number; readonly time: string; readonly last: ChainLink }
  >();
  #latest = 0;

  constructor(state: TopicIndexState, topic: TopicContent) {
    this.#state = state;
    this.#topic = topic;
    this.#rank = new Map([...topic.logs.keys()].map((log, at) => [log, at]));
  }

  /** The rows in their order. What is wrong, if something is. */
  see(link: ChainLink, time: string): string | undefined {
    const { log, sequence, previousHash } = link;
    const rank = this.#rank.get(log) ?? this.#latest;
    if (rank < this.#latest) return `decision ${sequence} of log ${log} is behind a later log`;
    this.#latest = rank;
    const ends = this.#ends.get(log);
    this.#ends.set(log, { first: sequence, time, ...ends, last: link });
    if (ends === undefined) return undefined;
    const { last } = ends;
    if (sequence <= last.sequence) return `decision ${sequence} of log ${log} is not at its place`;
    const isNext = sequence === last.sequence + 1;
    if (isNext ? previousHash === last.hash : this.#isKnown(log, last.sequence + 1, sequence - 1, time))
      return undefined;
    return missing(log, last.sequence + 1);
  }

  /** Call it after all rows. */
  atEnd(): string | undefined {
    const { chains, holes, until, broken } = this.#state;
    const { logs, cutoff } = this.#topic;
    for (const [log, { sequence, hash, time }] of Object.entries(chains)) {
      const last = this.#ends.get(log)?.last;
      if (last === undefined ? time > cutoff : last.hash !== hash) return missing(log, sequence);
    }
    for (const [log, { last, firstKept }] of logs) {
      const { sequence = 0 } = chains[log] ?? {};
      const isDue = until !== undefined && Date.parse(last.time) < Date.parse(until) - HOUR_MS;
      const isTold = holes[log] !== undefined || broken !== undefined;
      if (sequence < last.sequence && isDue && last.time > cutoff && !isTold)
        return missing(log, sequence + 1);
      const ends = this.#ends.get(log);
      if (ends === undefined || firstKept === undefined || firstKept >= ends.first) continue;
      if (!this.#isKnown(log, firstKept, ends.first - 1, ends.time)) return missing(log, firstKept);
    }
    return undefined;
  }

  /** Whether the index says that these decisions are missing. `time`: of the next one. */
  #isKnown(log: string, from: number, to: number, time: string): boolean {
    const { chains, gaps, begin = '' } = this.#state;
    if (begin !== 'whole' && time <= begin) return true;
    const { missing } = chains[log] ?? {};
    if (missing === undefined || from < missing.from || to > missing.to) return false;
    // A gap is forgotten once what is behind it is old.
    return time <= this.#topic.cutoff || gaps.some(({ after, until }) => after <= time && time <= until);
  }
}

function missing(log: string, sequence: number): string {
  return `decision ${sequence} of log ${log} is missing at its place`;
}
