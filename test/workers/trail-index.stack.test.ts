import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Config } from '../../config/config.js';
import { systemClock } from '../../src/clock.js';
import type { Decision } from '../../src/model/decision.js';
import { noMetrics, silentLogger } from '../../src/observe.js';
import { runTrailIndex } from '../../workers/trail-index.js';
import { openTrail } from '../../workers/wire.js';
import { type CommandLine, createCommandLine } from '../support/command-line.js';
import { edgeDecision, narrowedInTrial } from '../support/decisions.js';
import { startOrdersCommandLine } from '../support/orders-command-line.js';
import { createTopicWorld, signer, useKafka } from '../support/topic-world.js';
import { until } from '../support/until.js';

const { kafka, admin, deleteTopic } = useKafka();

const READ = { access: 'http', permissions: [{ methods: ['GET'], pathExact: '/v1/orders' }] };
const BOTH = { access: 'http', permissions: [{ methods: ['GET', 'POST'], pathExact: '/v1/orders' }] };
const WRITE = ['--method', 'POST', '--path', '/v1/orders'];
const LONG_MS = 100_000;
const day = (number: number) => `2026-03-${String(number).padStart(2, '0')}T10:00:00.000Z`;

const edge = (source: string, time: string, before: unknown, after: unknown): Decision =>
  edgeDecision(source, time, before, after, {
    action: after === null ? 'revoke' : 'grant',
    reason: after === null ? 'ClientDisabled' : 'ScopeGranted',
    scopes: ['orders:read'],
  });

/** The command line with the topic as its log. */
function commandLine(topic: string): CommandLine {
  const cli = createCommandLine();
  onTestFinished(() => cli.close());
  cli.configure({
    decisions: { kind: 'kafka', brokers: [kafka().broker], topic, trustedKeys: [signer.verifierKey] },
  });
  return cli;
}

async function ask(cli: CommandLine, ...args: string[]): Promise<Record<string, unknown>> {
  const ran = await cli.run([...args, '--from-topic', '--json']);
  if (ran.out === '') throw new Error(`${args.join(' ')}: ${ran.err}`);
  return { status: ran.status, ...ran.json() };
}

function settingsOf(topic: string, directory: string): Pick<Config, 'owner' | 'decisions' | 'state'> {
  return {
    owner: 'payments',
    decisions: {
      kind: 'kafka',
      brokers: [kafka().broker],
      topic,
      index: true,
      keepMs: 3_650 * 86_400_000,
      webhooks: [],
      trustedKeys: [signer.verifierKey],
      tls: false,
    },
    state: { directory },
  };
}

const runtime = { logger: silentLogger, metrics: noMetrics, clock: systemClock };

/** What the part `relay` runs beside the relay: the index in the state directory of the command line. */
function startIndex(cli: CommandLine, topic: string): () => Promise<void> {
  const stop = new AbortController();
  const running = runTrailIndex(
    { ...settingsOf(topic, join(cli.directory, 'state')), queue: { kind: 'embedded' } },
    { space: { isLow: () => false } },
    runtime,
    stop.signal,
  );
  return async () => {
    stop.abort();
    await running;
  };
}

const byAnother = (each: Decision): Decision => ({ ...each, source: 'scopemesh/payments/replica-2' });

async function callers(cli: CommandLine, ...more: string[]) {
  const ran = await cli.run(['who-can-call', 'orders', '--json', ...more]);
  if (ran.status !== 0) return { error: ran.out };
  const { at: _, unknown, ...answer } = ran.json();
  return { answer, unknown: JSON.stringify(unknown) };
}

/** Deletes the oldest events of each partition that has any. */
async function cut(topic: string, share: number): Promise<void> {
  const offsets = await admin().fetchTopicOffsets(topic);
  const partitions = offsets
    .map(({ partition, high }) => ({ partition, offset: `${Math.floor(Number(high) * share)}` }))
    .filter(({ offset }) => offset !== '0');
  await admin().deleteTopicRecords({ topic, partitions });
}

