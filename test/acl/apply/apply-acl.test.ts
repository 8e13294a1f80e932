import { describe, expect, it } from 'vitest';
import { applyAcl } from '../../../src/acl/apply/apply-acl.js';
import { type AclChange, digestObject } from '../../../src/acl/plan/acl-change.js';
import { CAUSE, NEVER } from '../../apply/apply-rig.js';
import { NOW } from '../../plan/scene.js';
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
} from './memory-acl.js';

describe('the writes of one plan', () => {
  it('are noted, recorded, sent in their order and settled; those that widen share the record and the settlement', async () => {
    const consul = memoryAcl();
    consul.put(role(POLICY));
    const widening = [policy({ name: 'scopemesh-pay-_rules-2' }), method(), rule()].map(gain.create);
    await applyAcl(application([narrowRole(), ...widening]), consul.deps, NEVER);
    const made = ['scopemesh-pay-_rules-2', WEB, `${WEB}/${WEB}`];
    expect(consul.log.filter((line) => line !== 'woke the relay')).toEqual([
      'keep acl/written=yes',
      `record ${KEY} ${WEB}`,
      `replace acl-role-${WEB}`,
      `list role ${WEB}`,
      `settle ${KEY} ${WEB} applied`,
      `record ${KEY} ${made.join('+')}`,
      'create acl-policy-scopemesh-pay-_rules-2',
      `create ${WEB}`,
      `create acl-binding-rule-${WEB}/${WEB}`,
      `settle ${KEY} ${made.map((each) => `${each} applied`).join('+')}`,
    ]);
    expect(consul.settled[0]).toMatchObject({
      subject: `acl-role/${WEB}`,
      action: 'revoke',
      reason: 'ScopeRevoked',
      before: role(POLICY).object,
      after: role().object,
      cause: CAUSE,
      consul: { modifyIndex: 101 },
    });
    expect(consul.pending.size).toBe(0);
  });

  it('are not made without a change, and nothing notes that objects may exist', async () => {
    const consul = memoryAcl();
    await applyAcl(application([]), consul.deps, NEVER);
    expect(consul.log).toEqual([]);
  });

  it("enter the cache at once, under Consul's index", async () => {
    const consul = memoryAcl();
    await applyAcl(application([gain.create(role(POLICY))]), consul.deps, NEVER);
    expect(consul.deps.acl.cache.of(WEB).role).toMatchObject({
      id: `acl-role-${WEB}`,
      object: role(POLICY).object,
      modifyIndex: 101,
    });
  });

  it('are remembered with what else is to be remembered, or as what a guard left of them', async () => {
    const consul = memoryAcl();
    const left = role('a', 'b');
    const change = { ...gain.create(role('a')), remembered: left };
    await applyAcl(application([change], { remember: new Map([['people', 'x']]) }), consul.deps, NEVER);
    expect(consul.updates[0]?.lastApplied).toEqual(
      new Map([
        ['people', 'x'],
        [`acl-role/${WEB}`, digestObject(left)],
      ]),
    );
  });

  it('count as corrections where another writer had changed the object, and only there', async () => {
    const consul = memoryAcl();
    consul.put(role());
    const written = new Map([[`acl-role/${WEB}`, digestObject(role(POLICY))]]);
    const drift = stepsFor('ScopeGranted', written);
    await applyAcl(
      application([
        drift.update(`acl-role-${WEB}`, role(POLICY), role().object, 'widens'),
        gain.create(method()),
      ]),
      consul.deps,
      NEVER,
    );
    expect(consul.corrected).toEqual([`acl-role/${WEB} ${NOW}`]);
  });
});

describe('a write that fails', () => {
  it('keeps every later one from being made that widens, and none that narrows or cleans up; the first error is thrown', async () => {
    const consul = memoryAcl();
    consul.put(role(POLICY), policy(), rule());
    consul.before = async (line) => {
      if (line.startsWith('replace')) throw failed('ERR_CONSUL_DENIED', 'the first');
      if (line === `delete acl-policy-${POLICY}`) throw failed('ERR_CONSUL_DENIED', 'the second');
    };
    const changes = [
      narrowRole(),
      gain.create(method()),
      loss.remove(`acl-binding-rule-${WEB}/${WEB}`, rule()),
      gain.create(rule({ bindName: 'x' })),
      removePolicy(),
    ];
    await expect(applyAcl(application(changes), consul.deps, NEVER)).rejects.toThrow('the first');
    expect(consul.requests()).toEqual([
      `replace acl-role-${WEB}`,
      `delete acl-binding-rule-${WEB}/${WEB}`,
      `delete acl-policy-${POLICY}`,
    ]);
    expect(consul.settled.map(({ subject, outcome }) => `${subject} ${outcome}`)).toEqual([
      `acl-role/${WEB} failed`,
      `acl-binding-rule/${WEB}/${WEB} applied`,
      `acl-policy/${POLICY} failed`,
    ]);
    expect([...consul.deps.acl.cache.owned.keys()]).toEqual([]);
  });

  it('stops everything where scopemesh stops', async () => {
    const consul = memoryAcl();
    consul.put(role(POLICY), rule());
    const stop = new AbortController();
    consul.before = async () => stop.abort(new Error('stopped'));
    const changes = [narrowRole(), loss.remove(`acl-binding-rule-${WEB}/${WEB}`, rule())];
    await expect(applyAcl(application(changes), consul.deps, stop.signal)).rejects.toThrow();
    expect(consul.requests()).toEqual([`replace acl-role-${WEB}`, `list role ${WEB}`]);
  });

  it('is left to the next run of the key where it may have been made', async () => {
    const consul = memoryAcl();
    consul.before = () => Promise.reject(failed('ERR_TIMEOUT'));
    await expect(applyAcl(application([gain.create(role())]), consul.deps, NEVER)).rejects.toMatchObject({
      code: 'ERR_TIMEOUT',
    });
    expect([...consul.pending.values()].map(({ subject }) => subject)).toEqual([`acl-role/${WEB}`]);
  });
});

