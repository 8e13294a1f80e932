import { expect, it } from 'vitest';
import { createReopenings } from './reopenings.js';

const CLOSED = new Map<string, string>();
const READ = new Map([['d-1/svc-1', 'GET /']]);
const BOTH = new Map([['d-1/svc-1', 'GET /, POST /']]);

it('finds an opening that is seen open again without a grant', () => {
  const reopenings = createReopenings();
  reopenings.wants(CLOSED, BOTH);
  reopenings.sees(BOTH);
  reopenings.wants(BOTH, READ);
  reopenings.sees(BOTH);
  reopenings.sees(READ);
  expect(reopenings.faults).toEqual([]);
  reopenings.sees(BOTH);
  expect(reopenings.faults).toEqual(['d-1/svc-1 POST / is open without a reason']);
});

it('lets an opening follow each grant and revocation, also late, and finds one that nobody revoked', () => {
  const reopenings = createReopenings();
  reopenings.sees(CLOSED);
  for (const [before, after] of [
    [CLOSED, READ],
    [READ, CLOSED],
    [CLOSED, READ],
  ] as const)
    reopenings.wants(before, after);
  for (const seen of [READ, CLOSED, READ]) reopenings.sees(seen);
  expect(reopenings.faults).toEqual([]);
  reopenings.sees(CLOSED);
  expect(reopenings.faults).toEqual(['d-1/svc-1 GET / is closed without a reason']);
});
