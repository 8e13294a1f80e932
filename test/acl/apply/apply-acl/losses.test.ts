import { describe, expect, it } from 'vitest';
import { applyAcl } from '../../../../src/acl/apply/apply-acl.js';
import { digestObject } from '../../../../src/acl/plan/acl-change.js';
import { NEVER } from '../../../apply/apply-rig.js';
import { NOW } from '../../../plan/scene.js';
import {
  aclToken,
  application,
  failed,
  gain,
  KEY,
  loss,
  memoryAcl,
  method,
  narrowRole,
  POLICY,
  policy,
  removePolicy,
  role,
  rule,
  stepsFor,
  WEB,
} from '../memory-acl.js';

describe('an auth method whose lifetime is to be shorter', () => {
  const shorter = method({ maxTokenTtlSeconds: 300 });
  const shorten = () => [
    loss.update(WEB, shorter, method().object, 'narrows'),
    loss.endTokens(method(), { authMethod: WEB }, 300),
  ];

  it('has its tokens recorded before, so that a crash in between leaves none alive', async () => {
    const consul = memoryAcl();
    consul.put(method());
    consul.tokens = [
      aclToken('long'),
      aclToken('short', { expiresAt: new Date(NOW + 240_000).toISOString() }),
    ];
    await applyAcl(application(shorten()), consul.deps, NEVER);
    expect(consul.log.filter((line) => line !== 'woke the relay')).toEqual([
      'keep acl/written=yes',
      `list authMethod ${WEB}`,
      `record ${KEY} ${WEB}+${WEB}`,
      `replace ${WEB}`,
      `settle ${KEY} ${WEB} applied`,
      `list authMethod ${WEB}`,
      `record ${KEY} ${WEB}`,
      'end long',
      `list authMethod ${WEB}`,
      `settle ${KEY} ${WEB} applied`,
    ]);
    expect(consul.settled[1]).toMatchObject({
      subject: `acl-token/${WEB}`,
      type: 'dev.scopemesh.acl-token.deleted',
      before: { authMethod: WEB, longerThanSeconds: 300 },
      detail: expect.stringContaining('ended 1 live token;'),
    });
    expect(consul.pending.size).toBe(0);
  });

  it('has nothing recorded about tokens where none lives too long', async () => {
    const consul = memoryAcl();
    consul.put(method());
    consul.tokens = [aclToken('short', { expiresAt: new Date(NOW + 240_000).toISOString() })];
    await applyAcl(application(shorten()), consul.deps, NEVER);
    expect(consul.settled.map(({ subject }) => subject)).toEqual([`acl-auth-method/${WEB}`]);
    expect(consul.tokens).toHaveLength(1);
  });

  it('is shortened all the same where its tokens cannot be listed, and they stay recorded', async () => {
    const consul = memoryAcl();
    consul.put(method());
    consul.tokens = [aclToken('long')];
    consul.before = async (line) => {
      if (line.startsWith('list')) throw failed('ERR_CONSUL_UNREACHABLE');
    };
    await expect(applyAcl(application(shorten()), consul.deps, NEVER)).rejects.toMatchObject({
      code: 'ERR_CONSUL_UNREACHABLE',
    });
    expect(consul.objects.get(WEB)).toEqual(shorter);
    expect([...consul.pending.values()].map(({ subject }) => subject)).toEqual([`acl-token/${WEB}`]);
  });

  it('is deleted where it cannot be shortened: its tokens end, and its rules go with it', async () => {
    const consul = memoryAcl();
    consul.put(method(), rule());
    consul.known(method(), rule());
    consul.tokens = [aclToken('long')];
    consul.before = async (line) => {
      if (line.startsWith('replace')) throw failed('ERR_CONSUL_REJECTED', 'no keys');
    };
    const lastApplied = new Map([
      [`acl-binding-rule/${WEB}/${WEB}`, 'x'],
      [`acl-binding-rule/${WEB}2/${WEB}`, 'x'],
      [`acl-role/${WEB}`, 'x'],
    ]);
    const [shortening, ...rest] = shorten();
    if (shortening === undefined) throw new Error('no change');
    await expect(
      applyAcl(application([shortening, ...rest], { lastApplied }), consul.deps, NEVER),
    ).rejects.toThrow('no keys');
    expect(consul.tokens).toEqual([]);
    expect(consul.deps.acl.cache.of(WEB)).toEqual({ bindingRules: [] });
    const deleted = consul.settled.find(({ type }) => type === 'dev.scopemesh.acl-auth-method.deleted');
    expect(deleted).toMatchObject({ outcome: 'applied', before: method().object, after: null });
    expect(deleted?.detail).toContain('ended 1 live token;');
    expect(consul.updates[1]?.lastApplied).toEqual(
      new Map([
        [`acl-auth-method/${WEB}`, null],
        [`acl-binding-rule/${WEB}/${WEB}`, null],
      ]),
    );
    expect(consul.counted).toContain('scopemesh_acl_tokens_ended_total ScopeRevoked 1');
  });

  it.each([
    ['that widens', gain.update(WEB, method({ maxTokenTtlSeconds: 900 }), method().object, 'widens')],
    ['that only changes', gain.update(WEB, shorter, method().object, 'neither')],
    ['that creates', { ...gain.create(method()), narrows: true }],
    ['of a role that narrows', narrowRole()],
  ])('is not deleted for a write %s', async (_how, change) => {
    const consul = memoryAcl();
    consul.put(method(), role(POLICY));
    consul.before = async (line) => {
      if (!line.startsWith('list')) throw failed('ERR_CONSUL_REJECTED');
    };
    await expect(applyAcl(application([change]), consul.deps, NEVER)).rejects.toThrow('no');
    expect(consul.requests().filter((line) => line.startsWith('delete'))).toEqual([]);
  });

  it('is not deleted where scopemesh stops', async () => {
    const consul = memoryAcl();
    consul.put(method());
    const stop = new AbortController();
    consul.before = async (line) => {
      if (!line.startsWith('replace')) return;
      stop.abort(new Error('stopped'));
      throw failed('ERR_TIMEOUT');
    };
    await expect(applyAcl(application(shorten()), consul.deps, stop.signal)).rejects.toThrow();
    expect(consul.requests().filter((line) => line.startsWith('delete'))).toEqual([]);
  });
});

