import { describe, expect, it } from 'vitest';
import { reap } from '../../../../src/acl/apply/reap.js';
import { reconcileClientAcl } from '../../../../src/acl/job/client-acl.js';
import { reconcilePeople } from '../../../../src/acl/job/people.js';
import { removeLeft } from '../../../../src/acl/job/remove-left.js';
import { endSessions } from '../../../../src/acl/job/sessions.js';
import { personName } from '../../../../src/plan/object-names.js';
import type { ReconcilerDeps } from '../../../../src/reconcile/deps.js';
import { CAUSE, NEVER } from '../../../apply/apply-rig.js';
import { client, NOW } from '../../../plan/scene.js';
import { aclToken, policy } from '../../apply/memory-acl.js';
import { READ_CONFIG } from '../../plan/acl-scene.js';
import { type AclWorld, aclWorld, ID, jobOf, NO_LOSS } from '../acl-world.js';

const STALE = { kind: 'retry', afterMs: 20, isStale: true };
const FREEZE = { kind: 'started', since: 0 } as const;
const PROVIDER = { kind: 'provider', name: 'main' } as const;
const MANY = { maxRevocations: { percent: 100, atLeast: 10, windowMs: 600_000 } };

/** The deps of a job that learns something after its first record of a draft, before the write. */
function learning(it: AclWorld, learn: () => void): ReconcilerDeps {
  let isLearnt = false;
  const { journal } = it.job;
  return {
    ...it.job,
    journal: {
      ...journal,
      async record(key, drafts, replaced) {
        await journal.record(key, drafts, replaced);
        if (drafts.length > 0 && !isLearnt) learn();
        isLearnt ||= drafts.length > 0;
      },
    },
  };
}
const writes = (it: AclWorld) => it.requests().filter((line) => !/^(read|list)/.test(line));
const pending = async (it: AclWorld, key: string) => (await it.job.journal.read(key)).pending;
const frozen = (it: AclWorld) => it.world.freezes.set([FREEZE]);
const observing = (it: AclWorld) => it.setMapping({ mode: 'observe' });

async function made(options: Parameters<typeof aclWorld>[0] = {}): Promise<AclWorld> {
  const it = aclWorld({ mapping: MANY, ...options });
  await reconcileClientAcl(ID, jobOf(), it.job, NEVER);
  it.forget();
  return it;
}

describe('the recorded ACL objects of a client', () => {
  it.each([
    ['a freeze began', frozen],
    ['the mode is observe', observing],
    ['the client is in quarantine', (it: AclWorld) => it.world.setClientBlock(ID, 'ClientQuarantined')],
    ['the client lost its scope', (it: AclWorld) => it.putClients(client('web', []))],
  ])('are not written once %s, and the client is planned again at once', async (_what, learn) => {
    const it = aclWorld();
    const deps = learning(it, () => learn(it));
    expect(await reconcileClientAcl(ID, jobOf(), deps, NEVER)).toEqual(STALE);
    expect(writes(it)).toEqual([]);
    expect(it.decided()).toEqual([]);
    expect(await pending(it, 'client/main/web')).toEqual([]);
    expect(await reconcileClientAcl(ID, jobOf([{}], 1), deps, NEVER)).toEqual({ kind: 'done' });
    expect(writes(it)).toEqual([]);
  });

  it('are written as they are while another client changes', async () => {
    const it = aclWorld({ clients: [client('web', ['config:read']), client('api', [])] });
    const other = () =>
      it.world.putClient({ ...ID, clientId: 'api' }, client('api', ['x']), it.world.beginRead());
    expect(await reconcileClientAcl(ID, jobOf(), learning(it, other), NEVER)).toEqual({ kind: 'done' });
    expect(it.objects.size).toBe(4);
  });

  it('are taken away all the same once a freeze began', async () => {
    const it = await made();
    it.putClients(client('web', []));
    const deps = learning(it, () => frozen(it));
    expect(await reconcileClientAcl(ID, jobOf(), deps, NEVER)).toEqual({ kind: 'done' });
    expect([...it.objects.values()].map(({ kind }) => kind)).not.toContain('acl-binding-rule');
  });

  it('are taken away all the same after a reload that changes neither the owner nor the mode', async () => {
    const it = await made();
    it.putClients(client('web', []));
    const deps = learning(it, () => it.setMapping({}));
    expect(await reconcileClientAcl(ID, jobOf(), deps, NEVER)).toEqual({ kind: 'done' });
    expect([...it.objects.values()].map(({ kind }) => kind)).not.toContain('acl-binding-rule');
  });

  it('stay once the mode is observe, and the mass guard counts none of them', async () => {
    const it = await made();
    it.putClients(client('web', []));
    const deps = learning(it, () => observing(it));
    expect(await reconcileClientAcl(ID, jobOf(), deps, NEVER)).toMatchObject({ kind: 'retry' });
    expect(writes(it)).toEqual([]);
    expect(it.job.window.used(NOW)).toBe(0);
  });
});

