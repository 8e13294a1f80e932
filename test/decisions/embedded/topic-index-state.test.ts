import Database from 'libsql';
import { expect, it, onTestFinished } from 'vitest';
import { FOLLOWER, readIndexState } from '../../../src/decisions/embedded/topic-index-state.js';
import { Queries } from '../../../src/sqlite.js';

function stateOf(text?: string) {
  const database = new Database(':memory:');
  onTestFinished(() => void database.close());
  database.exec(FOLLOWER);
  if (text !== undefined) database.prepare<unknown[]>('INSERT INTO topic_index VALUES (1, ?)').run(text);
  return readIndexState(new Queries(database));
}

it('an index that follows nothing knows nothing', () => {
  expect(stateOf()).toEqual({ position: '', chains: {}, holes: {}, gaps: [] });
});

it.each(['no JSON', '{}', '{"position":"","chains":[],"holes":{},"gaps":[]}'])(
  'a state of another form is no state, and the error says what to do: %s',
  (text) => {
    expect(() => stateOf(text)).toThrow(
      expect.objectContaining({
        code: 'ERR_DECISIONS_UNREACHABLE',
        retriable: true,
        message: expect.stringContaining('delete its directory, and scopemesh makes it again'),
      }),
    );
  },
);