describe('a binding rule that goes', () => {
  const removal = () => loss.remove(`acl-binding-rule-${WEB}/${WEB}`, rule());
  const recordsOf = async (...later: readonly Parameters<typeof loss.endTokens>[1][]) => {
    const consul = memoryAcl();
    consul.put(rule());
    consul.tokens = [aclToken('live')];
    const drafts: string[] = [];
    consul.before = async (line) => {
      if (line.startsWith('delete'))
        drafts.push(
          ...[...consul.pending.values()].map(
            ({ subject, before }) => `${subject} ${JSON.stringify(before)}`,
          ),
        );
    };
    const changes = [removal(), ...later.map((by) => loss.endTokens(method(), by))];
    await applyAcl(application(changes), consul.deps, NEVER);
    return { consul, tokens: drafts.filter((each) => each.startsWith('acl-token')) };
  };

  it.each([
    ['the role', { role: WEB }],
    ['the role in another case', { role: WEB.toUpperCase() }],
    ['the method', { authMethod: WEB }],
  ])('has the tokens of %s recorded before, as no later plan would find them', async (_what, by) => {
    const { tokens } = await recordsOf({ role: 'other' }, { authMethod: 'other' }, by);
    expect(tokens).toEqual([`acl-token/${WEB} ${JSON.stringify(by)}`]);
  });

  it('has them ended by one decision, and not recorded twice', async () => {
    const { consul } = await recordsOf({ role: WEB });
    expect(consul.tokens).toEqual([]);
    expect(consul.settled.map(({ subject }) => subject)).toEqual([
      `acl-binding-rule/${WEB}/${WEB}`,
      `acl-token/${WEB}`,
    ]);
  });

  it('has its tokens recorded before also if another object goes between', async () => {
    const consul = memoryAcl();
    consul.put(rule(), policy());
    consul.tokens = [aclToken('live')];
    let recorded: readonly string[] = [];
    consul.before = async (line) => {
      if (line === `delete acl-binding-rule-${WEB}/${WEB}`)
        recorded = [...consul.pending.values()].map(({ subject }) => subject);
    };
    const changes = [removal(), removePolicy(), loss.endTokens(method(), { role: WEB })];
    await applyAcl(application(changes), consul.deps, NEVER);
    expect(recorded).toEqual([`acl-binding-rule/${WEB}/${WEB}`, `acl-token/${WEB}`]);
    expect(consul.tokens).toEqual([]);
  });

  it('has its tokens ended by one decision also if another rule leaves the same', async () => {
    const consul = memoryAcl();
    consul.put(rule());
    consul.tokens = [aclToken('live')];
    const changes = [removal(), removal(), loss.endTokens(method(), { role: WEB })];
    await applyAcl(application(changes), consul.deps, NEVER);
    expect(consul.tokens).toEqual([]);
    expect(consul.settled.filter(({ subject }) => subject === `acl-token/${WEB}`)).toHaveLength(1);
    expect(consul.pending.size).toBe(0);
  });

  it('has tokens of others neither recorded nor ended', async () => {
    const { consul, tokens } = await recordsOf({ role: 'other' }, { authMethod: 'other' });
    expect(tokens).toEqual([]);
    expect(consul.tokens).toHaveLength(1);
  });

  it('has nothing recorded about tokens where another kind of object goes, or where it only changes', async () => {
    const consul = memoryAcl();
    consul.put(role(POLICY), rule());
    consul.tokens = [aclToken('live')];
    const records: number[] = [];
    consul.before = async (line) => {
      if (/^(delete|replace)/.test(line)) records.push(consul.pending.size);
    };
    const changes = [
      loss.remove(`acl-binding-rule-${WEB}/${WEB}`, rule(), 'neither'),
      loss.remove(`acl-role-${WEB}`, role(POLICY)),
      loss.endTokens(method(), { authMethod: WEB }),
    ];
    await applyAcl(application(changes), consul.deps, NEVER);
    expect(records).toEqual([1, 1]);
    expect(consul.tokens).toEqual([]);
  });
});

