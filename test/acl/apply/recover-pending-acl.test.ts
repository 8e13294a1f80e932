import { describe, expect, it } from 'vitest';
import { aclDraft } from '../../../src/acl/apply/acl-draft.js';
import { pendingAcl, recoverPendingAcl } from '../../../src/acl/apply/recover-pending-acl.js';
import { type AclChange, digestObject } from '../../../src/acl/plan/acl-change.js';
import type { AclObject } from '../../../src/model/acl.js';
import type { DraftDecision } from '../../../src/model/decision.js';
import { CAUSE, change, draft as intentionDraft, NEVER } from '../../apply/apply-rig.js';
import { mapping, NOW } from '../../plan/scene.js';
import {
  aclToken,
  failed,
  gain,
  idOf,
  KEY,
  loss,
  type MemoryAcl,
  memoryAcl,
  method,
  POLICY,
  policy,
  role,
  rule,
  WEB,
} from './memory-acl.js';

/** Leaves the drafts of these changes open, as a process that died after their record. */
async function leave(consul: MemoryAcl, ...changes: readonly AclChange[]): Promise<readonly DraftDecision[]> {
  const drafts = changes.map((each) => aclDraft(each, CAUSE, consul.stamp, undefined));
  await consul.deps.journal.record(KEY, drafts);
  return drafts;
}

/** What the next run of the key finds, with these objects in Consul. */
async function recovered(
  consul: MemoryAcl,
  now: readonly AclObject[],
  {
    mode = 'enforce' as const,
    lastApplied = new Map<string, string>(),
    signal = NEVER,
  }: {
    mode?: 'enforce' | 'observe' | 'extend';
    lastApplied?: ReadonlyMap<string, string>;
    signal?: AbortSignal;
  } = {},
) {
  consul.put(...now);
  const { deps } = consul;
  const actual = await deps.consul.acl.read(() => true, NEVER);
  consul.log.length = 0;
  return recoverPendingAcl(
    KEY,
    { ...(await deps.journal.read(KEY)), lastApplied },
    actual,
    { ...deps, world: { ...deps.world, mapping: mapping({ mode }) } },
    signal,
  );
}

const outcomes = ({ settled }: MemoryAcl) => settled.map(({ outcome, reason }) => `${outcome} ${reason}`);