it.each([
  ['a freeze began', frozen],
  ['the mode is observe', observing],
])(
  'the recorded objects of people are not written once %s, and they are planned again',
  async (_what, learn) => {
    const it = aclWorld({ settings: { groups: [{ group: 'oncall', acl: READ_CONFIG }] } });
    it.state.members = () => new Map([['oncall', ['ann']]]);
    const deps = learning(it, () => learn(it));
    const evidence = [{ provider: 'main', people: ['ann'] }];
    await reconcilePeople(PROVIDER, jobOf([{ members: true, evidence }]), deps, NEVER);
    expect(writes(it)).toEqual([]);
    expect(it.added).toEqual([{ key: PROVIDER, cause: CAUSE, evidence }]);
    expect(await pending(it, 'provider/main')).toEqual([]);
  },
);

it('a person whom the identity provider names still loses the role if the first plan becomes stale', async () => {
  const noLoss = { mapping: NO_LOSS, settings: { groups: [{ group: 'oncall', acl: READ_CONFIG }] } };
  const it = aclWorld(noLoss);
  it.state.members = () => new Map([['oncall', ['ann']]]);
  await reconcilePeople(PROVIDER, jobOf([{ members: true }]), it.job, NEVER);
  it.forget();
  it.state.members = () => new Map([['oncall', []]]);
  const named = { members: true, evidence: [{ provider: 'main', people: ['ann'] }] };
  const deps = learning(it, () => observing(it));
  await reconcilePeople(PROVIDER, jobOf([named]), deps, NEVER);
  expect(writes(it)).toEqual([]);
  it.setMapping({ mode: 'enforce' });
  await reconcilePeople(PROVIDER, { key: PROVIDER, triggers: it.added, attempts: 0 }, it.job, NEVER);
  expect([...it.objects.values()].map(({ kind }) => kind)).not.toContain('acl-role');
  expect(it.outcomes()).not.toContain('acl-role held RevocationLimit');
});

it('what no job removes stays once the mode is observe, and a comparison is asked for', async () => {
  const it = await made();
  it.known(policy({ name: 'scopemesh-pay-_rules-unlinked' }));
  let asked = 0;
  const deps = { ...learning(it, () => observing(it)), askForSweep: () => void asked++ };
  it.forget();
  await removeLeft([], CAUSE, deps, NEVER);
  expect(writes(it)).toEqual([]);
  expect(asked).toBe(1);
});

it('the tokens of an ended session stay once the mode is observe, and that is reported', async () => {
  const it = aclWorld({ settings: { groups: [{ group: 'oncall', acl: READ_CONFIG }] } });
  it.tokens = [
    aclToken('a', {
      authMethod: 'scopemesh-pay-main-_people',
      roles: [personName('pay', 'main', 'ann', 'oncall')],
    }),
  ];
  const at = new Date(NOW).toISOString();
  const order = { kind: 'session-revoked', provider: 'main', subject: 'ann', at, cause: CAUSE } as const;
  await endSessions(
    PROVIDER,
    jobOf([{ order }]),
    learning(it, () => observing(it)),
    NEVER,
  );
  expect(it.tokens).toHaveLength(1);
  expect(it.decided()).toMatchObject([{ outcome: 'observed', reason: 'ModeForbids' }]);
  expect(await pending(it, 'provider/main')).toEqual([]);
});

it.each([
  ['stay once the mode is observe', { mode: 'observe' as const }, 0],
  ['stay once the owner is another one', { owner: 'other' }, 0],
  ['end all the same after a reload that changes neither the owner nor the mode', {}, 1],
])('orphaned tokens %s', async (_what, changes, ended) => {
  const it = await made();
  it.tokens = [aclToken('a', { authMethod: 'scopemesh-pay-main-gone' })];
  const deps = learning(it, () => it.setMapping(changes));
  expect(await reap(deps, async () => {}, NEVER)).toBe(ended);
  expect(it.tokens).toHaveLength(1 - ended);
  expect(it.decided()).toHaveLength(ended);
});
