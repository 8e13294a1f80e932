import { describe, expect, it } from 'vitest';
import type { Rule } from '../../src/model/rule.js';
import { shadowedRules } from '../../src/plan/shadowed-rules.js';
import { rule } from './scene.js';

const pairs = (...rules: readonly Rule[]) =>
  shadowedRules({ rules }).map(({ rule: inner, by }) => [rules.indexOf(inner), rules.indexOf(by)]);
const GET = { methods: ['GET'] };

describe('a rule without effect', () => {
  it.each<[string, readonly Rule[], readonly (readonly number[])[]]>([
    ['is the second of two equal ones', [rule('a', 'x'), rule('a', 'x')], [[1, 0]]],
    ['opens less than another one, wherever it stands', [rule('a', 'x', GET), rule('a', 'x')], [[0, 1]]],
    ['has a scope that the pattern of a wider one matches', [rule('*', 'x'), rule('a', 'x')], [[1, 0]]],
    ['is opened by the capture of a pattern', [rule('{n}:r', '{n}'), rule('x:r', 'x')], [[1, 0]]],
    ['has the same pattern', [rule('{n}:r', '{n}', GET), rule('{n}:r', '{n}')], [[0, 1]]],
    [
      'needs a user, where another one does not',
      [rule('a', 'x'), rule('a', 'x', { userRequired: true })],
      [[1, 0]],
    ],
    [
      'is for some kinds, where another one is for all',
      [rule('a', 'x'), rule('a', 'x', { actors: ['human'] })],
      [[1, 0]],
    ],
    [
      'is for fewer kinds',
      [rule('a', 'x', { actors: ['human', 'agent'] }), rule('a', 'x', { actors: ['agent'] })],
      [[1, 0]],
    ],
  ])('%s', (_, rules, expected) => {
    expect(pairs(...rules)).toEqual(expected);
  });

  it.each<[string, readonly Rule[]]>([
    ['opens another destination', [rule('a', 'x'), rule('a', 'y')]],
    ['has another scope', [rule('a', 'x'), rule('b', 'x')]],
    ['has a scope that the pattern does not match', [rule('{n}:r', '{n}'), rule('x:w', 'x')]],
    ['has a scope whose capture leads elsewhere', [rule('{n}:r', '{n}'), rule('x:r', 'y')]],
    ['is a pattern itself', [rule('*', 'x', GET), rule('{n}:r', 'x', { methods: ['PUT'] })]],
    ['is a pattern within a pattern', [rule('*', 'x'), rule('a*', 'x'), rule('{n}', 'x')]],
    ['is of another provider', [rule('a', 'x', { provider: 'p' }), rule('a', 'x', { provider: 'q' })]],
    ['is of another API', [rule('a', 'x', { api: 'p' }), rule('a', 'x', { api: 'q' })]],
    ['opens other requests', [rule('a', 'x', GET), rule('a', 'x', { methods: ['PUT'] })]],
    ['is for other kinds', [rule('a', 'x', { actors: ['human'] }), rule('a', 'x', { actors: ['agent'] })]],
    [
      'opens ACL rules alone',
      [
        { scope: 'a', acl: 'x', userRequired: false },
        { scope: 'a', acl: 'x', userRequired: false },
      ],
    ],
    ['opens ACL rules beside a destination', [{ scope: 'a', acl: 'x', userRequired: false }, rule('a', 'x')]],
  ])('is not one that %s', (_, rules) => {
    expect(pairs(...rules)).toEqual([]);
  });

  it('needs no user beside one that does', () => {
    expect(pairs(rule('a', 'x', { userRequired: true }), rule('a', 'x'))).toEqual([[0, 1]]);
  });

  it('for all kinds has an effect beside one for some', () => {
    expect(pairs(rule('a', 'x', { actors: ['human', 'agent'] }), rule('a', 'x'))).toEqual([[0, 1]]);
  });
});