describe('a write that a crash left open', () => {
  const objects = [policy(), role(POLICY), method(), rule()];
  const SUBJECTS = [
    `acl-policy/${POLICY}`,
    `acl-role/${WEB}`,
    `acl-auth-method/${WEB}`,
    `acl-binding-rule/${WEB}/${WEB}`,
  ];

  it('of any kind is applied where the object is as it should be, and is remembered so', async () => {
    const consul = memoryAcl();
    await leave(consul, ...objects.map(gain.create));
    const lastApplied = new Map([['other', 'x']]);
    const remembered = await recovered(consul, objects, { lastApplied });
    expect(outcomes(consul)).toEqual(SUBJECTS.map(() => 'applied ScopeGranted'));
    const now = objects.map((each, at) => [SUBJECTS[at] ?? '', digestObject(each)] as const);
    expect(remembered).toEqual(new Map([['other', 'x'], ...now]));
    expect(consul.updates).toEqual([{ lastApplied: new Map(now) }]);
    expect(consul.pending.size).toBe(0);
    expect(consul.deps.acl.isDoubtful(KEY, NOW)).toBe(false);
    expect(consul.warnings).toEqual(
      SUBJECTS.map(() => 'settled a write that a crash or a lost answer left open'),
    );
  });

  it('measures no time from the event to the write, because the time of the write is unknown', async () => {
    const consul = memoryAcl();
    await leave(consul, gain.create(role()));
    await recovered(consul, [role()]);
    expect(outcomes(consul)).toEqual(['applied ScopeGranted']);
    expect(consul.timed).toEqual([]);
  });

  it('is applied where the object is gone as it should be, and is forgotten', async () => {
    const consul = memoryAcl();
    await leave(consul, ...objects.map((each) => loss.remove(idOf(each), each)));
    const remembered = await recovered(consul, [], {
      lastApplied: new Map([['other', 'x'], ...SUBJECTS.map((subject) => [subject, 'x'] as const)]),
    });
    expect(outcomes(consul)).toEqual(SUBJECTS.map(() => 'applied ScopeRevoked'));
    expect(remembered).toEqual(new Map([['other', 'x']]));
    expect(consul.updates).toEqual([{ lastApplied: new Map(SUBJECTS.map((subject) => [subject, null])) }]);
  });

  it('failed where the object is as before, and the key is read again once a late request can no longer come', async () => {
    const consul = memoryAcl();
    await leave(consul, loss.update('id', role(), role(POLICY).object, 'narrows'), gain.create(method()));
    consul.nowMs = NOW + 10_000;
    const remembered = await recovered(consul, [role(POLICY)], { lastApplied: new Map([['x', 'y']]) });
    expect(outcomes(consul)).toEqual(['failed Interrupted', 'failed Interrupted']);
    expect(consul.settled[0]?.detail).toContain('interrupted before this write reached Consul');
    expect(remembered).toEqual(new Map([['x', 'y']]));
    expect(consul.updates).toEqual([{ lastApplied: new Map() }]);
    expect(consul.deps.acl.inFlightMs(KEY, consul.nowMs)).toBe(20_000);
  });

  it('is not waited for once its request can no longer come', async () => {
    const consul = memoryAcl();
    await leave(consul, gain.create(role()));
    consul.nowMs = NOW + 30_000;
    await recovered(consul, []);
    expect(outcomes(consul)).toEqual(['failed Interrupted']);
    expect(consul.deps.acl.isDoubtful(KEY, consul.nowMs)).toBe(false);
  });

  it('is unknown where the object is neither as before nor as it should be', async () => {
    const consul = memoryAcl();
    await leave(
      consul,
      loss.update('id', role(), role(POLICY).object, 'narrows'),
      loss.remove(POLICY, policy()),
      gain.create(method()),
    );
    await recovered(consul, [role('other'), policy({ rules: '{}' }), method({ maxTokenTtlSeconds: 300 })]);
    expect(outcomes(consul)).toEqual(Array.from({ length: 3 }, () => 'unknown Interrupted'));
    expect(consul.settled[0]?.detail).toContain('cannot be known');
    expect(consul.updates).toEqual([{ lastApplied: new Map() }]);
    expect(consul.deps.acl.inFlightMs(KEY, NOW)).toBe(30_000);
  });

  it('of a binding rule is judged by any of the rules with its names', async () => {
    const consul = memoryAcl();
    await leave(consul, gain.create(rule()));
    const twin = rule({ selector: 'value.client_id == "other"' });
    const { deps } = consul;
    const stored = [twin, rule()].map(({ object }, at) => ({
      id: String(at),
      object,
      isAltered: false,
      modifyIndex: 1,
    }));
    const none = { policies: [], roles: [], authMethods: [] };
    await recoverPendingAcl(
      KEY,
      { ...(await deps.journal.read(KEY)), lastApplied: new Map() },
      { ...none, bindingRules: stored },
      deps,
      NEVER,
    );
    expect(outcomes(consul)).toEqual(['applied ScopeGranted']);
  });

  it('changes nothing about a key without one', async () => {
    const consul = memoryAcl();
    const lastApplied = new Map([['x', 'y']]);
    expect(await recovered(consul, objects, { lastApplied })).toEqual(lastApplied);
    expect(consul.log).toEqual([]);
  });

  it('is not taken for one of an intention', () => {
    const consul = memoryAcl();
    const acl = aclDraft(gain.create(role()), CAUSE, consul.stamp, undefined);
    const other = { ...intentionDraft('web', consul), subject: change('web').subject };
    expect(pendingAcl({ pending: [other, acl] })).toEqual([acl]);
  });
});

describe('the decision of a recovered write that took something', () => {
  const detail = async (
    lost: AclChange,
    now: readonly AclObject[],
    tokens = [aclToken('a'), aclToken('b')],
  ): Promise<string | undefined> => {
    const consul = memoryAcl();
    consul.tokens = tokens;
    await leave(consul, lost);
    await recovered(consul, now);
    expect(outcomes(consul)).toEqual([expect.stringMatching(/^applied /)]);
    return consul.settled[0]?.detail?.split(';')[0];
  };

  it('says that tokens ended with their method, whose number nobody knows any more', async () => {
    expect(await detail(loss.remove(WEB, method()), [])).toBe('ended its live tokens');
  });

  it('says how many tokens lost what their role lost', async () => {
    const narrowed = loss.update('id', role(), role(POLICY).object, 'narrows');
    expect(await detail(narrowed, [role()])).toBe('taken from its 2 live tokens too');
    expect(await detail(narrowed, [role()], [])).toBeUndefined();
  });

  it('says nothing of tokens where none lost anything', async () => {
    expect(await detail(gain.update('id', role(), role(POLICY).object, 'widens'), [role()])).toBeUndefined();
    expect(await detail(loss.remove('id', role()), [])).toBeUndefined();
    expect(await detail(loss.remove('id', policy()), [])).toBeUndefined();
    const shorter = method({ maxTokenTtlSeconds: 300 });
    expect(await detail(loss.update(WEB, shorter, method().object, 'narrows'), [shorter])).toBeUndefined();
  });
});

