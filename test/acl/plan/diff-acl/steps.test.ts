import { describe, expect, test } from 'vitest';
import { aclSubject, digestObject } from '../../../../src/acl/plan/acl-change.js';
import { desiredPeople } from '../../../../src/acl/plan/desired-people.js';
import { diffAcl } from '../../../../src/acl/plan/diff-acl.js';
import { type DesiredAcl, NOTHING_DESIRED } from '../../../../src/acl/plan/login.js';
import type { AclSnapshot } from '../../../../src/model/acl.js';
import { because, loginProvider, mapping, READ_CONFIG, settings } from '../acl-scene.js';
import { both, edit, existing, NAME, of, plan, steps, web } from '../diff-scene.js';

const created = [
  'created acl-policy',
  'created acl-role',
  'created acl-auth-method',
  'created acl-binding-rule',
];

describe('the steps of an ACL plan', () => {
  test('leave a name as it is if only its case differs, because Consul refuses that change', () => {
    const upper = NAME.toUpperCase();
    const renamed = (desired: DesiredAcl) =>
      existing(desired, (store) => {
        edit(store.roles, { name: upper });
        for (const [id, rule] of store.rules) store.rules.set(id, { ...rule, bindName: upper });
      });
    expect(plan(web, renamed(web)).changes.filter(({ resource }) => resource.kind === 'acl-role')).toEqual(
      [],
    );
    const written = plan(web, renamed(both)).changes.flatMap(({ after }) =>
      after !== undefined && 'policies' in after ? [after.name] : [],
    );
    expect(written).toEqual([upper]);
  });

  test.each<readonly [string, DesiredAcl, AclSnapshot, readonly string[]]>([
    ['of a grant: policy, role, auth method, binding rule', web, existing(NOTHING_DESIRED), created],
    ['of nothing', web, existing(web), []],
    [
      'of a disabled client: the method, with its rules and tokens, then what is left',
      NOTHING_DESIRED,
      existing(web),
      ['deleted acl-auth-method', 'deleted acl-role', 'deleted acl-policy'],
    ],
    [
      'of a lost scope: the link first, and the policy when nobody has it',
      web,
      existing(both),
      ['updated acl-role', 'deleted acl-policy'],
    ],
    ['of a gained scope', both, existing(web), ['created acl-policy', 'updated acl-role']],
    [
      'of an exchanged scope: what goes first, and never by the text of a policy',
      of(['orders:write']),
      existing(web),
      ['updated acl-role', 'created acl-policy', 'updated acl-role', 'deleted acl-policy'],
    ],
    [
      'of a shorter lifetime: the method, then the longer tokens',
      of(['config:read'], {}, 60),
      existing(web),
      ['updated acl-auth-method', 'end tokens of authMethod'],
    ],
    ['of a longer lifetime', of(['config:read'], {}, 600), existing(web), ['updated acl-auth-method']],
    [
      'of another audience: the method is created again',
      of(['config:read'], { settings: { providers: new Map([['main', loginProvider({ audience: 'x' })]]) } }),
      existing(web),
      ['deleted acl-auth-method', 'created acl-auth-method', 'created acl-binding-rule'],
    ],
    [
      'of a selector changed by hand: rule, tokens and role go and come again',
      web,
      existing(web, (store) => edit(store.rules, { selector: '"client_id" in value' })),
      [
        'deleted acl-binding-rule',
        'end tokens of role',
        'deleted acl-role',
        'created acl-role',
        'created acl-binding-rule',
      ],
    ],
    [
      'of a second equal rule: one goes',
      web,
      existing(web, (store) => store.put({ ...NOTHING_DESIRED, bindingRules: web.bindingRules })),
      ['deleted acl-binding-rule'],
    ],
    [
      'of a policy changed by hand: unlinked, deleted, made, linked',
      web,
      existing(web, (store) => edit(store.policies, { rules: '{"acl":"write"}' })),
      ['updated acl-role', 'deleted acl-policy', 'created acl-policy', 'updated acl-role'],
    ],
    [
      'of a role widened by hand',
      web,
      existing(web, (store) => edit(store.roles, { serviceIdentities: ['vault'] })),
      ['updated acl-role'],
    ],
    [
      'of a role with what scopemesh does not model',
      web,
      existing(web, (store) => edit(store.roles, { isAltered: true })),
      ['updated acl-role'],
    ],
    [
      'of a method whose tokens never end',
      web,
      existing(web, (store) => edit(store.methods, { maxTokenTtlSeconds: 0 })),
      ['updated acl-auth-method', 'end tokens of authMethod'],
    ],
    [
      'of a rule that binds a service by hand',
      web,
      existing(web, (store) =>
        store.put({
          ...NOTHING_DESIRED,
          bindingRules: [
            {
              description: 'scopemesh:pay',
              authMethod: NAME,
              bindType: 'service',
              bindName: 'vault',
              selector: '',
            },
          ],
        }),
      ),
      ['deleted acl-binding-rule', 'end tokens of authMethod'],
    ],
    ['of a deleted role', web, existing(web, (store) => store.roles.clear()), ['created acl-role']],
    [
      'of a Description that lost its facts',
      web,
      existing(web, (store) => edit(store.methods, { description: 'scopemesh:pay' })),
      ['updated acl-auth-method'],
    ],
    [
      'of a method with what scopemesh does not model: created again',
      web,
      existing(web, (store) => edit(store.methods, { isAltered: true })),
      ['deleted acl-auth-method', 'created acl-auth-method', 'created acl-binding-rule'],
    ],
    [
      'of a rule with what scopemesh does not model: as one with another selector',
      web,
      existing(web, (store) => edit(store.rules, { isAltered: true })),
      [
        'deleted acl-binding-rule',
        'end tokens of role',
        'deleted acl-role',
        'created acl-role',
        'created acl-binding-rule',
      ],
    ],
    [
      'of a policy with what scopemesh does not model: as one with another text',
      web,
      existing(web, (store) => edit(store.policies, { isAltered: true })),
      ['updated acl-role', 'deleted acl-policy', 'created acl-policy', 'updated acl-role'],
    ],
  ])('%s', (_, desired, actual, expected) => {
    const { changes, holds } = plan(desired, actual);
    expect(steps(changes)).toEqual(expected);
    expect(holds).toEqual([]);
  });

  test('of a person who left a group: the rule, the tokens and the role, and nothing of other people', () => {
    const people = (members: readonly string[]): DesiredAcl =>
      desiredPeople({
        provider: 'main',
        mapping: mapping(),
        settings: settings({ groups: [{ group: 'oncall', acl: READ_CONFIG }] }),
        members: new Map([['oncall', members]]),
      }).desired ?? NOTHING_DESIRED;
    const [alice] = people(['alice']).roles;
    const { changes } = plan(people(['bob']), existing(people(['alice', 'bob'])));
    expect(steps(changes)).toEqual(['deleted acl-binding-rule', 'end tokens of role', 'deleted acl-role']);
    expect(changes[1]?.step).toEqual({ do: 'end-tokens', by: { role: alice?.name } });
    expect(changes[2]?.before).toEqual(alice);
  });

  test('end only tokens that live too long where a lifetime is shortened, and say why', () => {
    const { changes } = plan(of(['config:read'], {}, 60), existing(web));
    expect(changes.map(({ reason, action }) => [reason, action])).toEqual([
      ['LifetimeChanged', 'revoke'],
      ['LifetimeChanged', 'revoke'],
    ]);
    expect(changes[1]?.step).toEqual({ do: 'end-tokens', by: { authMethod: NAME }, longerThanSeconds: 60 });
  });

  test('keep the policy that a role which may not go still has', () => {
    const actual = existing(both);
    const { changes } = diffAcl({
      owner: 'pay',
      plansNarrowing: true,
      desired: NOTHING_DESIRED,
      actual,
      mayRemove: ({ kind }) => kind === 'acl-policy',
      why: because,
      lastApplied: new Map(),
    });
    expect(changes).toEqual([]);
  });

  test('correct drift where what is desired was written before', () => {
    const [role] = web.roles;
    if (role === undefined) throw new Error('no role is desired');
    const written = new Map([
      [aclSubject('acl-role', NAME), digestObject({ kind: 'acl-role', object: role })],
    ]);
    const actual = existing(web, (store) => edit(store.roles, { serviceIdentities: ['vault'] }));
    expect(plan(web, actual, 'enforce', written).changes.map(({ reason }) => reason)).toEqual([
      'DriftCorrected',
    ]);
    expect(plan(web, actual).changes.map(({ reason }) => reason)).toEqual(['ScopeRevoked']);
  });
});