describe('a change that is no longer as planned', () => {
  it('is not made, nor any later one that does not narrow, and the caller hears that the plan is stale', async () => {
    const consul = memoryAcl();
    consul.put(role(POLICY), policy(), rule());
    const changes = [
      gain.create(method()),
      narrowRole(),
      gain.create(rule({ bindName: 'x' })),
      removePolicy(),
      loss.remove(`acl-binding-rule-${WEB}/${WEB}`, rule()),
    ];
    const isAsPlanned = ({ widens }: { readonly widens: boolean }) => !widens;
    expect(await applyAcl(application(changes, { isAsPlanned }), consul.deps, NEVER)).toBe('stale');
    expect(consul.requests().filter((line) => !line.startsWith('list'))).toEqual([
      `replace acl-role-${WEB}`,
      `delete acl-binding-rule-${WEB}/${WEB}`,
    ]);
    expect(consul.settled.map(({ outcome }) => outcome)).toEqual(['applied', 'applied']);
    expect(consul.pending.size).toBe(0);
  });

  it('leaves no record of the tokens that it would have left', async () => {
    const consul = memoryAcl();
    consul.put(rule());
    consul.tokens = [aclToken('live')];
    const changes = [
      loss.remove(`acl-binding-rule-${WEB}/${WEB}`, rule()),
      loss.endTokens(method(), { role: WEB }),
    ];
    const isAsPlanned = () => false;
    expect(await applyAcl(application(changes, { isAsPlanned }), consul.deps, NEVER)).toBe('stale');
    expect(consul.tokens).toHaveLength(1);
    expect(consul.pending.size).toBe(0);
    expect(consul.settled).toEqual([]);
  });

  it('keeps the record of tokens that an earlier change has left', async () => {
    const consul = memoryAcl();
    consul.put(rule());
    consul.tokens = [aclToken('live')];
    const changes = [
      loss.remove(`acl-binding-rule-${WEB}/${WEB}`, rule()),
      loss.endTokens(method(), { role: WEB }),
    ];
    const isAsPlanned = ({ step }: AclChange) => step.do !== 'end-tokens';
    expect(await applyAcl(application(changes, { isAsPlanned }), consul.deps, NEVER)).toBe('stale');
    expect([...consul.pending.values()].map(({ subject }) => subject)).toEqual([`acl-token/${WEB}`]);
  });
});

describe('the caller hears that everything is narrowed', () => {
  const lines = async (
    how: Parameters<typeof application>[0],
    isRefused = (_line: string) => false,
    tokens: readonly ReturnType<typeof aclToken>[] = [],
  ) => {
    const consul = memoryAcl();
    consul.tokens = [...tokens];
    consul.put(role(POLICY), rule(), policy());
    consul.before = async (line) => {
      if (isRefused(line)) throw failed('ERR_CONSUL_REJECTED');
    };
    const narrowed = (isMade: boolean) => consul.log.push(`narrowed ${isMade}`);
    await applyAcl(application(how, { narrowed }), consul.deps, NEVER).catch(() => {});
    return consul.log.filter((line) => /^(narrowed|create|replace|delete) /.test(line));
  };
  const changes = () => [
    narrowRole(),
    loss.remove(`acl-binding-rule-${WEB}/${WEB}`, rule()),
    gain.create(method()),
  ];

  it('after the last change that narrows, and before what widens', async () => {
    expect(await lines(changes())).toEqual([
      `replace acl-role-${WEB}`,
      `delete acl-binding-rule-${WEB}/${WEB}`,
      'narrowed true',
      `create ${WEB}`,
    ]);
  });

  it('also where one of them failed', async () => {
    expect(await lines(changes(), (line) => line.startsWith('replace'))).toContain('narrowed true');
    expect(await lines(changes(), (line) => line.startsWith('delete'))).toContain('narrowed true');
  });

  it('reports nothing narrowed if every step failed', async () => {
    expect(await lines(changes(), () => true)).toEqual([
      `replace acl-role-${WEB}`,
      `delete acl-binding-rule-${WEB}/${WEB}`,
      'narrowed false',
    ]);
  });

  it('and that nothing is, where only what does not narrow was made', async () => {
    const cleaned = [removePolicy(), narrowRole()];
    expect(await lines(cleaned, (line) => line.startsWith('replace'))).toContain('narrowed false');
  });

  it('and that nothing is, where there was no token to end and all else failed', async () => {
    const tokens = loss.endTokens(method(), { role: WEB });
    const failing = (line: string) => line.startsWith('replace') || line.startsWith('delete');
    expect(await lines([narrowRole(), tokens], failing)).toContain('narrowed false');
    expect(await lines([narrowRole(), tokens], failing, [aclToken('live')])).toContain('narrowed true');
  });

  it('at the end where nothing narrows', async () => {
    expect(await lines([gain.create(method()), removePolicy()])).toEqual([
      `create ${WEB}`,
      `delete acl-policy-${POLICY}`,
      'narrowed false',
    ]);
    expect(await lines([])).toEqual(['narrowed false']);
  });
});

