import { describe, expect, test } from 'vitest';
import { orphans, tokensToEnd } from '../../../src/acl/plan/tokens.js';
import type { AclBindingRule, AclBindType, AclToken } from '../../../src/model/acl.js';
import { aclToken, client, desire } from './acl-scene.js';

function login(accessorId: string, changes: Partial<AclToken> = {}): AclToken {
  return aclToken(accessorId, {
    roles: ['scopemesh-pay-main-web'],
    authMethod: 'scopemesh-pay-main-web',
    isLocal: true,
    expiresAt: '2026-01-01T00:05:00Z',
    ...changes,
  });
}

describe('of the tokens that a step finds, those end', () => {
  const { authMethod: _, ...unlogged } = login('static');
  const { expiresAt: __, ...endless } = login('endless');

  test('that came from a login, whatever else is asked', () => {
    expect(tokensToEnd([login('b'), login('a'), unlogged], 'pay')).toEqual(['a', 'b']);
  });

  test('that came from an auth method of ours, and not from another that gives our role', () => {
    const theirs = ['theirs', 'scopemesh-pay', 'scopemesh-payments-main-web', 'scopemesh-pay_x-main-web'];
    const tokens = theirs.map((authMethod) => login(authMethod, { authMethod }));
    expect(tokensToEnd([...tokens, login('a')], 'pay')).toEqual(['a']);
  });

  test.each([
    [60, ['endless', 'five', 'hour', 'unreadable']],
    [300, ['endless', 'hour', 'unreadable']],
    [3600, ['endless', 'unreadable']],
  ])('that were given more than %d seconds, or no end', (longerThanSeconds, expected) => {
    const tokens = [
      login('five'),
      login('hour', { expiresAt: '2026-01-01T01:00:00.4Z' }),
      login('minute', { expiresAt: '2026-01-01T00:01:00Z' }),
      login('unreadable', { expiresAt: 'tomorrow' }),
      endless,
    ];
    expect(tokensToEnd(tokens, 'pay', { longerThanSeconds })).toEqual(expected);
  });

  test('that were issued before a session ended, or at an unknown time', () => {
    const tokens = [
      login('old'),
      login('new', { createdAt: '2026-01-01T00:02:00Z' }),
      login('odd', { createdAt: '' }),
    ];
    expect(tokensToEnd(tokens, 'pay', { issuedBefore: Date.UTC(2026, 0, 1, 0, 1) })).toEqual(['odd', 'old']);
  });
});

describe('a token is an orphan', () => {
  const { authMethods: methods, bindingRules: own } = desire(client('web', ['config:read'])).desired;
  const rule = (bindType: AclBindType, bindName: string): AclBindingRule => ({
    description: 'Mine',
    authMethod: 'scopemesh-pay-main-shared',
    bindType,
    bindName,
    selector: '',
  });
  const bindingRules = [
    ...own,
    rule('role', 'Ops'),
    rule('policy', 'p'),
    rule('service', ['$', '{value.sub}'].join('')),
    rule('node', 'machine-1'),
    rule('templated-policy', 'builtin/dns'),
  ];
  const snapshot = {
    otherMethods: ['Scopemesh-pay-main-pods'],
    bindingRules: bindingRules.map((object) => ({ id: 'r', object, isAltered: false, modifyIndex: 1 })),
    authMethods: [
      ...methods.map((object) => ({ id: object.name, object, isAltered: false, modifyIndex: 1 })),
      ...methods.map((object) => ({
        id: 'shared',
        object: { ...object, name: 'scopemesh-pay-main-shared' },
        isAltered: false,
        modifyIndex: 1,
      })),
      ...methods.map((object) => ({
        id: 'x',
        object: { ...object, name: 'scopemesh-pay-main-theirs', description: 'Mine' },
        isAltered: false,
        modifyIndex: 1,
      })),
    ],
  };
  const { authMethod: _, ...unlogged } = login('a');
  const { expiresAt: __, ...endless } = login('a');

  test.each<readonly [string, AclToken, boolean]>([
    ['if its role is gone', login('a', { roles: [] }), true],
    ['if its method is gone', login('a', { authMethod: 'scopemesh-pay-main-gone' }), true],
    ['if no rule of its method gives its role', login('a', { roles: ['scopemesh-pay-main-api'] }), true],
    ['if no rule gives one of its roles', login('a', { roles: [...login('b').roles, 'x'] }), true],
    [
      'if its method gives none that live so long any more',
      login('a', { expiresAt: '2026-01-03T00:00:00Z' }),
      true,
    ],
    ['if it never ends', endless, true],
    ['not if it has its role', login('a'), false],
    ['if no rule gives its service', login('a', { serviceIdentities: ['vault'] }), true],
    ['if no rule gives its policy', login('a', { policies: ['global-management'] }), true],
    ['if no rule gives its node', login('a', { nodeIdentities: ['dc1/machine-1'] }), true],
    ['if no rule gives its template', login('a', { templatedPolicies: ['builtin/dns'] }), true],
    [
      'not if rules of its method give all that it has',
      login('a', {
        authMethod: 'scopemesh-pay-main-shared',
        roles: ['ops'],
        policies: ['p'],
        serviceIdentities: ['anything'],
        nodeIdentities: ['dc1/machine-1'],
        templatedPolicies: ['builtin/dns'],
      }),
      false,
    ],
    ["not if it came from somebody else's method", login('a', { authMethod: 'okta', roles: [] }), false],
    [
      'not if its method does not carry our mark',
      login('a', { authMethod: 'scopemesh-pay-main-theirs', roles: [] }),
      false,
    ],
    [
      'not if its method is of another type than ours',
      login('a', { authMethod: 'scopemesh-pay-main-pods', roles: [] }),
      false,
    ],
    [
      'not if it is of another owner',
      login('a', { authMethod: 'scopemesh-payments-main-web', roles: [] }),
      false,
    ],
    ['not if it came from no login', { ...unlogged, roles: [] }, false],
  ])('%s', (_name, each, expected) => {
    expect(orphans([each], 'pay', snapshot)).toEqual(expected ? ['a'] : []);
  });
});
