import { describe, expect, it } from 'vitest';
import { reconcilePeople } from '../../../src/acl/job/people.js';
import { refreshMembers } from '../../../src/acl/job/read-members.js';
import type { Members, UnreadablePeople } from '../../../src/model/members.js';
import type { Trigger } from '../../../src/model/trigger.js';
import { NEVER } from '../../apply/apply-rig.js';
import { NOW } from '../../plan/scene.js';
import { UNREACHABLE } from '../../reconcile/deps.js';
import { READ_CONFIG } from '../plan/acl-scene.js';
import { type AclWorld, aclWorld, jobOf } from './acl-world.js';

const GROUPS = ['oncall', 'audit'].map((group) => ({ group, acl: READ_CONFIG }));
const KEY = { kind: 'provider', name: 'main' } as const;
const unreadable = (changes: Partial<UnreadablePeople> = {}): UnreadablePeople => ({
  subjects: new Set(),
  groups: new Set(),
  hasUnnamed: false,
  ...changes,
});
const members = (groups: Readonly<Record<string, readonly string[]>>, more?: UnreadablePeople): Members =>
  Object.assign(new Map(Object.entries({ oncall: [], audit: [], ...groups })), more && { unreadable: more });
const refresh = (it: AclWorld, trigger: Partial<Trigger> = { members: true }, stop = NEVER) =>
  refreshMembers('main', jobOf([trigger]), it.job, stop);
const admitted = (it: AclWorld) =>
  Object.fromEntries(
    [...(it.state.asked?.admitted ?? [])].map(([group, people]) => [group, people.toSorted()]),
  );

/** A world in which these people have access. */
async function withPeople(...subjects: readonly string[]): Promise<AclWorld> {
  const it = aclWorld({ settings: { groups: GROUPS } });
  it.state.members = () => members({ oncall: subjects });
  await reconcilePeople(KEY, jobOf([{ members: true }]), it.job, NEVER);
  it.state.asked = undefined;
  it.forget();
  return it;
}

describe('the members of the mapped groups', () => {
  it('are read where a trigger asks for it, or where those of a group are not known', async () => {
    const it = await withPeople('ann');
    await refresh(it, {});
    expect(it.state.asked).toBeUndefined();
    for (const asks of [{ members: true }, { fullRead: true }]) {
      it.state.asked = undefined;
      await refresh(it, asks);
      expect(it.state.asked).toMatchObject({ groups: ['oncall', 'audit'] });
    }
    it.state.asked = undefined;
    await refreshMembers('main', jobOf([{}, { members: true }]), it.job, NEVER);
    expect(it.state.asked).toBeDefined();
    it.state.asked = undefined;
    it.job.acl.members.set('main', new Map([['oncall', []]]));
    await refresh(it, {});
    expect(it.state.asked).toBeDefined();
    expect(it.job.acl.members.get('main')).toEqual(members({ oncall: ['ann'] }));
  });

  it('are not read where no group is mapped, or the directory has none', async () => {
    const none = aclWorld();
    expect(await refresh(none)).toEqual({});
    expect(none.state.asked).toBeUndefined();
    const it = await withPeople('ann');
    const { readMembers: _, ...directory } = it.job.directories.get('main') ?? {};
    const directories = new Map([['main', directory]]) as typeof it.job.directories;
    expect(
      await refreshMembers('main', jobOf([{ members: true }]), { ...it.job, directories }, NEVER),
    ).toEqual({});
    expect(it.state.asked).toBeUndefined();
  });

  it('are read after Consul says who has access, which the directory is asked to confirm', async () => {
    const it = await withPeople('ann', 'ben');
    expect(it.job.acl.cache.isComplete).toBe(true);
    await refresh(it);
    expect(admitted(it)).toEqual({ oncall: ['ann', 'ben'] });
  });

  it('are not read where Consul cannot say that', async () => {
    const it = aclWorld({ settings: { groups: GROUPS } });
    it.before = () => Promise.reject(UNREACHABLE);
    expect(await refresh(it)).toEqual({ failure: UNREACHABLE });
    expect(it.state.asked).toBeUndefined();
  });

  it('are confirmed for nobody whom an event names, so that a list that is behind delays no removal', async () => {
    const it = await withPeople('ann', 'ben');
    await refresh(it, { members: true, evidence: [{ provider: 'main', people: ['ann'] }] });
    expect(admitted(it)).toEqual({ oncall: ['ben'] });
    await refresh(it, { members: true, evidence: [{ provider: 'other', people: ['ann'] }] });
    expect(admitted(it)).toEqual({ oncall: ['ann', 'ben'] });
  });

  it('are not confirmed again for ten minutes for who left and still has access', async () => {
    const it = await withPeople('ann', 'ben');
    it.state.members = () => members({ oncall: ['ben'] });
    await refresh(it);
    expect(admitted(it)).toEqual({ oncall: ['ann', 'ben'] });
    it.nowMs = NOW + 599_999;
    await refresh(it);
    expect(admitted(it)).toEqual({ oncall: ['ben'] });
    it.nowMs = NOW + 600_000;
    await refresh(it);
    expect(admitted(it)).toEqual({ oncall: ['ann', 'ben'] });
  });

  it('are confirmed again for who came back', async () => {
    const it = await withPeople('ann', 'ben');
    it.state.members = () => members({ oncall: ['ben'] });
    await refresh(it);
    it.state.members = () => members({ oncall: ['ann', 'ben'] });
    await refresh(it);
    await refresh(it);
    expect(admitted(it)).toEqual({ oncall: ['ann', 'ben'] });
    expect(it.job.acl.left.get('main')).toEqual(new Map());
  });
});

