import { describe, expect, it } from 'vitest';
import { reconcileClientAcl } from '../../../../src/acl/job/client-acl.js';
import { reconcilePeople } from '../../../../src/acl/job/people.js';
import { settleClientAcl } from '../../../../src/acl/job/read-client-acl.js';
import { noteTokens, readTokenDays } from '../../../../src/acl/job/token-counts.js';
import { formatKey } from '../../../../src/model/key.js';
import { personName } from '../../../../src/plan/object-names.js';
import { NEVER } from '../../../apply/apply-rig.js';
import { storeVerdict, verdictOn } from '../../../operator/stored-verdict.js';
import { client, NOW } from '../../../plan/scene.js';
import { aclToken, failed } from '../../apply/memory-acl.js';
import { READ_CONFIG } from '../../plan/acl-scene.js';
import { type AclWorld, aclWorld, denied, ID, jobOf, NO_LOSS } from '../acl-world.js';

const PEOPLE = { kind: 'provider', name: 'main' } as const;
const KEY = 'client/main/web';
const GROUPS = [{ group: 'oncall', acl: READ_CONFIG }];
const settle = (it: AclWorld) => settleClientAcl(ID, it.job, NEVER);
const pendingOf = async (it: AclWorld, key = KEY) =>
  (await it.job.journal.read(key)).pending.map(({ subject }) => subject.split('/')[0]);

/** Makes requests of a kind, and loses the answers to them. */
function losing(it: AclWorld, lost: RegExp): void {
  const { write } = it.job.consul.acl;
  it.job.consul.acl.write = async (id, object, signal, known) => {
    const stored = await write(id, object, signal, known);
    if (lost.test(object.kind)) throw failed('ERR_TIMEOUT', 'no whole answer');
    return stored;
  };
}

describe('ACL writes of a client whose answer was lost', () => {
  async function lost(kind: RegExp): Promise<AclWorld> {
    const it = aclWorld();
    const { write } = it.job.consul.acl;
    losing(it, kind);
    await reconcileClientAcl(ID, jobOf(), it.job, NEVER).catch(() => {});
    it.job.consul.acl.write = write;
    it.forget();
    return it;
  }

  it.each([['acl-policy'], ['acl-role']])('are settled without the directory: %s', async (kind) => {
    const it = await lost(new RegExp(kind));
    expect(await pendingOf(it)).toEqual([kind]);
    // The mapping needs the policy no more, and its draft names it.
    if (kind === 'acl-policy') it.setMapping({ rules: [] });
    await settle(it);
    expect(it.outcomes()).toEqual([`${kind} applied ScopeGranted`]);
    expect(await pendingOf(it)).toEqual([]);
  });

  it('are settled by the next job, from a read of its own', async () => {
    const it = await lost(/acl-role/);
    const cause = { kind: 'resync', receivedAt: new Date(NOW).toISOString() } as const;
    await it.job.acl.cache.replaceAll(
      { policies: [], roles: [], authMethods: [], bindingRules: [] },
      it.world.beginRead(),
    );
    await reconcileClientAcl(ID, jobOf([{ cause }]), it.job, NEVER);
    expect(it.outcomes()[0]).toBe('acl-role applied ScopeGranted');
    expect(it.requests()[0]).toMatch(/^read /);
  });

  it('may not exist: then nothing is read', async () => {
    const it = aclWorld();
    await settle(it);
    const inactive = aclWorld({ mapping: { rules: [] } });
    await settle(inactive);
    expect([...it.log, ...inactive.log]).toEqual([]);
  });

  it('stay where Consul denies the read and the mapping wants no ACL objects any more', async () => {
    const it = await lost(/acl-role/);
    it.setMapping({ rules: [] });
    it.before = () => Promise.reject(denied);
    await settle(it);
    expect(await pendingOf(it)).toEqual(['acl-role']);
  });
});

