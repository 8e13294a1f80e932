import { Kafka, logLevel } from 'kafkajs';
import { expect, it, onTestFinished } from 'vitest';
import { ProofCheck } from '../../../src/decisions/batch-proof.js';
import { emptyChain, extendChain, toStoredText } from '../../../src/decisions/chain.js';
import { parseCloudEvent } from '../../../src/decisions/envelope.js';
import { type CommandLine, createCommandLine } from '../../support/command-line.js';
import { decisions, edgeDecision } from '../../support/decisions.js';
import { beginningOf, chained, logOf, signer, stranger, verifier } from '../../support/signed-log.js';
import { createTopicWorld, type TopicWorld, useKafka } from '../../support/topic-world.js';

const { kafka } = useKafka();
const TIME = '2026-03-01T10:00:00.000Z';
const opened = edgeDecision('intruder', TIME, null, { access: 'allow' });

/** As somebody who may write to the topic, and has no key. */
async function send(world: TopicWorld, values: readonly string[]): Promise<void> {
  const producer = new Kafka({ brokers: [kafka().broker], logLevel: logLevel.NOTHING }).producer();
  await producer.connect();
  await producer.send({
    topic: world.topic,
    messages: values.map((value, at) => ({ key: `${at}`, value })),
  });
  await producer.disconnect();
}

const withOtherRoots = (event: string) =>
  event.replace(/"roots":\["(.)/, (_, digit) => `"roots":["${digit === '0' ? '1' : '0'}`);

async function messagesOf(world: TopicWorld): Promise<readonly string[]> {
  const log = world.open();
  const { events } = await log.readParts(AbortSignal.timeout(60_000));
  const found: string[] = [];
  for await (const { event } of events) found.push(event);
  await log.close();
  return found;
}

function commandLine(world: TopicWorld): CommandLine {
  const cli = createCommandLine();
  onTestFinished(() => cli.close());
  cli.configure({
    decisions: {
      kind: 'kafka',
      brokers: [kafka().broker],
      topic: world.topic,
      trustedKeys: [signer.verifierKey],
    },
  });
  return cli;
}

it('who can only write to the topic can neither add nor hide nor hold up a decision', {
  timeout: 120_000,
}, async () => {
  const world = createTopicWorld(kafka().broker);
  const proofs = new ProofCheck([verifier]);
  await world.publish([edgeDecision('web', TIME, null, { access: 'allow' }), ...decisions(20)]);
  const genuine = await messagesOf(world);
  const last = genuine.flatMap((each) => (each.includes('checkpoint') ? [] : [parseCloudEvent(each)]));
  const { log = '' } = last[0]?.chain ?? {};
  const forged = [
    'garbage',
    '{}',
    toStoredText(opened),
    ...chained([opened], '01ZZZZZZZZZZZZZZZZZZZZZZZZ', stranger).map(toStoredText),
    ...extendChain(emptyChain('01ZZZZZZZZZZZZZZZZZZZZZZZY'), [opened]).chained.map(toStoredText),
    // In the log itself, far behind its end, and in the place of its next decision.
    ...chained(
      Array.from({ length: 40 }, (_, at) => ({ ...opened, id: `x${at}` })),
      log,
      stranger,
    ).map(toStoredText),
    ...genuine
      .map((each) => each.replace('"outcome":"applied"', '"outcome":"refused"'))
      .filter((each) => !genuine.includes(each)),
    ...genuine.filter((each) => !each.includes('checkpoint')).toReversed(),
    ...logOf(101, log)
      .filter((each) => each.includes('checkpoint'))
      .map((each) => each.replaceAll(signer.name, 'scopemesh/other')),
    beginningOf('other').replaceAll('payments', 'billing'),
    // A genuine note, beside which the tree is another one.
    ...genuine.flatMap((each) => (each.includes('"roots":["') ? withOtherRoots(each) : [])),
  ];
  await send(world, forged);
  await world.publish(decisions(5), { proofs: () => proofs });
  await send(world, forged);
  const cli = commandLine(world);
  const { status, json } = await cli.run(['decisions', 'verify', '--json']);
  expect([status, json()]).toEqual([
    0,
    expect.objectContaining({
      verified: true,
      unproven: 2 * forged.length,
      logs: [expect.objectContaining({ last: 26 })],
    }),
  ]);
  const asked = await cli.run(['who-can-call', 'orders', '--from-topic', '--json']);
  expect(asked.out).toContain('"web"');
  expect(asked.out).not.toContain('intruder');
  expect((await cli.run(['decisions', 'list', '--json'])).out).not.toContain('intruder');
  const { out } = await cli.run(['decisions', 'export']);
  expect(out.split('\n').filter((each) => each.includes('intruder'))).toEqual([]);
});

it('who can delete the newest messages leaves a log that lacks what its newest note signs', {
  timeout: 120_000,
}, async () => {
  const world = createTopicWorld(kafka().broker);
  await world.publish(decisions(20));
  const events = await messagesOf(world);
  const checkpoint = events.filter((each) => each.includes('checkpoint')).at(-1) ?? '';
  const copy = createTopicWorld(kafka().broker);
  const prepared = copy.open();
  await prepared.check();
  await prepared.close();
  await send(
    copy,
    events.filter((each) => !each.includes('"sequence":20}')),
  );
  const cli = commandLine(copy);
  expect((await cli.run(['decisions', 'verify', '--json'])).json()).toMatchObject({
    verified: false,
    fault: { kind: 'removed', sequence: 20 },
  });
  expect(checkpoint).toContain('"size":20');
});
