import { expect, it } from 'vitest';
import { compareDecisions } from '../../src/model/decision.js';
import { decision } from '../support/decisions.js';

function made(id: string, seconds: number, log?: string, sequence = 1) {
  const time = `2026-01-31T12:00:0${seconds}.000Z`;
  const hashes = { previousHash: '', hash: '' };
  return decision({ id, time, ...(log === undefined ? {} : { chain: { log, sequence, ...hashes } }) });
}

it('decisions of one log are in the order of its chain, those of several in the order of time, then of ID', () => {
  const all = [made('C', 1, 'log', 2), made('A', 2, 'log', 1), made('E', 4, 'other'), made('D', 4)];
  expect(all.toSorted(compareDecisions).map(({ id }) => id)).toEqual(['A', 'C', 'D', 'E']);
});
