import type { Trail } from '../../src/decisions/trail.js';
import type { Decision } from '../../src/model/decision.js';

/** A trail of these decisions, oldest first, in memory. It knows `history` of everything and of one subject. */
export function memoryTrail(decisions: readonly Decision[]): Trail {
  const newestFirst = decisions.toReversed();
  const of = (subject: string) => newestFirst.filter((each) => each.subject === subject);
  return {
    extent: async () => ({ first: decisions.at(0)?.time, last: decisions.at(-1)?.time, isCut: false }),
    async *subjects(about) {
      if (!('prefix' in about)) throw new Error('not to be called');
      const all = new Set(decisions.map(({ subject }) => subject));
      yield* [...all].filter((subject) => subject.startsWith(about.prefix)).toSorted();
    },
    async *newestFirst(subject, at) {
      yield* of(subject).filter(({ time }) => time <= at);
    },
    next: async (subject, at) => of(subject).findLast(({ time }) => time > at),
    decision: async (id) => decisions.find((each) => each.id === id),
    async *eventsAround() {
      yield* [];
    },
    async *history(about, { from = '', to = '~' }) {
      if (about !== 'all' && !('subject' in about)) throw new Error('not to be called');
      const found = about === 'all' ? newestFirst : of(about.subject);
      const end = typeof to === 'string' ? '~' : to.id;
      const after = Math.max(
        0,
        found.findIndex(({ id }) => id === end),
      );
      yield* found.slice(after).filter(({ time }) => time >= from && (typeof to !== 'string' || time <= to));
    },
    close: async () => {},
  };
}