describe('questions to a topic with --from-topic', () => {
  it('add who called to the lines of an access log, but not to lines that are newer than the copy', async () => {
    const world = createTopicWorld(kafka().broker);
    await world.publish([edge('web', day(1), null, BOTH), edge('web', day(3), BOTH, READ)]);
    const id = (service: string) => `spiffe://a.consul/ns/default/dc/dc1/svc/${service}`;
    const line = (start_time: string) =>
      JSON.stringify({
        start_time,
        method: 'POST',
        path: '/v1/orders',
        downstream_peer_uri_san: id('web'),
        downstream_local_uri_san: id('orders'),
      });
    const piped = [day(2), day(3), '2999-01-01T00:00:00Z'].map(line).join('\n');
    const { out, err } = await commandLine(world.topic).run(['logs', '--from-topic'], { piped });
    const calls = out.split('\n').flatMap((text) => (text === '' ? [] : [JSON.parse(text) as unknown]));
    expect(calls, err).toMatchObject([
      { scopemesh: { verdict: 'allowed', client: { clientId: 'web-app' } } },
      { scopemesh: { verdict: 'denied', decision: { time: day(3) } } },
      { scopemesh: { verdict: null, decision: null, unknown: [expect.stringContaining('newer')] } },
    ]);
  });

  it('say what enforcing would take away, and since when it was planned', async () => {
    const { mesh, cli } = await startOrdersCommandLine();
    await mesh.write('orders', [{ Name: '*', Action: 'allow' }]);
    const world = createTopicWorld(kafka().broker);
    const time = new Date(Date.now() - 3_600_000).toISOString();
    await world.publish([narrowedInTrial(time)]);
    cli.configure({
      mode: 'observe',
      decisions: {
        kind: 'kafka',
        brokers: [kafka().broker],
        topic: world.topic,
        trustedKeys: [signer.verifierKey],
      },
    });
    expect(await ask(cli, 'trial')).toMatchObject({
      status: 1,
      isBreaking: true,
      edges: [
        { source: 'bot', effect: 'opens' },
        { source: 'web', effect: 'narrows', since: { time } },
      ],
    });
  });

  it('are answered over decisions and checkpoints of several starts', async () => {
    const world = createTopicWorld(kafka().broker);
    await world.publish([edge('web', day(1), null, BOTH), edge('batch', day(2), null, READ)]);
    await world.publish([edge('web', day(3), BOTH, READ)]);
    await world.publish([edge('batch', day(4), READ, null)]);
    const cli = commandLine(world.topic);
    const { decisions } = await ask(cli, 'history', 'orders');
    expect(decisions).toMatchObject([1, 2, 3, 4].map((number) => ({ time: day(number) })));
    for (const [at, callers] of [
      [day(2), ['batch', 'web']],
      [day(4), ['web']],
    ] as const)
      expect(await ask(cli, 'who-can-call', 'orders', '--at', at)).toMatchObject({
        callers: callers.map((source) => ({ source, certainty: 'applied' })),
      });
    const explain = (at: string) => ask(cli, 'explain', 'web', 'orders', '--at', at, ...WRITE);
    expect(await explain(day(2))).toMatchObject({ status: 0, allowed: true, verdict: 'allowed' });
    expect(await explain(day(3))).toMatchObject({ status: 4, allowed: false });
    expect(await ask(cli, 'access', 'diff', day(2), day(4))).toMatchObject({
      edges: [
        { kind: 'went', source: 'batch' },
        { kind: 'narrowed', source: 'web' },
      ],
    });
  });

  it('say what they cannot know of a topic that retention cut, and refuse the time before', async () => {
    const world = createTopicWorld(kafka().broker);
    const sources = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
    await world.publish(sources.map((source) => edge(source, day(1), null, BOTH)));
    await world.publish(sources.map((source) => edge(source, day(10), BOTH, READ)));
    await cut(world.topic, 0.3);
    const cli = commandLine(world.topic);
    const early = await cli.run(['who-can-call', 'orders', '--at', '2026-02-01T00:00:00Z', '--from-topic']);
    expect([early.status, early.err]).toEqual([1, expect.stringContaining('the retention of the topic')]);
    const answer = await ask(cli, 'who-can-call', 'orders', '--at', day(20));
    expect(answer).toMatchObject({ callers: sources.map((source) => ({ source, access: READ_ACCESS })) });
    expect(JSON.stringify(answer)).toContain('edges that were opened before that may be missing');
    expect(await ask(cli, 'explain', 'a', 'orders', '--at', day(20), ...WRITE)).toMatchObject({ status: 4 });

    await cut(world.topic, 1);
    const { callers, unknown } = await ask(cli, 'who-can-call', 'orders');
    expect([callers, unknown]).toEqual([[], expect.arrayContaining(['The trail is empty.'])]);
  });

  it('are an error where the topic is missing or a signal ends the reading', async () => {
    const missing = await commandLine('absent').run(['who-can-call', 'orders', '--from-topic']);
    expect([missing.status, missing.out]).toEqual([1, '']);
    expect(missing.err).toContain('Kafka has no topic absent');

    const world = createTopicWorld(kafka().broker);
    await world.publish([edge('web', day(1), null, BOTH)]);
    const settings = settingsOf(world.topic, 'unused');
    const opening = openTrail(settings, runtime, { fromTopic: true, signal: AbortSignal.abort() });
    await expect(opening).rejects.toThrow();
  });
});

