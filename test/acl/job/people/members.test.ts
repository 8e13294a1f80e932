import { afterEach, describe, expect, it, vi } from 'vitest';
import { refreshMembers } from '../../../../src/acl/job/read-members.js';
import type { Consul } from '../../../../src/consul/consul.js';
import { SyncError } from '../../../../src/errors.js';
import { providerKey } from '../../../../src/model/key.js';
import type { Members } from '../../../../src/model/members.js';
import { ruleOnHold } from '../../../../src/operator/approvals.js';
import { personName } from '../../../../src/plan/object-names.js';
import { type AclRig, createAclRig } from '../../../support/acl-rig.js';
import { clientOf, OWNER } from '../../../support/daemon.js';
import { startWorker, type Worker } from '../../../support/reconcile-rig.js';
import { until } from '../../../support/until.js';

let rig: AclRig;
let worker: Worker;
afterEach(async () => {
  await worker.stop();
  await rig.close();
});

const acl = 'key_prefix "config/" { policy = "read" }';
const roleOf = (subject: string) => personName(OWNER, 'main', subject, 'oncall');

async function start(
  subjects: readonly string[],
  wrap?: (consul: Consul) => Consul,
  guards: Readonly<Record<string, unknown>> = {},
  moreGroups: readonly string[] = [],
) {
  const groups = Object.fromEntries(['oncall', ...moreGroups].map((group) => [group, { acl }]));
  rig = await createAclRig({ clients: [clientOf('web')], file: { groups, guards } });
  rig.idp.people = new Map(subjects.map((subject) => [subject, ['oncall']]));
  rig.writeFile();
  worker = await startWorker(rig, wrap);
}

const rolesInConsul = async () =>
  (await rig.objects('roles')).flatMap(({ Name = '' }) => (Name.includes('-_person-') ? [Name] : []));
const idle = () => worker.idle(60_000);

function spyOnMembers() {
  const directory = worker.deps.directories.get('main');
  if (directory?.readMembers === undefined) throw new Error('no directory that tells members');
  return vi.spyOn(directory, 'readMembers');
}

const lastAdmitted = (members: ReturnType<typeof spyOnMembers>) =>
  [...(members.mock.lastCall?.[2]?.get('oncall') ?? [])].toSorted();

/** Empty lists that lack people who are still members. */
function withUnlisted(groups: readonly string[], people: Members = new Map()): Members {
  const unlisted = new Map([...people].map(([group, subjects]) => [group, new Set(subjects)]));
  const unreadable = { subjects: new Set<string>(), groups: new Set<string>(), hasUnnamed: false, unlisted };
  return Object.assign(new Map(groups.map((group) => [group, []])), { unreadable });
}

