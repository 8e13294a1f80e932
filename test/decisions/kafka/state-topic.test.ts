import type { Kafka, Message } from 'kafkajs';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { ProofCheck } from '../../../src/decisions/batch-proof.js';
import { toStoredText } from '../../../src/decisions/chain.js';
import { StateTopic } from '../../../src/decisions/kafka/state-topic.js';
import type { TopicMessage } from '../../../src/decisions/kafka/topic-reader.js';
import type {
  DependentMessages,
  TransactionalWriter,
} from '../../../src/decisions/kafka/transactional-writer.js';
import type { Decision } from '../../../src/model/decision.js';
import { silentLogger } from '../../../src/observe.js';
import { decision } from '../../support/decisions.js';
import { chained, verifier } from '../../support/signed-log.js';

const EDGE = 'intention/default/default/orders/web';
const NO_OFFSETS: ReadonlyMap<number, bigint> = new Map();

function edge(after: unknown, changes: Partial<Decision> = {}): Decision {
  const names = { source: 'web', destination: 'orders', namespace: 'default', partition: 'default' };
  return decision({ subject: EDGE, resource: { kind: 'intention', ...names }, after, ...changes });
}

/** A topic of states over topics in memory: decisions by partition, and what was written. */
function world(
  decisions: readonly (readonly Decision[])[],
  from: readonly bigint[] = [],
  states: Omit<TopicMessage, 'offset'>[] = [],
  isProven: (event: string) => boolean = () => true,
) {
  const written: Message[] = [];
  const errors: unknown[] = [];
  const logger = { ...silentLogger, error: (...args: unknown[]) => void errors.push(args[1]) };
  const admin = {
    connect: async () => {},
    disconnect: async () => {},
    fetchTopicOffsets: async () => [{ partition: 0, low: '0', high: `${states.length}` }],
  };
  const kafka = { admin: () => admin } as unknown as Kafka;
  const commit = ({ messages }: DependentMessages) => {
    for (const message of messages(NO_OFFSETS)) {
      written.push(message);
      if (message.value !== null) states.push({ partition: 0, value: String(message.value) });
    }
  };
  const writer = {
    write: async (_: readonly Message[], dependent: DependentMessages) => commit(dependent),
  } as unknown as TransactionalWriter;
  const low = new Map(decisions.map((_, partition) => [partition, from[partition] ?? 0n]));
  const end = new Map(decisions.map((all, at) => [at, BigInt(all.length) + (from[at] ?? 0n)]));
  async function* read(
    topic: string,
    start: ReadonlyMap<number, bigint>,
  ): AsyncIterable<Omit<TopicMessage, 'offset'>> {
    if (topic === 'decisions.state') yield* states;
    else
      for (const [partition, all] of decisions.entries()) {
        const skipped = Number((start.get(partition) ?? 0n) - (from[partition] ?? 0n));
        yield* all.slice(skipped).map((each) => ({ partition, value: toStoredText(each) }));
      }
  }
  const options = {
    owner: 'payments',
    topic: 'decisions.state',
    timeoutMs: 5_000,
    clock: systemClock,
    logger,
  };
  const topic = new StateTopic(async () => kafka, options, { writer, read, isProven });
  return {
    written,
    states,
    errors,
    publish: (...all: readonly Decision[]) => commit(topic.of(all)),
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

  it('without what none of the keys signed, which anybody may write who may write to the topic of decisions', async () => {
    const [signed] = chained([edge({ access: 'allow' }, { time: '2026-02-01T00:00:00.000Z' })]);
    const forged = edge(null, { time: '2026-03-01T00:00:00.000Z', revision: 9 });
    const proofs = new ProofCheck([verifier]);
    const all = [signed, forged].flatMap((each) => each ?? []);
    const { catchUp, written } = world([all], [], [], (event) => proofs.isProvenEvent(event));
    await catchUp();
    expect(written).toMatchObject([{ key: EDGE, value: expect.stringContaining('"access":"allow"') }]);
  });

  it('across partitions with the newer decision by time', async () => {
    const open = edge({ access: 'allow' }, { time: '2026-02-01T00:00:00.000Z' });
    const { catchUp, written } = world([[edge(null, { time: '2026-03-01T00:00:00.000Z' })], [open]]);
    await catchUp();
    expect(written).toMatchObject([{ key: EDGE, value: null }]);
  });
});

const at = (sequence: number, log = 'log') => ({
  chain: { log, sequence, previousHash: '0'.repeat(64), hash: '0'.repeat(64) },
});

/** The newest cursor says that the states contain the first five decisions, before offset 5. */
async function states(): Promise<Omit<TopicMessage, 'offset'>[]> {
  const first = world([[1, 2, 3, 4, 5].map((each) => edge({ access: 'allow' }, at(each)))]);
  await first.catchUp();
  first.publish(edge({ access: 'allow' }, at(5)));
  return first.states;
}

describe('after retention deleted decisions, the topic of states', () => {
  const off = edge({ access: 'deny' }, at(7));
  it.each<[string, readonly Decision[], bigint, Decision]>([
    ['which it lacks', [off], 9n, edge(null, at(8))],
    ['the last of which it lacks', [], 9n, edge(null, at(8))],
    ['of a lost store', [], 9n, edge(null, at(1, 'other'))],
  ])('%s, claims nothing and says so at each start', async (_, left, low, next) => {
    const lacking = world([left], [low], await states());
    await lacking.catchUp();
    lacking.publish(next);
    lacking.publish(edge(null, at(9)));
    const cursors = lacking.written.filter(({ key }) => key === 'cursor/payments');
    expect(cursors).toHaveLength(2);
    for (const { value } of cursors) expect(JSON.parse(String(value)).data).not.toHaveProperty('sequence');
    expect(lacking.errors).toEqual([expect.stringContaining('delete the topic')]);
    const again = world([[]], [12n], lacking.states);
    await again.catchUp();
    expect(again.errors).toHaveLength(1);
  });

  it.each<[string, readonly Decision[], bigint]>([
    ['all of which it has', [edge({ access: 'deny' }, at(6)), off], 7n],
    ['none, after what it has', [edge({ access: 'deny' }, at(6)), off], 5n],
  ])('%s, goes on', async (_, left, low) => {
    const complete = world([left], [low], await states());
    await complete.catchUp();
    complete.publish(edge(null, at(8)));
    expect(JSON.parse(String(complete.written.at(-1)?.value)).data).toMatchObject({ sequence: 8 });
    expect(complete.errors).toEqual([]);
  });
});
