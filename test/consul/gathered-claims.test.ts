import { expect, it } from 'vitest';
import type { ClaimRecords, ClaimWrite } from '../../src/consul/consul.js';
import { gatherClaims } from '../../src/consul/gathered-claims.js';

const signal = new AbortController().signal;
const write = (clientId: string): ClaimWrite => ({
  do: 'create',
  record: {
    provider: 'main',
    clientId,
    service: { partition: 'default', namespace: 'default', name: 'web' },
  },
});

it('writes of many clients at once are transactions of up to 32, and one list answers all who read then', async () => {
  const transactions: number[] = [];
  let lists = 0;
  const inner: ClaimRecords = {
    list: async () => {
      lists++;
      return [];
    },
    write: async (writes) => {
      transactions.push(writes.length);
      return writes.map(({ record }) =>
        record.clientId === 'c7' ? { kind: 'refused', detail: 'c7' } : { kind: 'written' },
      );
    },
  };
  const claims = gatherClaims(inner);
  const ids = Array.from({ length: 150 }, (_, at) => `c${at}`);
  const results = await Promise.all(ids.map((id) => claims.write([write(id)], signal)));
  expect(transactions).toEqual([32, 32, 32, 32, 22]);
  expect(results.flatMap(([result], at) => (result?.kind === 'written' ? [] : [at]))).toEqual([7]);
  const [first, ...others] = await Promise.all(ids.map(() => claims.list(signal)));
  expect(lists).toBe(1);
  expect(others.every((each) => each === first)).toBe(true);
});
