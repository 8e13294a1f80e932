import { describe, expect, test } from 'vitest';
import type { QuarantineRecord } from '../../src/model/quarantine.js';
import { compareRecords, type StoredBlock } from '../../src/plan/stored-block.js';
import { NOW } from './scene.js';

const instant = (ms: number) => new Date(NOW + ms).toISOString();
const web = { provider: 'main', clientId: 'web' };
const block = (closure: StoredBlock['closure'], ms = -1_000): StoredBlock => ({
  ...web,
  closure,
  at: instant(ms),
  receivedAt: instant(ms),
});
const record = (ms = -1_000): QuarantineRecord => ({ ...web, at: instant(ms), receivedAt: instant(ms) });
const compared = (stored: readonly StoredBlock[], records: readonly QuarantineRecord[] | undefined) =>
  compareRecords(stored, records, NOW).map(({ do: what }) => what);

describe('a record of a quarantine in Consul and the store', () => {
  test.each([
    ['is adopted where the store has nothing', [], [record()], ['adopt']],
    ['is kept where both are equal', [block('ClientQuarantined')], [record()], ['keep']],
    ['is written where it is missing', [block('ClientQuarantined')], [], ['write']],
    ['is written where no record can be read', [block('ClientQuarantined')], undefined, ['write']],
    ['is written where it differs', [block('ClientQuarantined')], [record(-2_000)], ['write']],
    ['is written where it has no instants', [block('ClientQuarantined')], [web], ['write']],
    ['is deleted where its report was released', [block('Released')], [record()], ['delete']],
    ['is deleted where it is older than the release', [block('Released')], [record(-2_000)], ['delete']],
    ['is adopted where it is newer than the release', [block('Released')], [record(-500)], ['adopt']],
    [
      'is adopted where it has no instants and the client was released',
      [block('Released')],
      [web],
      ['adopt'],
    ],
    ['is nothing where the store has a release and Consul no record', [block('Released')], [], []],
    [
      'is nothing where the store has a release and no record can be read',
      [block('Released')],
      undefined,
      [],
    ],
  ])('%s', (_, stored, records, verdicts) => {
    expect(compared(stored, records)).toEqual(verdicts);
  });

  test('counts as of now where its instants are in the future or cannot be read', () => {
    const now = instant(0);
    for (const each of [web, { ...web, at: instant(60_000), receivedAt: instant(60_000) }])
      expect(compareRecords([], [each], NOW)).toEqual([
        { do: 'adopt', id: web, instants: { at: now, receivedAt: now } },
      ]);
  });
});