describe('a binding rule that cannot be narrowed', () => {
  it('is deleted, and its method stays', async () => {
    const consul = memoryAcl();
    consul.known(method(), rule());
    consul.before = async (line) => {
      if (line.startsWith('replace')) throw failed('ERR_TIMEOUT', 'no keys');
    };
    const narrower = rule({ selector: 'value.client_id == "web" and value.sub == "web"' });
    const id = `acl-binding-rule-${WEB}/${WEB}`;
    const change = loss.update(id, narrower, rule().object, 'narrows');
    await expect(applyAcl(application([change]), consul.deps, NEVER)).rejects.toThrow('no keys');
    expect([...consul.objects.keys()]).toEqual([WEB]);
    expect(consul.deps.acl.cache.of(WEB)).toMatchObject({ authMethod: { id: WEB }, bindingRules: [] });
    expect(consul.settled).toMatchObject([
      { type: 'dev.scopemesh.acl-binding-rule.deleted', outcome: 'applied', after: null },
    ]);
  });
});

describe('an object that goes', () => {
  it('is a failure with the answer of Consul if it cannot be removed', async () => {
    const consul = memoryAcl();
    consul.put(rule());
    consul.before = () => Promise.reject(failed('ERR_CONSUL_REJECTED', 'the answer'));
    const change = loss.remove(`acl-binding-rule-${WEB}/${WEB}`, rule());
    await expect(applyAcl(application([change]), consul.deps, NEVER)).rejects.toThrow('the answer');
  });

  it('stays where its Description is no longer ours, and the decision says that the removal failed', async () => {
    const consul = memoryAcl();
    consul.put(policy({ description: 'Mine' }));
    await expect(applyAcl(application([removePolicy()]), consul.deps, NEVER)).rejects.toMatchObject({
      code: 'ERR_CONSUL_CONFLICT',
    });
    expect(consul.objects.size).toBe(1);
    expect(consul.settled).toMatchObject([{ outcome: 'failed', reason: 'Conflict' }]);
  });

  it('is forgotten, with nothing else of the key but what is to be remembered', async () => {
    const consul = memoryAcl();
    consul.known(role(), policy());
    const lastApplied = new Map([[`acl-binding-rule/${WEB}/${WEB}`, 'x']]);
    const changes = [
      loss.remove(`acl-role-${WEB}`, role()),
      { ...removePolicy(), remembered: policy({ rules: 'left' }) },
    ];
    await applyAcl(
      application(changes, { lastApplied, remember: new Map([['people', 'x']]) }),
      consul.deps,
      NEVER,
    );
    expect(consul.updates.map((each) => each.lastApplied)).toEqual([
      new Map([
        ['people', 'x'],
        [`acl-role/${WEB}`, null],
      ]),
      new Map([
        ['people', 'x'],
        [`acl-policy/${POLICY}`, digestObject(policy({ rules: 'left' }))],
      ]),
    ]);
    expect(consul.deps.acl.cache.of(WEB)).toEqual({ bindingRules: [] });
    expect(consul.deps.acl.cache.policies.size).toBe(0);
    expect(consul.settled.map(({ detail }) => detail)).toEqual([undefined, undefined]);
    expect(consul.counted.filter((each) => each.includes('tokens_ended'))).toEqual([]);
  });

  it('is a correction where another writer made it', async () => {
    const consul = memoryAcl();
    consul.put(role(), policy());
    const drift = stepsFor('DriftCorrected');
    const changes = [drift.remove(`acl-role-${WEB}`, role()), removePolicy()];
    await applyAcl(application(changes), consul.deps, NEVER);
    expect(consul.corrected).toEqual([`acl-role/${WEB} ${NOW}`]);
  });

  it('says how many tokens ended with a method, that it is not known, or nothing where there was none', async () => {
    const detailOf = async (tokens: ReturnType<typeof aclToken>[], isListed = true) => {
      const consul = memoryAcl();
      consul.put(method());
      consul.tokens = tokens;
      consul.before = async (line) => {
        if (line.startsWith('list') && !isListed) throw failed('ERR_CONSUL_UNREACHABLE');
      };
      await applyAcl(application([loss.remove(WEB, method())]), consul.deps, NEVER);
      expect(consul.objects.size).toBe(0);
      return consul.settled[0]?.detail?.split(';')[0];
    };
    expect(await detailOf([aclToken('a'), aclToken('b')])).toBe('ended 2 live tokens');
    expect(await detailOf([aclToken('a')], false)).toBe('ended its live tokens');
    expect(await detailOf([])).toBeUndefined();
  });

  it('waits for a job that creates the same policy', async () => {
    const consul = memoryAcl();
    consul.put(policy());
    let open = () => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    consul.before = async (line) => {
      if (line.startsWith('create')) await gate;
    };
    const creation = applyAcl(application([gain.create(policy())]), consul.deps, NEVER);
    await new Promise((resolve) => setImmediate(resolve));
    const upper = loss.remove(`acl-policy-${POLICY}`, policy({ name: POLICY.toUpperCase() }), 'neither');
    const removal = applyAcl(application([upper]), consul.deps, NEVER);
    await new Promise((resolve) => setImmediate(resolve));
    const created = `create acl-policy-${POLICY}`;
    expect(consul.requests()).toEqual([created]);
    open();
    await Promise.all([creation, removal]);
    expect(consul.requests()).toEqual([created, `delete acl-policy-${POLICY}`]);
  });
});

