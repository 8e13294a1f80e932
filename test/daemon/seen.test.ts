import { expect, it } from 'vitest';
import type { Caller } from '../../src/daemon/rights.js';
import { requireComment, requireSeen } from '../../src/daemon/seen.js';

const PERSON: Caller = {
  kind: 'person',
  person: { principal: { id: 'oidc:main/ana' }, roles: ['approver'], endsAt: 0 },
};

it('wants a comment from a person of the console, and from no command and no token', () => {
  expect(() => requireComment(PERSON, undefined)).toThrow(
    expect.objectContaining({ status: 400, answer: { error: expect.stringContaining('write why') } }),
  );
  expect(requireComment(PERSON, 'checked')).toBeUndefined();
  for (const other of [{ kind: 'local' }, { kind: 'holder', name: 'bob', mayApprove: true }] as const)
    expect(requireComment(other, undefined)).toBeUndefined();
});

it('refuses what is another thing than the person saw, or over, and shows what there is now', async () => {
  const find = async (id: string) => (id === 'over' ? undefined : { fingerprint: 'now' });
  expect(await requireSeen('1', undefined, PERSON, find)).toBeUndefined();
  expect(await requireSeen('1', 'now', PERSON, find)).toBeUndefined();
  await expect(requireSeen('1', 'then', PERSON, find)).rejects.toMatchObject({
    status: 409,
    answer: { code: 'Changed', now: { fingerprint: 'now' } },
  });
  await expect(requireSeen('over', 'now', PERSON, find)).rejects.toMatchObject({
    answer: { code: 'Changed', now: null },
  });
});
