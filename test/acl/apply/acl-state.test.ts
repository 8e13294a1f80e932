import { describe, expect, it } from 'vitest';
import { AclState, isAclActive, needsAclObjects } from '../../../src/acl/apply/acl-state.js';
import { mapping, NOW, rule } from '../../plan/scene.js';

const KEY = 'client/main/web';
const FACTS = { version: '1.22', datacenter: 'dc1', defaultPolicy: 'deny', aclsEnabled: true } as const;
const SECONDS = { role: 30, policy: 20, token: 10 };

/** Durable values, and how often they were written. */
function values() {
  const stored = new Map<string, string>();
  let writes = 0;
  return {
    get: async (name: string) => stored.get(name),
    async set(name: string, value: string) {
      writes++;
      stored.set(name, value);
    },
    writes: () => writes,
  };
}

describe('whether ACL objects may exist', () => {
  it('outlives the process from before the first write until a read that finds none', async () => {
    const keyValues = values();
    const first = new AclState();
    await first.restore(keyValues);
    expect(first.mayHaveObjects).toBe(false);
    await first.noteNoObjects(keyValues);
    expect(keyValues.writes()).toBe(0);
    await first.noteWrite(keyValues);
    await first.noteWrite(keyValues);
    expect(first.mayHaveObjects).toBe(true);
    expect(keyValues.writes()).toBe(1);
    const second = new AclState();
    await second.restore(keyValues);
    expect(second.mayHaveObjects).toBe(true);
    await second.noteNoObjects(keyValues);
    expect(second.mayHaveObjects).toBe(false);
    const third = new AclState();
    await third.restore(keyValues);
    expect(third.mayHaveObjects).toBe(false);
  });

  it('is not noted where that cannot be made durable, so the next write tries again', async () => {
    const state = new AclState();
    const broken = { set: () => Promise.reject(new Error('disk')) };
    await expect(state.noteWrite(broken)).rejects.toThrow('disk');
    expect(state.mayHaveObjects).toBe(false);
  });

  it('asks for a read also where the mapping wants none any more', async () => {
    const acl = new AclState();
    const world = { mapping: mapping() };
    expect(isAclActive({ acl, world })).toBe(false);
    const needing = mapping({ acl: { ...mapping().acl, login: true } });
    expect(isAclActive({ acl, world: { mapping: needing } })).toBe(true);
    await acl.noteWrite(values());
    expect(isAclActive({ acl, world })).toBe(true);
  });
});

describe('ACL objects are wanted', () => {
  const { acl } = mapping();
  it.each([
    ['for logins', { acl: { ...acl, login: true } }, true],
    ['for the members of a group', { acl: { ...acl, groups: [{ group: 'oncall', acl: '' }] } }, true],
    ['for one rule of several', { rules: [rule('a', 'a'), { ...rule('b', 'b'), acl: '' }] }, true],
    ['never for rules of intentions', { rules: [rule('a', 'a')] }, false],
  ])('%s', (_what, changes, needsObjects) => {
    expect(needsAclObjects(mapping(changes as Parameters<typeof mapping>[0]))).toBe(needsObjects);
  });
});

describe('a key', () => {
  it('counts as running until its job ends, even if it fails', async () => {
    const state = new AclState();
    const made = await state.whileUnderWay(KEY, async () => {
      expect(state.isUnderWay(KEY)).toBe(true);
      expect(state.isUnderWay('client/main/api')).toBe(false);
      return 'made';
    });
    expect(made).toBe('made');
    expect(state.isUnderWay(KEY)).toBe(false);
    await expect(state.whileUnderWay(KEY, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(state.isUnderWay(KEY)).toBe(false);
  });

  it('is doubtful while a late request may change its objects, and at the first read after that', () => {
    const state = new AclState();
    expect(state.isDoubtful(KEY, NOW)).toBe(false);
    state.noteOnItsWay(KEY, NOW + 30);
    state.noteOnItsWay(KEY, NOW + 20);
    expect(state.inFlightMs(KEY, NOW)).toBe(30);
    expect(state.inFlightMs('client/main/api', NOW)).toBe(0);
    expect(state.isDoubtful(KEY, NOW + 29)).toBe(true);
    expect(state.inFlightMs(KEY, NOW + 31)).toBe(0);
    expect(state.isDoubtful(KEY, NOW + 30)).toBe(true);
    expect(state.isDoubtful(KEY, NOW + 30)).toBe(false);
  });
});

describe('the cache times of agents', () => {
  it('are read once a minute at most, and known without a read from then on', async () => {
    const state = new AclState();
    let reads = 0;
    const inspect = async () => {
      reads++;
      return { ...FACTS, aclCache: { ...SECONDS, role: SECONDS.role + reads } };
    };
    expect(state.knownAgentCache).toBeUndefined();
    expect(await state.agentCache(inspect, NOW)).toEqual({ ...SECONDS, role: 31 });
    expect(await state.agentCache(inspect, NOW + 60_000)).toEqual({ ...SECONDS, role: 31 });
    expect(await state.agentCache(inspect, NOW + 60_001)).toEqual({ ...SECONDS, role: 32 });
    expect(state.knownAgentCache).toEqual({ roleSeconds: 32, policySeconds: 20, tokenSeconds: 10 });
  });

  it('are unknown, and not asked for again at once, where they cannot be read', async () => {
    const state = new AclState();
    let reads = 0;
    const inspect = () => {
      reads++;
      return Promise.reject(new Error('no answer'));
    };
    expect(await state.agentCache(inspect, NOW)).toBeUndefined();
    expect(await state.agentCache(inspect, NOW)).toBeUndefined();
    expect(reads).toBe(1);
    expect(state.knownAgentCache).toBeUndefined();
  });

  it('are never negative', () => {
    const state = new AclState();
    state.noteAgentCache({ role: -1, policy: -1, token: -1 }, NOW);
    expect(state.knownAgentCache).toEqual({ roleSeconds: 0, policySeconds: 0, tokenSeconds: 0 });
  });
});

describe('the parser of ACL rules', () => {
  it('is made once for each mapping', () => {
    const state = new AclState();
    const first = mapping();
    const tools = state.tools(first);
    expect(state.tools(first)).toEqual(tools);
    expect(state.tools(first).parse).toBe(tools.parse);
    const next = state.tools(mapping());
    expect(next.parse).not.toBe(tools.parse);
    expect(next.compile).not.toBe(tools.compile);
  });
});