describe('tokens that end', () => {
  it('write no decision if nothing changes', async () => {
    const consul = memoryAcl();
    await applyAcl(application([loss.endTokens(method(), { role: WEB })]), consul.deps, NEVER);
    expect(consul.requests()).toEqual([`list role ${WEB}`]);
    expect(consul.settled).toEqual([]);
    expect(consul.pending.size).toBe(0);
  });

  it('have their decision recorded before the first one ends, and settled after the last', async () => {
    const consul = memoryAcl();
    consul.tokens = [aclToken('a'), aclToken('b')];
    await applyAcl(application([loss.endTokens(method(), { role: WEB })]), consul.deps, NEVER);
    expect(consul.log.filter((line) => !/^(keep|woke)/.test(line))).toEqual([
      `list role ${WEB}`,
      `record ${KEY} ${WEB}`,
      'end a b',
      `list role ${WEB}`,
      `settle ${KEY} ${WEB} applied`,
    ]);
    expect(consul.settled[0]).toMatchObject({ action: 'revoke', reason: 'ScopeRevoked' });
    expect(consul.settled[0]?.detail).toContain('ended 2 live tokens;');
    expect(consul.updates).toEqual([{}]);
  });

  it('stay recorded where Consul does not end them', async () => {
    const consul = memoryAcl();
    consul.tokens = [aclToken('a')];
    consul.before = async (line) => {
      if (line.startsWith('end')) throw failed('ERR_CONSUL_UNREACHABLE');
    };
    const change = loss.endTokens(method(), { role: WEB });
    await expect(applyAcl(application([change]), consul.deps, NEVER)).rejects.toThrow('no');
    expect([...consul.pending.values()].map(({ before }) => before)).toEqual([{ role: WEB }]);
  });
});

describe('what goes on after an ACL write', () => {
  it('is the cache of agents, in what narrows and what revokes, and in nothing else', async () => {
    const consul = memoryAcl();
    consul.put(role(POLICY), policy());
    consul.deps.acl.noteAgentCache({ role: 30, policy: 20, token: -1 }, NOW);
    await applyAcl(
      application([
        narrowRole(),
        { ...removePolicy(), action: 'revoke' },
        gain.create(method()),
        gain.update(WEB, method(), method().object, 'neither'),
      ]),
      consul.deps,
      NEVER,
    );
    const agentCache = { roleSeconds: 30, policySeconds: 20, tokenSeconds: 0 };
    expect(consul.settled.map(({ residual }) => residual)).toEqual([
      { agentCache, accessTokensUntil: 'unknown' },
      { agentCache, accessTokensUntil: 'unknown' },
      undefined,
      undefined,
    ]);
  });
});

describe('writes for which Consul fetches keys', () => {
  it('are four at once, and no other write waits for them', async () => {
    const consul = memoryAcl();
    let letGo = () => {};
    const gate = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    consul.before = async (line) => {
      if (line.startsWith('create scopemesh') || line.includes('binding-rule')) await gate;
    };
    const one = (at: number) => application([gain.create(method({ name: `${WEB}-${at}` }))]);
    const hanging = [
      ...[1, 2, 3].map((at) => applyAcl(one(at), consul.deps, NEVER)),
      ...[rule(), rule({ bindName: 'late' })].map((each) =>
        applyAcl(application([gain.create(each)]), consul.deps, NEVER),
      ),
    ];
    const settled = Promise.allSettled(hanging);
    await applyAcl(application([gain.create(role())]), consul.deps, NEVER);
    expect(consul.requests().filter((line) => line.startsWith('create'))).toHaveLength(5);
    expect(consul.requests()).toContain(`create acl-role-${WEB}`);
    consul.nowMs += 10_000;
    letGo();
    await settled;
  });
});
