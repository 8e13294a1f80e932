import { describe, expect, it } from 'vitest';
import { aclDraft } from '../../../src/acl/apply/acl-draft.js';
import {
  countTokens,
  endedTokensText,
  endTokens,
  losingTokensText,
  type TokenEnding,
} from '../../../src/acl/apply/end-tokens.js';
import { CAUSE, NEVER } from '../../apply/apply-rig.js';
import { NOW } from '../../plan/scene.js';
import { aclToken, failed, KEY, loss, type MemoryAcl, memoryAcl, method, WEB } from './memory-acl.js';

/** Ends the tokens of a method, or of another filter. */
const end = (consul: MemoryAcl, more: Partial<TokenEnding> = {}) => {
  const draft = aclDraft(loss.endTokens(method(), { authMethod: WEB }), CAUSE, consul.stamp, undefined);
  return endTokens({ key: KEY, draft, filters: [{ authMethod: WEB }], ...more }, consul.deps, NEVER);
};

describe('live tokens that end', () => {
  it('are listed until none is left: one may be issued while others end', async () => {
    const consul = memoryAcl();
    consul.tokens = [aclToken('a'), aclToken('b')];
    let isLate = true;
    consul.before = async (line) => {
      if (!line.startsWith('end') || !isLate) return;
      isLate = false;
      consul.tokens = [...consul.tokens, aclToken('late')];
    };
    expect(await end(consul)).toBe(3);
    expect(consul.settled[0]?.detail).toContain('ended 3 live tokens;');
    expect(consul.tokens).toEqual([]);
    expect(consul.requests()).toEqual([
      `list authMethod ${WEB}`,
      'end a b',
      `list authMethod ${WEB}`,
      'end late',
      `list authMethod ${WEB}`,
    ]);
    expect(consul.counted.filter((each) => each.includes('tokens_ended'))).toEqual([
      'scopemesh_acl_tokens_ended_total ScopeRevoked 2',
      'scopemesh_acl_tokens_ended_total ScopeRevoked 1',
    ]);
  });

  it('are listed five times at most, so that a client that logs in all the time does not hold up its job', async () => {
    const consul = memoryAcl();
    consul.before = async (line) => {
      if (line.startsWith('list')) consul.tokens = [aclToken(`at-${consul.requests().length}`)];
    };
    expect(await end(consul)).toBe(5);
    expect(consul.requests().filter((line) => line.startsWith('list'))).toHaveLength(5);
  });

  it('may not exist: then nothing is recorded, ended or counted', async () => {
    const consul = memoryAcl();
    expect(await end(consul)).toBe(0);
    expect(consul.log).toEqual([`list authMethod ${WEB}`]);
    expect(consul.counted).toEqual([]);
  });

  it('are those of ours alone that live too long, or that were issued before an instant', async () => {
    const consul = memoryAcl();
    const all = [
      aclToken('old', { createdAt: new Date(NOW - 90_000).toISOString() }),
      aclToken('new', { createdAt: new Date(NOW).toISOString() }),
      aclToken('theirs', { authMethod: 'theirs', createdAt: new Date(NOW - 90_000).toISOString() }),
    ];
    const leftBy = async (asked: Partial<TokenEnding>) => {
      consul.tokens = all;
      await end(consul, { filters: [{ role: WEB }], ...asked });
      return consul.tokens.map(({ accessorId }) => accessorId);
    };
    expect(await leftBy({ issuedBefore: NOW })).toEqual(['new', 'theirs']);
    expect(await leftBy({ longerThanSeconds: 600 })).toEqual(['new', 'theirs']);
    expect(await leftBy({})).toEqual(['theirs']);
  });
});

