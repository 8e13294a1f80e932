import { expect, it } from 'vitest';
import { openKept, type StoredCheckpoint } from '../../src/decisions/checkpoint.js';
import { Checkpoints } from '../../src/decisions/checkpoints.js';
import { Publication } from '../../src/decisions/publication.js';
import { type Logger, type Metrics, noMetrics, silentLogger, type Tracing } from '../../src/observe.js';
import { decision, faultsOf } from '../support/decisions.js';
import { createMovableClock } from '../support/movable-clock.js';
import { deps, log, settle, store, useRelayRig } from '../support/relay-rig.js';
import { verifier } from '../support/signed-log.js';
import { createFacts } from '../support/worker-facts.js';

useRelayRig();

/** What the log holds, as its numbers in the chain. */
const numbers = () => log.held.map(({ chain }) => chain?.sequence);
const upTo = (count: number) => Array.from({ length: count }, (_, at) => at + 1);

async function moveAll(publication: Publication): Promise<void> {
  while ((await publication.moveBatch()) > 0);
}

it('reports how many decisions wait: before a full batch, before one that is not full, and after it', async () => {
  const lengths: number[] = [];
  const gauge: Metrics['gauge'] = (name, length) =>
    void (name === 'scopemesh_outbox_decisions' && lengths.push(length));
  await settle(900);
  await moveAll(new Publication(deps({ metrics: { ...noMetrics, gauge } })));
  expect(lengths).toEqual([900, 100, 0, 0]);
});

it('ends the span of each trace that its decisions follow from', async () => {
  const clock = createMovableClock();
  clock.freeze();
  const spans: unknown[] = [];
  const tracing: Tracing = {
    begin: async (_, traceparent, __, work) => work(traceparent),
    step: async (_, __, work) => work(),
    ended: (name, traceparents, startedAt) => void spans.push([name, [...traceparents], startedAt]),
  };
  const publication = new Publication(deps({ tracing, clock }));
  const startedAt = clock.now();
  log.onAppend = (_, keep) => {
    clock.advance(70);
    keep();
  };
  const { cause } = decision();
  const of = (traceparent: string) => decision({ cause: { ...cause, traceparent } });
  await store.journal.settle('a', [of('00-1'), decision(), of('00-2'), of('00-1')]);
  await publication.moveBatch();
  expect(spans).toEqual([['publish', ['00-1', '00-2'], startedAt]]);
  await settle(1);
  await publication.moveBatch();
  expect(spans).toHaveLength(1);
});

it('sends the rest of a batch of which the log has a part, with the same places in the chain', async () => {
  const said: unknown[] = [];
  const logger: Logger = { ...silentLogger, debug: (fields, message) => void said.push([fields, message]) };
  await settle(5);
  const publication = new Publication(deps({ logger }));
  log.onAppend = (batch) => {
    log.held.push(...batch.slice(0, 2));
    throw new Error('away');
  };
  await expect(publication.moveBatch()).rejects.toThrow('away');
  expect(publication.head).toBeUndefined();
  log.onAppend = (_, keep) => keep();
  await settle(2);
  await moveAll(publication);
  expect(numbers()).toEqual(upTo(7));
  expect(faultsOf(log.held)).toEqual([]);
  expect(said).toEqual([
    [{ doubtful: 5, present: 2 }, 'checked which decisions of the last batch are in the log'],
  ]);
  expect(publication.head?.tree.size).toBe(7);
});

it('forgets without sending it a batch that the log has as a whole, and asks nothing about one that is forgotten', async () => {
  await settle(2);
  const publication = new Publication(deps());
  log.onAppend = (_, keep) => {
    keep();
    throw new Error('the answer was lost');
  };
  await expect(publication.moveBatch()).rejects.toThrow('the answer was lost');
  await new Publication(deps()).moveBatch();
  expect(numbers()).toEqual([1, 2]);
  await settle(1);
  log.onAppend = (_, keep) => keep();
  log.asked.length = 0;
  await new Publication(deps()).moveBatch();
  expect(log.asked).toEqual([[]]);
  expect(numbers()).toEqual([1, 2, 3]);
});

it('signs where a log begins, once, into the log and into the note outside of it', async () => {
  const notes: string[] = [];
  const kept = { read: async () => undefined, write: async (note: string) => void notes.push(note) };
  const publication = new Publication(deps({ kept }));
  for (const count of [1, 2]) {
    await settle(count);
    await publication.moveBatch();
  }
  expect(log.checkpoints).toMatchObject([{ source: 'scopemesh/payments', tree: { size: 0 } }]);
  expect(log.checkpoints.map(({ note }) => note)).toEqual(notes);
  expect(log.checkpoints[0]?.log).toBe(log.held[0]?.chain?.log);
});

it('signs where a log begins before the rest of its first batch, if a crash came between', async () => {
  await settle(2);
  const append = log.appendCheckpoint.bind(log);
  log.appendCheckpoint = async () => Promise.reject(new Error('killed'));
  await expect(new Publication(deps()).moveBatch()).rejects.toThrow('killed');
  const order: string[] = [];
  log.appendCheckpoint = (checkpoint: StoredCheckpoint) => {
    order.push('begins');
    return append(checkpoint);
  };
  log.onAppend = (_, keep) => {
    order.push('decisions');
    keep();
  };
  await moveAll(new Publication(deps()));
  expect(order).toEqual(['begins', 'decisions']);
  expect(numbers()).toEqual([1, 2]);
});

it('asks once where the log ends for all its batches, and after a lost store by the note that is kept outside', async () => {
  let note: string | undefined;
  const kept = {
    read: async () => (note === undefined ? undefined : openKept([verifier], note)),
    write: async (text: string) => {
      note = text;
    },
  };
  const asked: unknown[] = [];
  log.lastLink = async (...about) => {
    asked.push(about);
    return 'unknown';
  };
  let positions = 0;
  const position = log.position.bind(log);
  log.position = () => {
    positions++;
    return position();
  };
  const publication = new Publication(deps({ kept }));
  for (const count of [1, 2]) {
    await settle(count);
    await publication.moveBatch();
  }
  expect(positions).toBe(1);
  await new Checkpoints(deps({ kept })).sign(publication.head);
  await settle(1);
  await new Publication(deps({ kept, keyValues: createFacts() })).moveBatch();
  expect(asked).toEqual([
    ['', 0],
    [log.held[0]?.chain?.log, 3],
  ]);
});