describe('a read of members that fails', () => {
  it('is counted and logged, and leaves what is known', async () => {
    const it = await withPeople('ann');
    it.state.members = () => {
      throw UNREACHABLE;
    };
    expect(await refresh(it)).toEqual({ failure: UNREACHABLE });
    expect(it.counted).toContain('scopemesh_directory_failures_total main ERR_DIRECTORY_UNREACHABLE 1');
    expect(it.job.acl.members.get('main')).toEqual(members({ oncall: ['ann'] }));
  });

  it('is no failure where scopemesh stops', async () => {
    const it = await withPeople('ann');
    const stop = new AbortController();
    it.state.members = () => {
      stop.abort(new Error('stopped'));
      throw UNREACHABLE;
    };
    await expect(refresh(it, { members: true }, stop.signal)).rejects.toThrow('stopped');
  });

  it('in part is logged once, and keeps what cannot be read', async () => {
    const it = await withPeople('ann');
    it.state.members = () =>
      members({ oncall: [] }, unreadable({ subjects: new Set(['ann']), groups: new Set(['audit']) }));
    for (let at = 0; at < 2; at++) expect(await refresh(it)).toEqual({});
    expect(it.warnings).toEqual([expect.stringContaining('cannot be read; they keep their memberships')]);
    it.state.members = () => members({ oncall: [] }, unreadable({ hasUnnamed: true }));
    await refresh(it);
    expect(it.warnings).toHaveLength(2);
    it.state.members = () => members({ oncall: ['ann'] });
    await refresh(it);
    expect(it.warnings).toHaveLength(2);
  });

  it('counts also if its list lacks people who are members, and is logged once', async () => {
    const it = await withPeople('ann');
    const unlisted = new Map([['oncall', new Set(['ann'])]]);
    it.state.members = () => members({ oncall: ['ben'] }, unreadable({ unlisted }));
    for (let at = 0; at < 2; at++)
      expect(await refresh(it)).toMatchObject({
        failure: { code: 'ERR_DIRECTORY_INCOMPLETE', retriable: true },
      });
    expect(it.warnings).toEqual([expect.stringContaining('lack people who are still members')]);
    expect(it.counted).toContain('scopemesh_directory_failures_total main ERR_DIRECTORY_INCOMPLETE 1');
    expect(it.job.acl.members.get('main')?.get('oncall')).toEqual(['ben']);
    expect(it.job.acl.left.get('main')).toEqual(new Map());
  });
});
