import { expect, it } from 'vitest';
import type { Caller } from '../../src/daemon/rights.js';
import { commentFault, staleView } from '../../src/daemon/seen.js';

const PERSON: Caller = {
  kind: 'person',
  person: { principal: { id: 'oidc:main/ana' }, roles: ['approver'], endsAt: 0 },
};

it('wants a comment from a person of the console, and from no command and no token', () => {
  expect(commentFault(PERSON, undefined)).toEqual({ error: expect.stringContaining('write why') });
  expect(commentFault(PERSON, 'checked')).toBeUndefined();
  for (const other of [{ kind: 'local' }, { kind: 'holder', name: 'bob', mayApprove: true }] as const)
    expect(commentFault(other, undefined)).toBeUndefined();
});

it('refuses what is another thing than the person saw, or over, and shows what there is now', async () => {
  const find = async (id: string) => (id === 'over' ? undefined : { fingerprint: 'now' });
  expect(await staleView('1', undefined, PERSON, find)).toBeUndefined();
  expect(await staleView('1', 'now', PERSON, find)).toBeUndefined();
  expect(await staleView('1', 'then', PERSON, find)).toMatchObject({
    code: 'Changed',
    now: { fingerprint: 'now' },
  });
  expect(await staleView('over', 'now', PERSON, find)).toMatchObject({ code: 'Changed', now: null });
});
