import type { Kafka, Message } from 'kafkajs';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { toStoredText } from '../../src/decisions/chain.js';
import { StateTopic } from '../../src/decisions/kafka/state-topic.js';
import type { TopicMessage } from '../../src/decisions/kafka/topic-reader.js';
import type { Companion, TransactionalWriter } from '../../src/decisions/kafka/transactional-writer.js';
import type { Decision } from '../../src/model/decision.js';
import { decision } from '../support/decisions.js';

const EDGE = 'intention/default/default/orders/web';
const NO_OFFSETS: ReadonlyMap<number, bigint> = new Map();

function edge(after: unknown, changes: Partial<Decision> = {}): Decision {
  const names = { source: 'web', destination: 'orders', namespace: 'default', partition: 'default' };
  return decision({ subject: EDGE, resource: { kind: 'intention', ...names }, after, ...changes });
}

/** A topic of states over topics in memory: decisions by partition, and what was written. */
function world(decisions: readonly (readonly Decision[])[], from: readonly bigint[] = []) {
  const written: Message[] = [];
  const states: TopicMessage[] = [];
  const admin = {
    connect: async () => {},
    disconnect: async () => {},
    fetchTopicOffsets: async () => [{ partition: 0, low: '0', high: `${states.length}` }],
  };
  const kafka = { admin: () => admin } as unknown as Kafka;
  const commit = ({ messages }: Companion) => {
    for (const message of messages(NO_OFFSETS)) {
      written.push(message);
      if (message.value !== null) states.push({ partition: 0, value: String(message.value) });
    }
  };
  const writer = {
    write: async (_: readonly Message[], companion: Companion) => commit(companion),
  } as unknown as TransactionalWriter;
  const low = new Map(decisions.map((_, partition) => [partition, from[partition] ?? 0n]));
  const end = new Map(decisions.map((all, at) => [at, BigInt(all.length) + (from[at] ?? 0n)]));
  async function* read(topic: string, start: ReadonlyMap<number, bigint>): AsyncIterable<TopicMessage> {
    if (topic === 'decisions.state') yield* states;
    else
      for (const [partition, all] of decisions.entries()) {
        const skipped = Number((start.get(partition) ?? 0n) - (from[partition] ?? 0n));
        yield* all.slice(skipped).map((each) => ({ partition, value: toStoredText(each) }));
      }
  }
  const options = { owner: 'payments', topic: 'decisions.state', timeoutMs: 5_000, clock: systemClock };
  const topic = new StateTopic(async () => kafka, options, { writer, read });
  return {
    written,
    states,
    commit,
    topic,
    catchUp: () => topic.catchUp('decisions', async () => ({ low, end })),
  };
}

describe('the topic of states catches up', () => {
  it.each<[string, Partial<Decision>]>([
    ['although the clock was set back', { time: '2026-01-01T00:00:00.000Z' }],
    ['although a lost store began another log', { time: '2026-01-01T00:00:00.000Z', revision: 1 }],
  ])('with the last decision of a partition, %s', async (_, changes) => {
    const open = edge({ access: 'allow' }, { time: '2026-02-01T00:00:00.000Z', revision: 5 });
    const { catchUp, written } = world([[open, edge(null, changes)]]);
    await catchUp();
    expect(written).toMatchObject([{ key: EDGE, value: null }]);
  });

  it('across partitions with the newer decision by time', async () => {
    const open = edge({ access: 'allow' }, { time: '2026-02-01T00:00:00.000Z' });
    const { catchUp, written } = world([[edge(null, { time: '2026-03-01T00:00:00.000Z' })], [open]]);
    await catchUp();
    expect(written).toMatchObject([{ key: EDGE, value: null }]);
  });
});
