import { expect, it } from 'vitest';
import { AclCache } from '../../../src/acl/state/acl-cache.js';
import { Tokens } from '../../../src/console/answers.js';
import type { ConsoleParts } from '../../../src/console/api/parts.js';
import { answerTokens, readTokenList } from '../../../src/console/api/tokens.js';
import { SyncError } from '../../../src/errors.js';
import type { AclToken } from '../../../src/model/acl.js';
import { aclToken } from '../../acl/plan/acl-scene.js';
import { partsOf, signal } from './console-world.js';

/** A Consul with these tokens, and the days of a store. */
function partsWith(tokens: readonly AclToken[], kept?: string, denied?: string) {
  const parts = partsOf();
  const { deps } = parts.live();
  const consul = {
    ...deps.consul,
    inspect: async () => ({ aclsEnabled: true }),
    readAclToken: async () => ({ accessorId: 'own', policies: [] }),
    acl: {
      tokens: async () => tokens,
      read: async () => {
        if (denied !== undefined) throw new SyncError('ERR_CONSUL_DENIED', denied, { retriable: false });
        return { policies: [], roles: [] };
      },
    },
  };
  const live = { deps: { ...deps, consul, acl: { cache: new AclCache(), tools: () => ({}) } } };
  return {
    ...parts,
    live: () => live,
    store: { keyValues: { get: async () => kept } },
  } as unknown as ConsoleParts;
}

const ASKED = { kind: 'static', q: '', limit: 2 } as const;
const old = (day: number) => ({ createdAt: `2025-01-0${day}T00:00:00Z` });
const TOKENS = [
  aclToken('own', old(1)),
  aclToken('b', { ...old(3), description: `ci ${'x'.repeat(5_000)}` }),
  aclToken('a', { ...old(2), serviceIdentities: ['web'] }),
  aclToken('ends', { expiresAt: '2027-01-01T00:00:00Z' }),
  aclToken('login', { authMethod: 'okta' }),
];

it('the pages together are the static tokens, the oldest first and those that end last; the own one does not count', async () => {
  const list = await readTokenList(partsWith(TOKENS), signal);
  const first = answerTokens(list, ASKED);
  expect(Tokens.parse(first)).toEqual(first);
  expect(first).toMatchObject({ total: 4, counts: { static: 2, 'static-expiring': 1, login: 1 } });
  const second = answerTokens(list, { ...ASKED, cursor: first.next ?? '' });
  expect(second.next).toBe(null);
  const rows = [...first.rows, ...second.rows];
  expect(rows.map(({ accessorId }) => accessorId)).toEqual(['own', 'a', 'b', 'ends']);
  expect(rows.map(({ inUseHere }) => inUseHere)).toEqual([true, false, false, false]);
  expect(rows[1]).toMatchObject({
    can: ['identity of service web'],
    services: [{ name: 'web', client: { provider: 'main', id: 'web' } }],
  });
  expect(rows[2]?.description.length).toBeLessThan(400);
});

it('a part of the description or of a rule finds tokens of the chosen kind alone', async () => {
  const list = await readTokenList(partsWith(TOKENS), signal);
  const found = (q: string) => answerTokens(list, { ...ASKED, q }).rows.map(({ accessorId }) => accessorId);
  expect([found('CI '), found('service web'), found('login')]).toEqual([['b'], ['a'], []]);
});

it('what tokens may do is not known, and the page not complete, where Consul does not show the rules', async () => {
  const list = await readTokenList(partsWith(TOKENS, undefined, 'lacks acl = "read"'), signal);
  const answer = answerTokens(list, ASKED);
  expect(answer).toMatchObject({ complete: false, unknown: [expect.stringContaining('lacks acl = "read"')] });
  expect(answer.rows[1]).toMatchObject({ can: null, instead: null });
});

it('the days come from the store', async () => {
  const days = [
    { day: '2026-01-01', counts: { management: 1, static: 9, 'static-expiring': 0, anonymous: 1, login: 3 } },
  ];
  const list = await readTokenList(partsWith([], JSON.stringify(days)), signal);
  expect(answerTokens(list, ASKED)).toMatchObject({ days, rows: [], total: 0 });
});
