import { expect, it } from 'vitest';
import type { ClaimRecords, ClaimWrite } from '../../src/consul/consul.js';
import { gatherClaims } from '../../src/consul/gathered-claims.js';
import { against } from './http/fault-server.js';

const signal = new AbortController().signal;
const write = (clientId: string): ClaimWrite => ({
  do: 'create',
  record: {
    provider: 'main',
    clientId,
    service: { partition: 'default', namespace: 'default', name: 'web' },
  },
});

it('writes of many clients at once are transactions of up to 64 operations, and one list answers all who read then', async () => {
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
  expect(transactions).toEqual([64, 64, 22]);
  expect(results.flatMap(([result], at) => (result?.kind === 'written' ? [] : [at]))).toEqual([7]);
  const [first, ...others] = await Promise.all(ids.map(() => claims.list(signal)));
  expect(lists).toBe(1);
  expect(others.every((each) => each === first)).toBe(true);
});

it('each write of a batch that Consul refuses has its own result, and a deletion stays with its check', async () => {
  const sent: string[][] = [];
  const { consul } = await against((exchange) => {
    const operations: { KV: { Verb: string; Key: string } }[] = JSON.parse(exchange.body);
    const texts = operations.map(({ KV }) => `${KV.Verb} ${KV.Key.split('/').at(-1)}`);
    sent.push(texts);
    const failed = texts.indexOf('check-index c3');
    if (texts.includes('check-index c39')) exchange.reply(500, 'No cluster leader');
    else if (failed === -1) exchange.reply(200, { Results: [{}], Errors: null });
    else
      exchange.reply(409, { Errors: [{ OpIndex: failed, What: 'failed to check index, index is stale' }] });
  });
  const claims = gatherClaims(consul.claims);
  const remove = (at: number): ClaimWrite => ({
    do: 'delete',
    record: { ...write(`c${at}`).record, modifyIndex: 7 },
  });
  const ids = Array.from({ length: 40 }, (_, at) => at);
  const results = await Promise.allSettled(ids.map((at) => claims.write([remove(at)], signal)));
  const kinds = results.map((each) => (each.status === 'fulfilled' ? each.value[0]?.kind : 'failed'));
  expect(kinds).toEqual(ids.map((at) => (at === 3 ? 'conflict' : at < 32 ? 'written' : 'failed')));
  expect(sent.map(({ length }) => length)).toEqual([64, 62, 16]);
  for (const texts of sent)
    expect(texts.filter((text) => text.startsWith('check')).map((text) => text.split(' ')[1])).toEqual(
      texts.filter((text) => text.startsWith('delete')).map((text) => text.split(' ')[1]),
    );
});