describe('tokens that an interrupted run should have ended', () => {
  it.each([
    ['of a method', { authMethod: WEB }],
    ['of a role', { role: WEB }],
  ])('%s end now, each that was meant and no other', async (_whose, by) => {
    const consul = memoryAcl();
    consul.tokens = [aclToken('a'), aclToken('theirs', { authMethod: 'theirs' })];
    await leave(consul, loss.endTokens(method(), by));
    await recovered(consul, []);
    expect(consul.tokens.map(({ accessorId }) => accessorId)).toEqual(['theirs']);
    expect(outcomes(consul)).toEqual(['applied ScopeRevoked']);
    expect(consul.settled[0]?.detail).toContain('ended 1 live token;');
    expect(consul.updates).toEqual([{}]);
    expect(consul.deps.acl.isDoubtful(KEY, NOW)).toBe(false);
  });

  it('end only where they live too long, if only those were meant', async () => {
    const consul = memoryAcl();
    consul.tokens = [
      aclToken('long'),
      aclToken('short', { expiresAt: new Date(NOW + 120_000).toISOString() }),
    ];
    await leave(consul, loss.endTokens(method(), { authMethod: WEB }, 300));
    await recovered(consul, []);
    expect(consul.tokens.map(({ accessorId }) => accessorId)).toEqual(['short']);
  });

  it('do not end if the record does not say which', async () => {
    const consul = memoryAcl();
    consul.tokens = [aclToken('a')];
    const [left] = await leave(consul, loss.endTokens(method(), { role: WEB }));
    if (left !== undefined) await consul.deps.journal.record(KEY, [{ ...left, before: 'damaged' }]);
    await recovered(consul, []);
    expect(consul.tokens).toHaveLength(1);
    expect(outcomes(consul)).toEqual(['applied ScopeRevoked']);
  });

  it.each(['observe', 'extend'] as const)(
    'stay recorded in mode %s, where no plan would ask for them',
    async (mode) => {
      const consul = memoryAcl();
      consul.tokens = [aclToken('a')];
      await leave(
        consul,
        loss.endTokens(method(), { role: WEB }),
        gain.create(role()),
        loss.remove('id', rule()),
      );
      await recovered(consul, [role()], { mode });
      expect(consul.tokens).toHaveLength(1);
      expect([...consul.pending.values()].map(({ subject }) => subject)).toEqual([`acl-token/${WEB}`]);
      expect(outcomes(consul)).toEqual(['applied ScopeGranted', 'applied ScopeRevoked']);
      expect(consul.warnings[0]).toContain('stay valid until the mode is enforce');
      consul.settled.length = 0;
      await recovered(consul, []);
      expect(consul.tokens).toEqual([]);
      expect(consul.pending.size).toBe(0);
    },
  );

  it.each(['observe', 'extend'] as const)(
    'are left to the reaper in mode %s where they live too long',
    async (mode) => {
      const consul = memoryAcl();
      consul.tokens = [aclToken('a')];
      await leave(consul, loss.endTokens(method(), { authMethod: WEB }, 300));
      await recovered(consul, [], { mode });
      expect(consul.tokens).toHaveLength(1);
      expect(consul.pending.size).toBe(0);
      expect(consul.settled).toMatchObject([{ outcome: 'failed', reason: 'Interrupted' }]);
      expect(consul.settled[0]?.detail).toContain(`In mode ${mode} they stay valid`);
    },
  );

  it('stay recorded where Consul cannot be reached', async () => {
    const consul = memoryAcl();
    consul.tokens = [aclToken('a')];
    await leave(consul, loss.endTokens(method(), { role: WEB }));
    consul.before = async (line) => {
      if (line.startsWith('list')) throw failed('ERR_CONSUL_UNREACHABLE');
    };
    await expect(recovered(consul, [])).rejects.toMatchObject({ code: 'ERR_CONSUL_UNREACHABLE' });
    expect(consul.pending.size).toBe(1);
  });
});
