import { describe, expect, test } from 'vitest';
import { type DesiredAcl, NOTHING_DESIRED } from '../../../../src/acl/plan/login.js';
import type { AclSnapshot } from '../../../../src/model/acl.js';
import { client, desire, together } from '../acl-scene.js';
import type { AclStore } from '../acl-store.js';
import { both, edit, existing, NAME, of, plan, steps, web } from '../diff-scene.js';

describe('in mode extend', () => {
  test.each<readonly [string, DesiredAcl, (store: AclStore) => void, readonly string[]]>([
    [
      'a policy that somebody changed is given to nobody else',
      together(web, desire(client('api', ['config:read'])).desired),
      (store) => edit(store.policies, { rules: '{"operator":"write"}' }),
      ['created acl-role', 'created acl-auth-method', 'created acl-binding-rule'],
    ],
    [
      'nothing more is given to a role whose rule somebody changed',
      both,
      (store) => edit(store.rules, { selector: '"client_id" in value' }),
      ['created acl-policy'],
    ],
    [
      'nothing more is given to a role that somebody binds to others as well',
      both,
      (store) => {
        const [rule] = store.snapshot().bindingRules;
        if (rule !== undefined)
          store.write(undefined, {
            kind: 'acl-binding-rule',
            object: { ...rule.object, selector: '"client_id" in value' },
          });
      },
      ['created acl-policy'],
    ],
    [
      'nothing more is given to a role whose method somebody changed',
      both,
      (store) => edit(store.methods, { isAltered: true }),
      ['created acl-policy'],
    ],
  ])('%s', (_, desired, change, expected) => {
    const { changes } = plan(desired, existing(web, change), 'extend');
    expect(steps(changes)).toEqual(expected);
    for (const { after } of changes)
      if (after !== undefined && 'policies' in after && after.name !== NAME)
        expect(after.policies).toEqual([]);
  });

  test.each<readonly [string, DesiredAcl, AclSnapshot, readonly string[], number]>([
    ['a grant is made', both, existing(web), ['created acl-policy', 'updated acl-role'], 0],
    ['a lost scope is held', web, existing(both), [], 2],
    [
      'an exchanged scope is added and the old one held',
      of(['orders:write']),
      existing(web),
      ['created acl-policy', 'updated acl-role'],
      2,
    ],
    ['a disabled client is held', NOTHING_DESIRED, existing(web), [], 3],
    ['a shorter lifetime is held', of(['config:read'], {}, 60), existing(web), [], 2],
    [
      'a longer lifetime is given',
      of(['config:read'], {}, 600),
      existing(web),
      ['updated acl-auth-method'],
      0,
    ],
  ])('%s', (_, desired, actual, expected, held) => {
    const { changes, holds } = plan(desired, actual, 'extend');
    expect(steps(changes)).toEqual(expected);
    expect(holds.map(({ reason }) => reason)).toEqual(Array(held).fill('ModeForbids'));
  });
});
