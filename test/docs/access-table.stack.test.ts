import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { toStoredText } from '../../src/decisions/chain.js';
import { createNoteSigner } from '../../src/decisions/signed-note.js';
import type { Decision } from '../../src/model/decision.js';
import { installed } from '../stack/installed.js';
import { decision } from '../support/decisions.js';
import { chained, pem, signer, stranger } from '../support/signed-log.js';
import { ROOT } from './manual.js';

/** Reads the messages of the topic of decisions as the example does, without a broker. */
const PROGRAM = `
import json, sys
sys.path.insert(0, "examples/python")
import access_table as example

class Message:
    def __init__(self, offset, value):
        self._offset, self._value = offset, value.encode()
    def headers(self): return [("content-type", b"application/cloudevents+json")]
    def key(self): return b"key"
    def value(self): return self._value
    def topic(self): return "decisions"
    def partition(self): return 0
    def offset(self): return self._offset

class Consumer:
    def __init__(self, _): pass
    def close(self): pass

given = json.loads(sys.stdin.read())
def read(consumer, topic, follow=False):
    return [Message(at, value) for at, value in enumerate(given["decisions"])]
example.Consumer, example.read = Consumer, read
import tempfile
sys.argv = ["access_table.py", "--brokers", "none"]
files = []
for key in given["keys"]:
    file = tempfile.NamedTemporaryFile("w", suffix=".pub")
    file.write(key)
    file.flush()
    files.append(file)
    sys.argv += ["--key", file.name]
example.main()
`;

async function tableOf(decisions: readonly (Decision | string)[]) {
  const texts = decisions.map((each) => (typeof each === 'string' ? each : toStoredText(each)));
  const input = JSON.stringify({
    decisions: texts,
    keys: [billing.verifierKey, signer.verifierKey],
  });
  const { stdout, stderr } = spawnSync(await installed('python'), ['-c', PROGRAM], {
    cwd: ROOT,
    input,
    encoding: 'utf8',
  });
  return { table: JSON.parse(stdout === '' ? stderr : stdout), stderr };
}

const billing = createNoteSigner('scopemesh/billing', pem);
const SUBJECT = 'intention/default/default/orders/web';
const ALLOW = { access: 'allow' };

it('the example in Python shows what an edge perhaps is, and goes on after a record of others', async () => {
  const all = [decision({ outcome: 'unknown', before: null, after: ALLOW })];
  const forged = [
    ...all,
    ...chained(all, 'one', stranger),
    ...chained(all).map((each) => ({ ...each, outcome: 'applied' as const })),
    ...chained(all).map((each) => ({ ...each, source: 'scopemesh/billing/r' })),
  ];
  const { table, stderr } = await tableOf(['{"poison": true}', 'poison', ...forged, ...chained(all)]);
  expect(table).toEqual({
    [SUBJECT]: { source: 'web', destination: 'orders', access: null, possible: { access: 'allow' } },
  });
  expect(stderr).toMatch(/decisions, partition 0, offset 0: .*\n.*offset 1: /);
  const reasons = stderr.match(/the decision has no proof|none of the keys signed|does not have the hash/g);
  expect(reasons).toEqual([
    'the decision has no proof',
    'none of the keys signed',
    'does not have the hash',
    'does not have the hash',
  ]);
});

it('the example in Python accepts each decision of a batch, however many were signed together', async () => {
  for (const size of [1, 2, 3, 7, 16, 17]) {
    const all = Array.from({ length: size }, (_, at) =>
      decision({
        subject: `${SUBJECT}-${at}`,
        before: null,
        after: { ...ALLOW, text: '\u00e9 "chain":{"hash":"x"}' },
      }),
    );
    const { table, stderr } = await tableOf(chained(all));
    expect([Object.keys(table).length, stderr]).toEqual([size, '']);
  }
});