/** The sources in an answer. */
const sources = (answer: unknown) => JSON.stringify(answer ?? {}).match(/(?<="source":")[a-z]+/g);

describe('the index of a topic', () => {
  it('answers as --from-topic does, over a stop during which another replica published', async () => {
    const world = createTopicWorld(kafka().broker);
    const cli = commandLine(world.topic);
    const sameAnswers = () =>
      until(
        'an answer from the index that is as from the topic',
        async () => {
          const [local, topic] = [await callers(cli), await callers(cli, '--from-topic')];
          expect(topic.answer).toBeDefined();
          return JSON.stringify(local.answer) === JSON.stringify(topic.answer) ? local : undefined;
        },
        LONG_MS,
      );
    await world.publish([edge('web', day(1), null, BOTH), edge('batch', day(2), null, BOTH)]);
    expect(await callers(cli)).toEqual({ error: expect.stringContaining('--from-topic') });
    const stopFirst = startIndex(cli, world.topic);
    expect(sources((await sameAnswers()).answer)).toEqual(['batch', 'web']);
    await stopFirst();

    await world.publish([edge('batch', day(3), BOTH, null), edge('bot', day(4), null, READ)].map(byAnother));
    expect(sources((await callers(cli, '--at', day(2))).answer)).toEqual(['batch', 'web']);
    const stopSecond = startIndex(cli, world.topic);
    const { answer, unknown } = await sameAnswers();
    await stopSecond();
    expect(sources(answer)).toEqual(['bot', 'web']);
    expect(unknown).not.toContain('lacks');
  });

  it('is read with one consumer, however often there is news', async () => {
    const world = createTopicWorld(kafka().broker);
    const log = world.open();
    const groups = async () =>
      (await admin().listGroups()).groups
        .map(({ groupId }) => groupId)
        .filter((id) => id.includes('-reader-'));
    let position = '';
    const read = async () => {
      const { events, position: behind } = await log.readParts(new AbortController().signal, position);
      let count = 0;
      for await (const _ of events) count++;
      position = behind();
      return count;
    };
    await world.publish([edge('web', day(1), null, BOTH)]);
    const before = await groups();
    // The statement with which the log begins, a decision and a checkpoint.
    expect(await read()).toBe(3);
    for (const number of [2, 3]) {
      await log.append([edge('web', day(number), BOTH, READ)]);
      expect(await read()).toBe(1);
    }
    expect(await read()).toBe(0);
    expect((await groups()).length - before.length).toBe(1);
    await log.close();
  });

  it('takes a position behind the retention for what it is, and not for that in another topic', async () => {
    const world = createTopicWorld(kafka().broker);
    const log = world.open();
    await log.check();
    await log.append([edge('web', day(1), null, BOTH)]);
    const before = await log.readParts(new AbortController().signal);
    for await (const _ of before.events);
    await log.close();

    const next = world.open();
    await next.append([edge('web', day(2), BOTH, READ), edge('web', day(3), READ, null)]);
    const { events } = await next.readParts(new AbortController().signal, before.position());
    // The last message that was read expires before the read of the next ones begins.
    const offsets = await admin().fetchTopicOffsets(world.topic);
    const partitions = offsets
      .filter(({ high }) => high !== '0')
      .map(({ partition }) => ({ partition, offset: '1' }));
    await admin().deleteTopicRecords({ topic: world.topic, partitions });
    const found: string[] = [];
    for await (const { event } of events) found.push(event);
    expect(found).toHaveLength(2);
    await next.close();
  });

  it('and a reader that goes on notice a topic that was made again, although it has more messages', async () => {
    const world = createTopicWorld(kafka().broker);
    const cli = commandLine(world.topic);
    const indexed = (source: string) =>
      until(
        `${source} in the index`,
        async () => {
          const { answer, unknown } = await callers(cli);
          return sources(answer)?.includes(source) ? { answer, unknown } : undefined;
        },
        LONG_MS,
      );
    const firstFrom = async (position: string) => {
      const log = world.open();
      for await (const placed of log.readFrom(position, new AbortController().signal)) {
        await log.close();
        return placed;
      }
      throw new Error('the topic is empty');
    };
    await world.publish([edge('web', day(1), null, BOTH)]);
    const stopFirst = startIndex(cli, world.topic);
    await indexed('web');
    await stopFirst();
    const { position, isAfterGap } = await firstFrom('');
    expect(isAfterGap).toBeUndefined();

    await deleteTopic(world.topic);
    // The broker may know a new topic a moment after its controller.
    await kafka()
      .createTopic(world.topic, 3)
      .catch(() => {});
    const isThere = async () => (await admin().listTopics()).includes(world.topic);
    await until('the topic to be there again', isThere, LONG_MS);
    for (const number of [5, 6, 7])
      await world.publish([edge('web', day(number), BOTH, READ), edge('late', day(number), null, READ)]);
    expect(await firstFrom(position)).toMatchObject({ isAfterGap: true });
    const stopSecond = startIndex(cli, world.topic);
    const { answer, unknown } = await indexed('late');
    await stopSecond();
    expect(sources(answer)).toEqual(['late', 'web']);
    expect(unknown).toContain('lacks decisions between');
  });
});

const READ_ACCESS = { kind: 'http', permissions: READ.permissions };
