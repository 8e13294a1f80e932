import { parseLogEvent } from '../../src/decisions/log.js';
import type { Decision } from '../../src/model/decision.js';
import { readTopic } from '../stack/kcat.js';
import { until } from '../stack/process.js';
import { faultsOf } from '../support/decisions.js';
import { judgeEvent } from '../support/event-schemas.js';

/** What a decision must at least be. */
export type Expected = Partial<Pick<Decision, 'subject' | 'reason' | 'outcome' | 'action'>> & {
  readonly cause?: string;
};

export interface DecisionTopic {
  /** Every decision on the topic, in the order of each subject, as kcat reads it. */
  read(): Promise<readonly Decision[]>;
  /** A decision that is not in `mark` and is as expected; waits for it (20 s). */
  waitFor(expected: Expected, mark: ReadonlySet<string>): Promise<Decision>;
  /** The ids of all decisions of now: a place to wait from. */
  mark(): Promise<ReadonlySet<string>>;
  /** What is wrong with the whole topic: an id twice, a revision missing, doubled or out of order, a key that is not the subject, an event that its schema refuses. */
  faults(): Promise<readonly string[]>;
}

/** The topic through kcat, which shares no code with the client that wrote it. */
export function openDecisionTopic(broker: string, topic: string): DecisionTopic {
  const messages = async () =>
    (await readTopic(broker, topic))
      .flatMap((message) => {
        const decision = parseLogEvent(message.value);
        return decision === undefined ? [] : [{ ...message, decision }];
      })
      // Of several partitions, which kcat reads in any order; within one, its own order is kept.
      .toSorted((a, b) => a.partition - b.partition || a.offset - b.offset);
  const read = async () => (await messages()).map(({ decision }) => decision);
  return {
    read,
    mark: async () => new Set((await read()).map(({ id }) => id)),
    async waitFor(expected, mark) {
      let seen: readonly Decision[] = [];
      const look = async () => {
        seen = (await read()).filter(({ id }) => !mark.has(id));
        return seen.find((decision) => isAs(decision, expected));
      };
      return until(`the decision ${JSON.stringify(expected)}`, look, {
        timeoutMs: 20_000,
        intervalMs: 100,
      }).catch((error: unknown) => {
        const brief = seen.map(
          ({ subject, reason, outcome, cause }) => `${subject} ${reason} ${outcome} ${cause.kind}`,
        );
        throw new Error(`no decision ${JSON.stringify(expected)} among:\n${brief.join('\n')}`, {
          cause: error,
        });
      });
    },
    async faults() {
      const all = await messages();
      const ids = new Set<string>();
      const doubled = all.filter(({ decision: { id } }) => ids.size === ids.add(id).size);
      const misplaced = all.filter(({ key, decision }) => key !== decision.subject);
      const shapes = all.flatMap(({ value, decision: { id } }) => {
        const fault = judgeEvent(JSON.parse(value));
        return fault === undefined ? [] : [`${id}: ${fault}`];
      });
      return [
        ...shapes,
        ...doubled.map(({ decision }) => `${decision.id} is there twice`),
        ...misplaced.map(({ key, decision }) => `${decision.subject} under the key ${key}`),
        ...faultsOf(all.map(({ decision }) => decision)),
      ];
    },
  };
}

function isAs(decision: Decision, expected: Expected): boolean {
  const { cause, ...fields } = expected;
  return (
    (cause === undefined || decision.cause.kind === cause) &&
    Object.entries(fields).every(([name, value]) => Reflect.get(decision, name) === value)
  );
}
