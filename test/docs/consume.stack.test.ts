import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { Kafka, logLevel } from 'kafkajs';
import { expect, it, onTestFinished } from 'vitest';
import { toStoredText } from '../../src/decisions/chain.js';
import type { Decision } from '../../src/decisions/index.js';
import { installed } from '../stack/installed.js';
import { startKafka } from '../stack/kafka.js';
import { createRunDirectory, removeRunDirectory } from '../stack/process.js';
import { decision } from '../support/decisions.js';
import { chained, signer, stranger } from '../support/signed-log.js';
import { blocks, example, ROOT, textOf } from './manual.js';

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
  const one = [
    edge('web', 1, { access: 'allow' }),
    { ...edge('web', 2, null), outcome: 'held' as const },
    edge('web', 3, null),
    { ...edge('web', 1, { access: 'allow' }), id: 'again' },
    edge('web', 4, { access: 'http', permissions: [] }),
  ];
  const written = [
    ...chained(one),
    // By somebody who may write to the topic, and has no key.
    ...chained([edge('intruder', 1, { access: 'allow' })], 'forged', stranger),
    // After the loss of the store.
    ...chained([{ ...edge('web', 1, { access: 'deny' }), id: 'other log' }], 'two'),
  ];
  const producer = new Kafka({ brokers: [kafka.broker], logLevel: logLevel.NOTHING }).producer();
  await producer.connect();
  await producer.send({
    topic,
    messages: written.map((each) => ({ key: each.subject, value: toStoredText(each) })),
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

  const directory = await createRunDirectory('key');
  onTestFinished(() => removeRunDirectory(directory));
  const keyFile = join(directory, 'trail-key.pub');
  await writeFile(keyFile, signer.verifierKey);
  const code = example('docs/how-to/read-decisions.md', 'topic').replace(
    "'scopemesh/decisions'",
    "'./src/decisions/index.ts'",
  );
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '-e', code, 'program', kafka.broker, topic, keyFile],
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