describe('a role that loses something', () => {
  const detailOf = async (
    change: ReturnType<typeof narrowRole>,
    tokens: ReturnType<typeof aclToken>[],
    isListed = true,
  ) => {
    const consul = memoryAcl();
    consul.put(role(POLICY), method());
    consul.tokens = tokens;
    consul.before = async (line) => {
      if (line.startsWith('list') && !isListed) throw failed('ERR_CONSUL_UNREACHABLE');
    };
    await applyAcl(application([change]), consul.deps, NEVER);
    return consul.settled[0]?.detail?.split(';')[0];
  };

  it('says how many live tokens lose it, or that it is not known', async () => {
    expect(await detailOf(narrowRole(), [aclToken('a'), aclToken('b')])).toBe(
      'taken from its 2 live tokens too',
    );
    expect(await detailOf(narrowRole(), [aclToken('a')], false)).toBe('taken from its live tokens too');
    expect(await detailOf(narrowRole(), [])).toBeUndefined();
  });

  it('is the only one that says so', async () => {
    const widened = gain.update(`acl-role-${WEB}`, role(POLICY), role().object, 'widens');
    expect(await detailOf(widened, [aclToken('a')])).toBeUndefined();
    const shorter = loss.update(WEB, method({ maxTokenTtlSeconds: 300 }), method().object, 'narrows');
    expect(await detailOf(shorter, [aclToken('a')])).toBeUndefined();
  });
});
