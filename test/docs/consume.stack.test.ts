import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { Kafka, logLevel } from 'kafkajs';
import { expect, it, onTestFinished } from 'vitest';
import { type Decision, toCloudEvent } from '../../src/decisions/index.js';
import { installed } from '../stack/installed.js';
import { startKafka } from '../stack/kafka.js';
import { decision } from '../support/decisions.js';
import { blocks, example, ROOT, textOf } from './manual.js';

const LINK = { log: 'one', sequence: 1, previousHash: '0'.repeat(64), hash: '0'.repeat(64) };

it('the program in read-decisions.md keeps who may call whom, and takes no older word for a newer one', async () => {
  const kafka = await startKafka();
  onTestFinished(() => kafka.stop());
  const topic = 'scopemesh.decisions';
  await kafka.createTopic(topic, 3);
  const edge = (name: string, revision: number, after: Decision['after']) =>
    decision({
      id: `${name}-${revision}`,
      revision,
      outcome: 'applied',
      subject: `intention/default/default/orders/${name}`,
      resource: { kind: 'intention', source: name, destination: 'orders' },
      after,
    });
  const written = [
    edge('web', 1, { access: 'allow' }),
    { ...edge('web', 2, null), outcome: 'held' as const },
    edge('web', 3, null),
    { ...edge('web', 1, { access: 'allow' }), id: 'again' },
    edge('web', 4, { access: 'http', permissions: [] }),
    // After the loss of the store.
    { ...edge('web', 1, { access: 'deny' }), id: 'other log', chain: { ...LINK, log: 'two' } },
  ];
  const producer = new Kafka({ brokers: [kafka.broker], logLevel: logLevel.NOTHING }).producer();
  await producer.connect();
  await producer.send({
    topic,
    messages: written.map((each) => ({ key: each.subject, value: JSON.stringify(toCloudEvent(each)) })),
  });
  await producer.disconnect();

  const [, kcat = ''] = blocks(textOf('docs/how-to/read-decisions.md'), 'sh');
  const { stdout } = await promisify(execFile)('bash', [
    '-c',
    kcat.replace('kafka-1:9092', kafka.broker).replace(/^kcat/, await installed('kcat')),
  ]);
  expect(stdout.trim().split('\n').toSorted()).toEqual(
    written.map((each) => JSON.stringify([each.time, each.outcome, each.reason, each.subject])).toSorted(),
  );

  const code = example('docs/how-to/read-decisions.md', 'topic').replace(
    "'scopemesh/decisions'",
    "'./src/decisions/index.ts'",
  );
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '-e', code, 'program', kafka.broker, topic],
    { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] },
  );
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    if (lines.length === 4) break;
  }
  expect(lines).toEqual([
    'web -> orders: allow',
    'web -> orders: nothing',
    'web -> orders: http',
    'web -> orders: deny',
  ]);
  child.kill('SIGTERM');
  const [status] = await once(child, 'close');
  expect(status).toBe(0);
});
