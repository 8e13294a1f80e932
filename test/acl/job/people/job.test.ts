import { describe, expect, it } from 'vitest';
import { aclBudget, fleetBudget } from '../../../../src/acl/job/acl-budget.js';
import { reconcilePeople } from '../../../../src/acl/job/people.js';
import type { Members } from '../../../../src/model/members.js';
import type { Trigger } from '../../../../src/model/trigger.js';
import { personName } from '../../../../src/plan/object-names.js';
import { CAUSE, NEVER } from '../../../apply/apply-rig.js';
import { NOW } from '../../../plan/scene.js';
import { UNREACHABLE } from '../../../reconcile/deps.js';
import { failed } from '../../apply/memory-acl.js';
import { READ_CONFIG } from '../../plan/acl-scene.js';
import { type AclWorld, type AclWorldOptions, aclWorld, denied, jobOf, NO_LOSS } from '../acl-world.js';

const GROUPS = [{ group: 'oncall', acl: READ_CONFIG }];
const KEY = { kind: 'provider', name: 'main' } as const;
const MANY = { maxRevocations: { percent: 100, atLeast: 10, windowMs: 600_000 } };
const run = (it: AclWorld, trigger: Partial<Trigger> = { members: true }, most?: number, stop = NEVER) =>
  reconcilePeople(KEY, jobOf([trigger]), it.job, stop, most);
const oncall =
  (...subjects: readonly string[]) =>
  (): Members =>
    new Map([['oncall', subjects]]);
/** Who has a role and a binding rule. */
const admitted = (it: AclWorld) =>
  ['ann', 'ben', 'cat'].filter((subject) => {
    const role = personName('pay', 'main', subject, 'oncall');
    const all = [...it.objects.values()];
    return (
      all.some(({ object }) => 'name' in object && object.name === role) &&
      all.some(({ object }) => 'bindName' in object && object.bindName === role)
    );
  });

async function withPeople(subjects: readonly string[], options: AclWorldOptions = {}): Promise<AclWorld> {
  const it = aclWorld({ ...options, settings: { groups: GROUPS } });
  it.state.members = oncall(...subjects);
  await run(it);
  expect(admitted(it)).toEqual(subjects);
  it.forget();
  return it;
}

