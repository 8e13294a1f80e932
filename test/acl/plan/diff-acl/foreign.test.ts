import { describe, expect, test } from 'vitest';
import { type DesiredAcl, NOTHING_DESIRED } from '../../../../src/acl/plan/login.js';
import { ownedAcl } from '../../../../src/acl/plan/owned-acl.js';
import { AclStore } from '../acl-store.js';
import { edit, existing, NAME, plan, steps, web } from '../diff-scene.js';

describe('beside a foreign object', () => {
  const foreign = { description: 'Mine' };

  test.each<readonly [string, (store: AclStore) => void, readonly string[], string]>([
    [
      'a policy: the role does without it',
      (store) => edit(store.policies, foreign),
      ['updated acl-role'],
      'acl-policy',
    ],
    [
      'a role: nothing of ours may bind to it',
      (store) => edit(store.roles, foreign),
      ['deleted acl-auth-method'],
      'acl-role',
    ],
    [
      'an auth method: our role goes',
      (store) => edit(store.methods, foreign),
      ['deleted acl-role'],
      'acl-auth-method',
    ],
  ])('%s, and that is held', (_, change, expected, kind) => {
    const { changes, holds } = plan(web, existing(web, change));
    expect(steps(changes)).toEqual(expected);
    expect(holds.map(({ reason, resource }) => [reason, resource.kind])).toEqual([['ForeignObject', kind]]);
  });

  test('of another instance, it is said whose it is, and not that it could be adopted', () => {
    const actual = existing(web, (store) => edit(store.roles, { description: 'scopemesh:other' }));
    expect(plan(web, actual).holds.map(({ detail }) => detail)).toEqual([
      expect.stringMatching(/^the scopemesh instance with owner other marked this object(?!.*adopt)/),
    ]);
  });

  test('a rule that somebody added to our method is held and stays', () => {
    const theirs = {
      description: 'by hand',
      authMethod: NAME,
      bindType: 'role' as const,
      bindName: 'admin',
      selector: '',
    };
    const { changes, holds } = plan(
      web,
      existing(web, (store) => store.put({ ...NOTHING_DESIRED, bindingRules: [theirs] })),
    );
    expect(changes).toEqual([]);
    expect(holds.map(({ reason, detail }) => [reason, detail])).toEqual([
      ['ForeignObject', expect.stringContaining('this auth method has a binding rule')],
    ]);
  });

  test('a rule of a foreign method is foreign, for every Description', () => {
    const [method] = web.authMethods;
    if (method === undefined) throw new Error('no method is desired');
    const theirs: DesiredAcl = {
      ...NOTHING_DESIRED,
      authMethods: [{ ...method, name: 'okta', description: 'Mine' }],
      bindingRules: [
        { description: 'scopemesh:pay', authMethod: 'okta', bindType: 'role', bindName: NAME, selector: '' },
      ],
    };
    const actual = existing(web, (store) => store.put(theirs));
    expect(plan(web, actual).changes).toEqual([]);
    expect(ownedAcl('pay', actual).bindingRules.map(({ object }) => object)).toEqual(web.bindingRules);
  });

  test('names meet without regard to case', () => {
    const store = new AclStore();
    const [role] = web.roles;
    if (role === undefined) throw new Error('no role is desired');
    const shouted = { ...role, name: NAME.toUpperCase(), description: 'Mine', policies: [] };
    store.write(undefined, { kind: 'acl-role', object: shouted });
    expect(plan(web, store.snapshot()).holds.map(({ reason }) => reason)).toEqual(['ForeignObject']);
  });

  describe.each(['acl-role', 'acl-auth-method'] as const)(
    'is held as MarkLost if scopemesh wrote it, also if it should be removed: %s',
    (kind) => {
      const subject = `${kind}/${NAME}`;
      const written = new Map([[subject, 'as it was written']]);
      const actual = existing(web, (store) =>
        edit<{ description: string }>(kind === 'acl-role' ? store.roles : store.methods, foreign),
      );
      const heldWith = (desired: DesiredAcl, lastApplied = written) =>
        plan(desired, actual, 'enforce', lastApplied).holds.map((hold) => [
          hold.subject,
          hold.reason,
          hold.action,
        ]);

      test('still wanted', () => {
        expect(heldWith(web)).toEqual([[subject, 'MarkLost', 'grant']]);
      });

      test('should be removed: it stays, and that is reported', () => {
        expect(heldWith(NOTHING_DESIRED)).toEqual([[subject, 'MarkLost', 'revoke']]);
        const { changes } = plan(NOTHING_DESIRED, actual, 'enforce', written);
        expect(changes.map((change) => change.subject)).not.toContain(subject);
      });

      test('a foreign one that is not desired is ignored', () => {
        expect(heldWith(NOTHING_DESIRED, new Map())).toEqual([]);
      });
    },
  );
});