describe('the decision about live tokens', () => {
  const tokens = [aclToken('a'), aclToken('b', { authMethod: 'scopemesh-pay-main-other', roles: [] })];

  it('is one for all filters, recorded before the first token ends', async () => {
    const consul = memoryAcl();
    consul.tokens = [...tokens];
    const filters = [{ role: 'none' }, { authMethod: WEB }, { authMethod: 'scopemesh-pay-main-other' }];
    expect(await end(consul, { filters })).toBe(2);
    expect(consul.log.filter((line) => /^(record|end|settle) /.test(line))).toEqual([
      `record ${KEY} ${WEB}`,
      'end a',
      'end b',
      `settle ${KEY} ${WEB} applied`,
    ]);
  });

  it('is settled without a token where it was recorded before', async () => {
    const consul = memoryAcl();
    expect(await end(consul, { isRecorded: true, detailOf: async () => 'as asked' })).toBe(0);
    expect(consul.settled).toMatchObject([{ outcome: 'applied', detail: 'as asked' }]);
  });

  it.each(['ERR_CONSUL_DENIED', 'ERR_CONSUL_UNREACHABLE'] as const)(
    'stays recorded after %s, because no later plan may find the tokens',
    async (code) => {
      const consul = memoryAcl();
      consul.tokens = [...tokens];
      consul.before = async (line) => {
        if (line.startsWith('end')) throw failed(code);
      };
      await expect(end(consul)).rejects.toMatchObject({ code });
      expect(consul.pending.size).toBe(1);
      expect(consul.settled).toEqual([]);
    },
  );

  it('is withdrawn where tokens need not end any more, and stays where it was recorded before', async () => {
    const consul = memoryAcl();
    consul.tokens = [...tokens];
    const isAsPlanned = () => false;
    expect(await end(consul, { isAsPlanned })).toBe('stale');
    expect(consul.pending.size).toBe(0);
    expect(await end(consul, { isAsPlanned, isRecorded: true })).toBe('stale');
    expect(consul.pending.size).toBe(1);
    expect(consul.tokens).toHaveLength(2);
    expect(consul.settled).toEqual([]);
  });
});

describe('the count of live tokens', () => {
  it('is not known where Consul does not list them, which is logged and fails nothing', async () => {
    const consul = memoryAcl();
    consul.tokens = [aclToken('a'), aclToken('b', { authMethod: 'theirs' })];
    expect(await countTokens({ role: WEB }, consul.deps, NEVER)).toBe(2);
    consul.before = () => Promise.reject(failed('ERR_CONSUL_UNREACHABLE'));
    expect(await countTokens({ role: WEB }, consul.deps, NEVER)).toBeUndefined();
    expect(consul.warnings).toEqual(['the tokens that lose access could not be counted']);
  });

  it('is given up after a second, so that what narrows does not wait for it', async () => {
    const consul = memoryAcl();
    const { acl } = consul.deps.consul;
    const hanging: typeof acl.tokens = (_by, stop) =>
      new Promise((_resolve, reject) => {
        stop.addEventListener('abort', () => reject(stop.reason), { once: true });
      });
    const deps = { ...consul.deps, consul: { ...consul.deps.consul, acl: { ...acl, tokens: hanging } } };
    expect(await countTokens({ role: WEB }, deps, NEVER)).toBeUndefined();
  });

  it('ends with everything else where scopemesh stops', async () => {
    const consul = memoryAcl();
    const stopped = AbortSignal.abort(new Error('stopped'));
    await expect(countTokens({ role: WEB }, consul.deps, stopped)).rejects.toThrow('stopped');
  });
});

describe('the detail of a decision about tokens', () => {
  it('says how many they were, and for how long agents may honour them', async () => {
    const consul = memoryAcl();
    consul.agentCache = { role: -1, policy: 20, token: 10 };
    const text = await endedTokensText(1, consul.deps, NEVER);
    expect(text).toContain('ended 1 live token; ');
    expect(text).toContain(
      'for up to 0 s (acl.role_ttl) where the token has a role, and 10 s (acl.token_ttl)',
    );
    expect(await endedTokensText(0, consul.deps, NEVER)).toContain('ended 0 live tokens; ');
    expect(await losingTokensText(2, consul.deps, NEVER)).toContain('taken from its 2 live tokens too; ');
  });

  it('says so where that is not known', async () => {
    const consul = memoryAcl();
    consul.agentCache = undefined;
    expect(await endedTokensText(undefined, consul.deps, NEVER)).toMatch(
      /^ended its live tokens; .* which could not be read, /,
    );
    expect(await losingTokensText(undefined, consul.deps, NEVER)).toContain('taken from its live tokens too');
  });
});