describe('the people of a provider', () => {
  it('come in several runs where they are many, and who goes meanwhile waits for no more than one', async () => {
    const subjects = Array.from({ length: 110 }, (_, at) => `p${at}`);
    let roles = 0;
    await start(subjects, (consul) => ({
      ...consul,
      acl: {
        ...consul.acl,
        async write(id, object, signal) {
          if (object.kind === 'acl-role' && ++roles === 50) {
            rig.idp.people?.delete('p0');
            const evidence = [{ provider: 'main', people: ['p0'] }];
            await worker.add(providerKey('main'), 'webhook', { members: true, urgent: true, evidence });
          }
          return consul.acl.write(id, object, signal);
        },
      },
    }));
    await idle();
    expect((await rolesInConsul()).toSorted()).toEqual(
      subjects
        .filter((subject) => subject !== 'p0')
        .map(roleOf)
        .toSorted(),
    );
    const reported = await worker.settled();
    const gone = reported.findIndex(({ reason }) => reason === 'MembershipRemoved');
    const grantsBefore = reported.slice(0, gone).filter(({ reason }) => reason === 'MembershipAdded').length;
    // p0 had a role of the first run already, or was never admitted.
    if (gone >= 0) expect(grantsBefore).toBeLessThanOrEqual(200);
    else expect(reported.some(({ person }) => person?.subject === 'p0')).toBe(false);
  }, 90_000);

  it('whose members cannot be read do not have the clients compared again and again', async () => {
    await start(['ann']);
    await idle();
    const directory = worker.deps.directories.get('main');
    if (directory?.readMembers === undefined) throw new Error('no directory that tells members');
    const comparisons = vi.spyOn(directory, 'readAll');
    const members = vi.spyOn(directory, 'readMembers');
    rig.idp.people = undefined;
    await worker.add(providerKey('main'), 'full-read', { fullRead: true });
    const isAskedAgain = () => {
      rig.clock.advance(100);
      return members.mock.calls.length >= 3;
    };
    await until('the members are asked for again and again', isAskedAgain, 20_000);
    expect(comparisons).toHaveBeenCalledTimes(1);
    expect(await rolesInConsul()).toEqual([roleOf('ann')]);
  });

  it('who have access in Consul are named to the directory, also after a start, so that it can confirm who left', async () => {
    await start(['ann', 'ben']);
    await idle();
    await worker.stop();
    worker = await startWorker(rig);
    const members = spyOnMembers();
    await worker.add(providerKey('main'), 'poll', { members: true });
    await idle();
    expect(lastAdmitted(members)).toEqual(['ann', 'ben']);
  });

  it('whom an event names are not asked for, so that a read which is behind does not delay their removal', async () => {
    await start(['ann', 'ben']);
    await idle();
    const members = spyOnMembers();
    rig.idp.people = new Map();
    // As a directory that still calls everybody for whom it asks a member.
    members.mockImplementation(async (_, __, admitted) => withUnlisted(['oncall'], admitted));
    const evidence = [{ provider: 'main', people: ['ann'] }];
    await worker.add(providerKey('main'), 'webhook', { members: true, evidence });
    await until('ann is removed', async () => (await rolesInConsul()).length === 1, 60_000);
    expect(lastAdmitted(members)).toEqual(['ben']);
    expect(await rolesInConsul()).toEqual([roleOf('ben')]);
  });

  it('stay while a list lacks them, those of other groups go, and the lists are read again', async () => {
    await start(['ann', 'ben'], undefined, {}, ['dev']);
    rig.idp.people = new Map([
      ['ann', ['oncall']],
      ['ben', ['dev']],
    ]);
    await worker.add(providerKey('main'), 'poll', { members: true });
    await idle();
    const ben = personName(OWNER, 'main', 'ben', 'dev');
    await until('both groups have one', async () => (await rolesInConsul()).length === 2, 60_000);
    expect((await rolesInConsul()).toSorted()).toEqual([roleOf('ann'), ben].toSorted());
    const members = spyOnMembers();
    members.mockResolvedValue(withUnlisted(['oncall', 'dev'], new Map([['oncall', ['ann']]])));
    await worker.add(providerKey('main'), 'poll', { members: true });
    const isAskedAgain = () => {
      rig.clock.advance(100);
      return members.mock.calls.length >= 2;
    };
    await until('the lists are read again', isAskedAgain, 60_000);
    await until('ben is removed', async () => (await rolesInConsul()).length === 1, 60_000);
    expect(await rolesInConsul()).toEqual([roleOf('ann')]);
  });

  it('whose removal is held are asked for once, and again after some minutes', async () => {
    await start(['ann', 'ben', 'cy'], undefined, {
      maxRevocations: { percent: 10, atLeast: 1, window: '10m' },
    });
    await idle();
    const members = spyOnMembers();
    rig.idp.people = new Map();
    const readAgain = async () => {
      await worker.add(providerKey('main'), 'poll', { members: true });
      await idle();
      return lastAdmitted(members);
    };
    expect(await readAgain()).toEqual(['ann', 'ben', 'cy']);
    expect(await readAgain()).toEqual([]);
    expect(await rolesInConsul()).toHaveLength(3);
    rig.clock.advance(11 * 60_000);
    await idle();
    await readAgain();
    const later = members.mock.calls.slice(2).map(([, , admitted]) => admitted?.get('oncall'));
    expect(later).toContainEqual(expect.objectContaining({ length: 3 }));
  });

  it('are not read while it is unknown who has access, and the job goes on without', async () => {
    const unreachable = new SyncError('ERR_CONSUL_UNREACHABLE', 'away', { retriable: true });
    let isAway = false;
    await start(['ann'], (consul) => ({
      ...consul,
      acl: {
        ...consul.acl,
        read: (...args) => (isAway ? Promise.reject(unreachable) : consul.acl.read(...args)),
      },
    }));
    await idle();
    const members = spyOnMembers();
    vi.spyOn(worker.deps.acl.cache, 'isComplete', 'get').mockReturnValue(false);
    isAway = true;
    const key = providerKey('main');
    const cause = { kind: 'poll', receivedAt: '2026-01-01T00:00:00Z' } as const;
    const job = { key, triggers: [{ key, cause, members: true }], attempts: 0 };
    const result = await refreshMembers('main', job, worker.deps, new AbortController().signal);
    expect(result).toEqual({ failure: unreachable });
    expect(members).not.toHaveBeenCalled();
  });

  it('who are held by the mass guard go one by one, as a person rules', async () => {
    await start(['ann', 'ben', 'cy'], undefined, {
      maxRevocations: { percent: 10, atLeast: 1, window: '10m' },
    });
    await idle();
    rig.idp.people = new Map();
    await worker.add(providerKey('main'), 'poll', { members: true });
    await idle();
    expect(await rolesInConsul()).toHaveLength(3);
    const holds = async () => (await worker.store.journal.overview()).holds;
    const idOf = async (subject: string) =>
      (await holds()).find((hold) => hold.subject === `acl-role/${roleOf(subject)}`)?.decisionId ?? '';
    const by = { id: 'alice' };
    expect((await ruleOnHold(await idOf('ann'), 'approved', by, worker.deps)).kind).toBe('ruled');
    expect((await ruleOnHold(await idOf('ben'), 'rejected', by, worker.deps)).kind).toBe('ruled');
    await idle();
    expect((await rolesInConsul()).toSorted()).toEqual([roleOf('ben'), roleOf('cy')].toSorted());
    const gone = (await worker.settled()).filter(({ reason }) => reason === 'MembershipRemoved');
    expect(new Set(gone.map(({ person }) => person?.subject))).toEqual(new Set(['ann']));
    expect(gone.every(({ principal }) => principal?.id === 'alice')).toBe(true);
    await worker.add(providerKey('main'), 'poll', { members: true });
    await idle();
    expect(await rolesInConsul()).toHaveLength(2);
    expect((await holds()).map(({ reason }) => reason)).toEqual(['RevocationLimit', 'RevocationLimit']);
    // An event that names one of them needs no word of a person.
    const evidence = [{ provider: 'main', people: ['cy'] }];
    await worker.add(providerKey('main'), 'webhook', { members: true, evidence });
    await idle();
    expect(await rolesInConsul()).toEqual([roleOf('ben')]);
  });

  it('who are rejected stay when the rest is within the limit, also after a restart while the directory cannot be read', async () => {
    await start(['ann', 'ben', 'cy'], undefined, {
      maxRevocations: { percent: 10, atLeast: 2, window: '10m' },
    });
    await idle();
    rig.idp.people = new Map();
    await worker.add(providerKey('main'), 'poll', { members: true });
    await idle();
    const { holds } = await worker.store.journal.overview();
    const rule = async (subject: string, verdict: 'approved' | 'rejected') => {
      const hold = holds.find((each) => each.subject === `acl-role/${roleOf(subject)}`);
      await ruleOnHold(hold?.decisionId ?? '', verdict, { id: 'alice' }, worker.deps);
      await idle();
    };
    await rule('ben', 'rejected');
    await rule('ann', 'approved');
    expect((await rolesInConsul()).toSorted()).toEqual([roleOf('ben'), roleOf('cy')].toSorted());
    expect(worker.deps.window.used(rig.clock.now())).toBe(1);

    await worker.stop();
    rig.idp.people = undefined;
    worker = await startWorker(rig);
    const directory = worker.deps.directories.get('main');
    if (directory?.readMembers === undefined) throw new Error('no directory that tells members');
    const members = vi.spyOn(directory, 'readMembers');
    const isAskedAgain = () => {
      rig.clock.advance(100);
      return members.mock.calls.length >= 2;
    };
    await until('the members are asked for again', isAskedAgain, 20_000);
    rig.idp.people = new Map();
    await idle();
    rig.clock.advance(11 * 60_000);
    await worker.add(providerKey('main'), 'poll', { members: true });
    await idle();
    expect(await rolesInConsul()).toEqual([roleOf('ben')]);
    const gone = (await worker.settled()).filter(({ reason }) => reason === 'MembershipRemoved');
    const by = new Map(gone.map(({ person, principal }) => [person?.subject, principal?.id]));
    expect(by).toEqual(
      new Map([
        ['ann', 'alice'],
        ['cy', undefined],
      ]),
    );
  });
});
