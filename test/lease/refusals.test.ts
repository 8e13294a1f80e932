import { expect, it } from 'vitest';
import * as refusals from '../../src/lease/refusals.js';

const leader = {
  replica: 'r',
  host: 'h',
  address: 'http://h:1',
  since: '2026-03-01T10:00:00.000Z',
  storeId: 's',
  epoch: 1,
};

it.each([
  [refusals.ledElsewhere(leader), 'ERR_LEASE_HELD', 'r on h (http://h:1), since 2026-03-01'],
  [refusals.unrelatedStore(leader, 'the/key'), 'ERR_LEASE_HELD', 'consul kv delete the/key'],
  [refusals.ledByDaemon(leader), 'ERR_LEASE_HELD', 'r on h'],
  [refusals.otherCluster(), 'ERR_CONFIG', 'consul.address'],
  [refusals.otherLog(), 'ERR_CONFIG', 'set decisions.kind to kafka'],
  [refusals.relayWithoutLease(), 'ERR_CONFIG', 'set decisions.kind to kafka'],
])('ends the attempt for good, and names the way out: %s', (error, code, wayOut) => {
  expect(error).toMatchObject({ code, retriable: false, message: expect.stringContaining(wayOut) });
});

it('a replica that only observes tries again: the files of the replicas may agree soon', () => {
  expect(refusals.observesOnly()).toMatchObject({ code: 'ERR_LEASE_HELD', retriable: true });
});
