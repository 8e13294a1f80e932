import { describe, expect, test } from 'vitest';
import { clientKey } from '../../src/model/key.js';
import type { QuarantineRecord } from '../../src/model/quarantine.js';
import type { Job } from '../../src/model/trigger.js';
import {
  compareRecords,
  isNewer,
  newest,
  newestCompromise,
  type StoredBlock,
} from '../../src/plan/stored-block.js';
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

describe('a report of a compromised secret', () => {
  const key = clientKey('main', 'web');
  const order = (
    kind: 'secret-compromised' | 'client-disabled',
    at: number,
    received: number,
    eventId: string,
  ) => ({
    key,
    cause: { kind: 'webhook' as const, receivedAt: instant(0) },
    order: {
      kind,
      ...web,
      at: instant(at),
      cause: { kind: 'webhook' as const, receivedAt: instant(received), eventId },
    },
  });
  const job = (...triggers: Job['triggers']): Job => ({ key, triggers, attempts: 0 });

  test('counts with the newest instant of each kind, and the cause that was received last', () => {
    const found = newestCompromise(
      job(
        order('secret-compromised', -5, -30, 'first'),
        order('client-disabled', -1, -1, 'other'),
        order('secret-compromised', -9, -20, 'last'),
        order('secret-compromised', -7, -25, 'second'),
      ),
    );
    expect(found).toMatchObject({ at: instant(-5), receivedAt: instant(-20), cause: { eventId: 'last' } });
  });

  test('is not there without an order about it', () => {
    expect(newestCompromise(job())).toBeUndefined();
    expect(newestCompromise(job(order('client-disabled', 0, 0, 'a')))).toBeUndefined();
  });

  test('is newer if it names a later instant or was received later, and not if neither', () => {
    const of = (at: number, received: number) => ({ at: instant(at), receivedAt: instant(received) });
    expect(isNewer(of(0, 0), of(0, 0))).toBe(false);
    expect(isNewer(of(-1, -1), of(0, 0))).toBe(false);
    expect(isNewer(of(1, -1), of(0, 0))).toBe(true);
    expect(isNewer(of(-1, 1), of(0, 0))).toBe(true);
  });

  test('has the newest of several instants in any form, and nothing of none', () => {
    expect(newest([instant(1), undefined, instant(3), instant(2)])).toBe(instant(3));
    expect(newest(['2026-01-01T02:00:00+02:00', '2026-01-01T00:00:01Z'])).toBe('2026-01-01T00:00:01Z');
    expect(newest([undefined])).toBe('');
  });
});