describe('what is left of people', () => {
  const run = (it: AclWorld) => reconcilePeople(PEOPLE, jobOf([{ members: true }]), it.job, NEVER);
  const roleOf = (subject: string) => personName('pay', 'main', subject, 'oncall');
  const withGroup = (changes = {}) => aclWorld({ settings: { groups: GROUPS }, mapping: changes });

  it('is settled by their next job, also a policy that nothing needs any more', async () => {
    const it = withGroup();
    it.state.members = () => new Map([['oncall', ['ann']]]);
    const { write } = it.job.consul.acl;
    losing(it, /acl-policy/);
    expect(await run(it)).toMatchObject({ kind: 'retry' });
    it.job.consul.acl.write = write;
    expect(await pendingOf(it, formatKey(PEOPLE))).toEqual(['acl-policy']);
    it.setMapping({
      acl: { ...it.world.mapping.acl, groups: [{ group: 'audit', acl: 'key "x" { policy = "read" }' }] },
    });
    it.state.members = () => new Map([['audit', []]]);
    await run(it);
    expect(it.outcomes()[0]).toBe('acl-policy applied MembershipAdded');
  });

  it('of an order about a session is left to the order, which comes again', async () => {
    const it = withGroup();
    it.state.members = () => new Map([['oncall', ['ann']]]);
    await run(it);
    const [made] = it.decided();
    if (made === undefined) throw new Error('no decision');
    const { outcome: _, time: __, ...rest } = made;
    const draft = {
      ...rest,
      id: 'order',
      subject: 'acl-token/x',
      reason: 'SessionRevoked' as const,
      resource: { kind: 'acl-token' as const, name: 'x' },
      expectedIndex: 0,
    };
    await it.job.journal.record(formatKey(PEOPLE), [draft]);
    await run(it);
    expect(await pendingOf(it, formatKey(PEOPLE))).toEqual(['acl-token']);
  });

  it('of an approval is nothing: it is for one person and one removal', async () => {
    const it = withGroup(NO_LOSS);
    it.state.members = () => new Map([['oncall', ['ann', 'ben', 'cat']]]);
    await run(it);
    it.state.members = () => new Map([['oncall', ['cat']]]);
    await run(it);
    const subject = `acl-role/${roleOf('ann')}`;
    const holds = [...(await it.job.journal.read(formatKey(PEOPLE))).holds.values()];
    expect(holds).toHaveLength(2);
    const hold = holds.find((each) => each.subject === subject);
    const decision = it.decided().find(({ id }) => id === hold?.decisionId);
    expect(decision).toMatchObject({
      reason: 'RevocationLimit',
      action: 'revoke',
      resource: { kind: 'acl-role', name: roleOf('ann') },
      person: { provider: 'main', subject: 'ann', group: 'oncall', actorKind: 'human' },
    });
    if (hold !== undefined) await storeVerdict(it.job, hold, 'approved', 'root');
    it.forget();
    await run(it);
    const applied = it.decided().filter(({ outcome }) => outcome === 'applied');
    expect(new Set(applied.map(({ person }) => person?.subject))).toEqual(new Set(['ann']));
    for (const { principal } of applied) expect(principal).toEqual({ id: 'root' });
    expect(await verdictOn(it.job, subject)).toBeUndefined();
    const left = [...(await it.job.journal.read(formatKey(PEOPLE))).holds.values()];
    expect(left.map((each) => each.subject)).toEqual([`acl-role/${roleOf('ben')}`]);
  });

  it('goes before new grants, however many there are', async () => {
    const it = withGroup({ maxRevocations: { percent: 100, atLeast: 10, windowMs: 600_000 } });
    it.state.members = () => new Map([['oncall', ['ann']]]);
    await run(it);
    it.forget();
    it.state.members = () => new Map([['oncall', ['ben', 'cat']]]);
    await reconcilePeople(PEOPLE, jobOf([{ members: true }]), it.job, NEVER, 0);
    expect(new Set(it.decided().map(({ reason }) => reason))).toEqual(new Set(['MembershipRemoved']));
    expect(it.added).toHaveLength(1);
  });
});

describe('the number of ACL tokens', () => {
  const counted = async (it: AclWorld, own?: string) => {
    const gauges: string[] = [];
    const policies: readonly string[] = [];
    await noteTokens(
      {
        ...it.job,
        consul: {
          ...it.job.consul,
          readAclToken: async () => (own === undefined ? undefined : { accessorId: own, policies }),
        },
        metrics: {
          ...it.job.metrics,
          gauge: (name, value, labels = {}) => gauges.push(`${name} ${labels.kind} ${value}`),
        },
      } as typeof it.job,
      NEVER,
    );
    return gauges;
  };

  it('is measured by kind, without the token of scopemesh, where the mapping gives tokens', async () => {
    const it = aclWorld({ clients: [client('web', [])] });
    const { authMethod: _, expiresAt: __, ...fixed } = aclToken('static');
    it.tokens = [aclToken('login'), fixed, { ...fixed, accessorId: 'own' }];
    const all = await counted(it);
    const others = await counted(it, 'own');
    expect(all.length).toBeGreaterThan(1);
    const sum = (gauges: readonly string[]) =>
      gauges.reduce((total, each) => total + Number(each.split(' ')[2]), 0);
    expect([sum(all), sum(others)]).toEqual([3, 2]);
    expect(await counted(aclWorld({ mapping: { rules: [] } }))).toEqual([]);
  });

  it('is kept for each day, the newest of a day, and nothing else of the store stops it', async () => {
    const it = aclWorld({ clients: [client('web', [])] });
    const { authMethod: _, expiresAt: __, ...fixed } = aclToken('static');
    it.tokens = [fixed];
    await it.job.keyValues.set('acl/token-counts', '{"a":1}');
    await counted(it);
    it.tokens = [fixed, { ...fixed, accessorId: 'other' }];
    await counted(it);
    const day = new Date(it.job.clock.now()).toISOString().slice(0, 10);
    const counts = { management: 0, static: 2, 'static-expiring': 0, anonymous: 0, login: 0 };
    expect(await readTokenDays(it.job.keyValues)).toEqual([{ day, counts }]);
  });

  it('is missing where they cannot be listed, and a warning says so', async () => {
    const it = aclWorld();
    it.before = () => Promise.reject(denied);
    expect(await counted(it)).toEqual([]);
    expect(it.warnings).toEqual([expect.stringContaining('of this day are missing')]);
  });
});