describe('the job of people', () => {
  it('gives each member a role, takes it from who left, and counts that before it goes', async () => {
    const it = await withPeople(['ann', 'ben'], { mapping: MANY });
    it.state.members = oncall('ben', 'cat');
    let stored: string | undefined;
    it.before = async (line) => {
      if (/^(replace|delete)/.test(line)) stored ??= await it.job.keyValues.get('guard/window');
    };
    expect(await run(it)).toEqual({ kind: 'done' });
    expect(admitted(it)).toEqual(['ben', 'cat']);
    expect(stored).toContain(personName('pay', 'main', 'ann', 'oncall'));
    expect(it.job.window.used(NOW)).toBe(1);
    expect(new Set(it.decided().map(({ reason }) => reason))).toEqual(
      new Set(['MembershipRemoved', 'MembershipAdded']),
    );
    expect(it.added).toEqual([]);
    expect(it.job.acl.isUnderWay('provider/main')).toBe(false);
  });

  it('does not count who could not be taken out, and takes them out at the next run within the limit', async () => {
    const it = await withPeople(['ann', 'ben'], {
      mapping: { maxRevocations: { ...MANY.maxRevocations, percent: 0, atLeast: 1 } },
    });
    it.state.members = oncall('ben');
    it.before = async (line) => {
      if (/^(replace|delete)/.test(line)) throw failed('ERR_CONSUL_DENIED');
    };
    await expect(run(it)).rejects.toThrow('no');
    expect(it.job.window.used(NOW)).toBe(0);
    expect(admitted(it)).toEqual(['ann', 'ben']);
    it.before = async () => {};
    await run(it);
    expect(admitted(it)).toEqual(['ben']);
    expect(it.job.window.used(NOW)).toBe(1);
  });

  it('counts a removal once that was made in part', async () => {
    const it = await withPeople(['ann', 'ben'], {
      mapping: { maxRevocations: { ...MANY.maxRevocations, percent: 0, atLeast: 2 } },
    });
    it.state.members = oncall('ben');
    it.before = async (line) => {
      if (line.startsWith('delete acl-role')) throw failed('ERR_CONSUL_DENIED');
    };
    await expect(run(it)).rejects.toThrow('no');
    expect(admitted(it)).toEqual(['ben']);
    expect(it.job.window.used(NOW)).toBe(1);
    it.before = async () => {};
    it.state.members = oncall();
    it.forget();
    await run(it);
    expect([...it.objects.values()].filter(({ kind }) => kind === 'acl-role')).toEqual([]);
    expect(new Set(it.decided().map(({ outcome }) => outcome))).toEqual(new Set(['applied']));
    expect(it.job.window.used(NOW)).toBe(2);
  });

  it('counts nobody twice whose removal failed beside one that was made', async () => {
    const it = await withPeople(['ann', 'ben', 'cat'], {
      mapping: { maxRevocations: { ...MANY.maxRevocations, percent: 0, atLeast: 3 } },
    });
    it.state.members = oncall('cat');
    const ben = personName('pay', 'main', 'ben', 'oncall');
    it.before = async (line) => {
      if (line.startsWith('delete') && line.includes(ben)) throw failed('ERR_CONSUL_DENIED');
    };
    await expect(run(it)).rejects.toThrow('no');
    expect(admitted(it)).toEqual(['ben', 'cat']);
    it.before = async () => {};
    it.state.members = oncall();
    await run(it);
    expect(admitted(it)).toEqual([]);
    expect(it.job.window.used(NOW)).toBe(3);
  });

  it('stays within the limit with other losses while several are taken out', async () => {
    const it = await withPeople(['ann', 'ben', 'cat'], {
      mapping: { maxRevocations: { ...MANY.maxRevocations, percent: 0, atLeast: 3 } },
    });
    it.state.members = oncall();
    const counts: number[] = [];
    it.before = async (line) => {
      if (!line.startsWith('delete')) return;
      const { used, planned } = fleetBudget(it.job, NOW, aclBudget(it.job, NOW));
      counts.push(used + planned);
    };
    await run(it);
    expect(admitted(it)).toEqual([]);
    expect(new Set(counts)).toEqual(new Set([3]));
    expect(it.job.window.used(NOW)).toBe(3);
  });

  it('holds a removal beyond the limit, and none that the identity provider reports', async () => {
    const it = await withPeople(['ann', 'ben'], { mapping: NO_LOSS });
    it.state.members = oncall('ben');
    await run(it);
    expect(admitted(it)).toEqual(['ann', 'ben']);
    expect(it.outcomes()).toEqual(['acl-role held RevocationLimit']);
    await run(it, { members: true, evidence: [{ provider: 'main', people: ['ann'] }] });
    expect(admitted(it)).toEqual(['ben']);
    expect(it.job.window.used(NOW)).toBe(0);
  });

  it('sends nothing where the mapping wants nothing and nothing was written', async () => {
    const it = aclWorld({ mapping: { rules: [] } });
    expect(await run(it)).toEqual({ kind: 'done' });
    expect(it.log).toEqual([]);
  });

  it('gives no more than so many people something in one run, and comes again for the others', async () => {
    const it = aclWorld({ settings: { groups: GROUPS } });
    it.state.members = oncall('ann', 'ben', 'cat');
    expect(await run(it, { members: true }, 4)).toEqual({ kind: 'done' });
    expect(admitted(it).length).toBeLessThan(3);
    expect(it.added).toEqual([{ key: KEY, cause: CAUSE, evidence: [] }]);
    await run(it, {}, 100);
    expect(admitted(it)).toEqual(['ann', 'ben', 'cat']);
    expect(it.added).toHaveLength(1);
  });

  it('by a changed configuration has that as the reason', async () => {
    const it = aclWorld({ settings: { groups: GROUPS } });
    it.state.members = oncall('ann');
    await run(it, { members: true, cause: { kind: 'config', receivedAt: CAUSE.receivedAt } });
    expect(new Set(it.decided().map(({ reason }) => reason))).toEqual(new Set(['MappingChanged']));
  });

  it.each(['observe', 'extend'] as const)('takes nobody out in mode %s', async (mode) => {
    const it = await withPeople(['ann', 'ben']);
    it.setMapping({ mode });
    it.state.members = oncall('ben');
    await run(it, { members: true, evidence: [{ provider: 'main', people: ['ann'] }] });
    expect(admitted(it)).toEqual(['ann', 'ben']);
    expect(new Set(it.decided().map(({ reason }) => reason))).toEqual(new Set(['ModeForbids']));
  });

  it('cleans up what an earlier mapping wanted, as far as Consul permits', async () => {
    const it = await withPeople(['ann']);
    it.setMapping({ rules: [], acl: { ...it.world.mapping.acl, groups: [] } });
    it.before = () => Promise.reject(denied);
    expect(await run(it)).toEqual({ kind: 'done' });
    expect(it.added).toEqual([]);
    it.before = async () => {};
    await run(it);
    expect(admitted(it)).toEqual([]);
  });
});

