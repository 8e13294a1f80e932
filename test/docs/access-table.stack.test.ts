import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { toStoredText } from '../../src/decisions/chain.js';
import type { Decision } from '../../src/model/decision.js';
import { installed } from '../stack/installed.js';
import { decision } from '../support/decisions.js';
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
def read(consumer, topic, offsets=None, follow=False):
    return [Message(at, value) for at, value in enumerate(given["decisions"])]
def read_states(consumer, topic, table, schemas):
    for cursor in given["cursors"]: table.begin_with(cursor)
example.Consumer, example.read, example.read_states = Consumer, read, read_states
sys.argv = ["access_table.py", "--brokers", "none", "--states"]
example.main()
`;

async function tableOf(decisions: readonly (Decision | string)[], cursors: readonly unknown[] = []) {
  const texts = decisions.map((each) => (typeof each === 'string' ? each : toStoredText(each)));
  const input = JSON.stringify({ decisions: texts, cursors });
  const { stdout, stderr } = spawnSync(await installed('python'), ['-c', PROGRAM], {
    cwd: ROOT,
    input,
    encoding: 'utf8',
  });
  return { table: JSON.parse(stdout === '' ? stderr : stdout), stderr };
}

const SUBJECT = 'intention/default/default/orders/web';
const ALLOW = { access: 'allow' };

it('the example in Python shows what an edge perhaps is, and goes on after a record of others', async () => {
  const doubtful = decision({ outcome: 'unknown', before: null, after: ALLOW });
  const { table, stderr } = await tableOf(['{"poison": true}', 'poison', doubtful]);
  expect(table).toEqual({
    [SUBJECT]: { source: 'web', destination: 'orders', access: null, possible: { access: 'allow' } },
  });
  expect(stderr).toMatch(/decisions, partition 0, offset 0: .*\n.*offset 1: /);
});

it('the example in Python skips what the states of its owner contain', async () => {
  const of = (owner: string, after: unknown) =>
    decision({ subject: `${SUBJECT}-${owner}`, source: `scopemesh/${owner}/r`, before: null, after });
  const cursor = { log: 'log', sequence: 1 };
  const { table } = await tableOf(
    [of('billing', ALLOW), of('payments', ALLOW)],
    [
      { owner: 'billing', offsets: { 0: '0' }, ...cursor },
      { owner: 'payments', offsets: { 0: '2' }, ...cursor, log: 'other' },
    ],
  );
  expect(Object.keys(table)).toEqual([`${SUBJECT}-billing`]);
});