describe('while the members cannot be read', () => {
  const unread = async (trigger: Partial<Trigger>, it: AclWorld) => {
    it.state.members = () => {
      throw UNREACHABLE;
    };
    return run(it, trigger);
  };

  it('nobody is added or taken out, and the job fails, or comes again without the complete comparison', async () => {
    const it = await withPeople(['ann', 'ben']);
    await expect(unread({ members: true }, it)).rejects.toBe(UNREACHABLE);
    const evidence = [{ provider: 'main', people: ['ann'] }];
    expect(await unread({ fullRead: true, evidence }, it)).toEqual({ kind: 'done' });
    expect(it.added).toEqual([{ key: KEY, cause: CAUSE, members: true, evidence }]);
    expect(admitted(it)).toEqual(['ann', 'ben']);
  });

  it('a group that is no longer mapped loses its members all the same', async () => {
    const it = await withPeople(['ann']);
    it.setMapping({ acl: { ...it.world.mapping.acl, groups: [{ group: 'audit', acl: READ_CONFIG }] } });
    await expect(unread({ members: true }, it)).rejects.toBe(UNREACHABLE);
    expect(admitted(it)).toEqual([]);
  });

  it('a hold and its ruling stay, as it is not known whether it goes on', async () => {
    const it = await withPeople(['ann', 'ben'], { mapping: NO_LOSS });
    it.state.members = oncall('ben');
    await run(it);
    const held = async () =>
      [...(await it.job.journal.read('provider/main')).holds.values()].map(({ reason }) => reason);
    expect(await held()).toEqual(['RevocationLimit']);
    it.job.acl.members.clear();
    await expect(unread({ members: true }, it)).rejects.toBe(UNREACHABLE);
    expect(await held()).toContain('RevocationLimit');
    it.state.members = oncall('ann', 'ben');
    await run(it);
    expect(await held()).toEqual([]);
  });
});

describe('a write of people that has no answer', () => {
  const hanging = (it: AclWorld, code: Parameters<typeof failed>[0] = 'ERR_TIMEOUT') => {
    it.state.members = oncall('ann');
    it.before = async (line) => {
      if (/^create scopemesh/.test(line)) throw failed(code, 'no whole answer');
    };
  };

  it('is tried again soon, in the complete comparison by a job of its own', async () => {
    const it = aclWorld({ settings: { groups: GROUPS } });
    hanging(it);
    expect(await run(it)).toEqual({ kind: 'retry', afterMs: 5_000 });
    expect(it.added).toEqual([]);
    const complete = aclWorld({ settings: { groups: GROUPS } });
    hanging(complete);
    expect(await run(complete, { fullRead: true })).toEqual({ kind: 'done' });
    expect(complete.added).toEqual([{ key: KEY, cause: CAUSE, evidence: [] }]);
    expect(complete.warnings).toEqual([expect.stringContaining('has no answer yet')]);
  });

  it('fails the job where Consul is away, or scopemesh stops', async () => {
    const it = aclWorld({ settings: { groups: GROUPS } });
    hanging(it, 'ERR_CONSUL_UNREACHABLE');
    await expect(run(it)).rejects.toMatchObject({ code: 'ERR_CONSUL_UNREACHABLE' });
    const stopping = aclWorld({ settings: { groups: GROUPS } });
    hanging(stopping);
    const stop = new AbortController();
    const { before } = stopping;
    stopping.before = async (line) => {
      if (line.startsWith('create scopemesh')) stop.abort(new Error('stopped'));
      await before(line);
    };
    await expect(run(stopping, { members: true }, undefined, stop.signal)).rejects.toThrow();
  });
});
