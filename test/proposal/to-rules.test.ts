import { describe, expect, it } from 'vitest';
import type { Access, HttpPermission } from '../../src/model/intention.js';
import { toPlainPathRegex } from '../../src/model/plain-path.js';
import type { Rule } from '../../src/model/rule.js';
import { covers, union } from '../../src/plan/access.js';
import { accessOf } from '../../src/plan/openings.js';
import { toRules } from '../../src/proposal/to-rules.js';
import { ALLOW } from '../plan/scene.js';

const HELD = { provider: 'main', scope: { name: 'orders:read' } };
const ONE = { providers: ['main'] };
const http = (...permissions: readonly HttpPermission[]): Access => ({ kind: 'http', permissions });
const conditions = (access: Access) =>
  toRules(HELD, 'orders', access, ONE).map(({ scope: _, to: __, userRequired: ___, ...rest }) => rest);
const PLAIN = toPlainPathRegex({ kind: 'path', text: '/v1' }) ?? '';
const PLAIN_PREFIX = toPlainPathRegex({ kind: 'prefix', text: '/v1' }) ?? '';
const HEADERS = [{ name: 'x-team', exact: 'a' }];

describe('the rules for an access', () => {
  it('name the scope, its API and the destination, and the provider only beside others', () => {
    expect(toRules(HELD, 'orders', ALLOW, ONE)).toEqual([
      { scope: 'orders:read', to: 'orders', userRequired: false },
    ]);
    const held = { provider: 'main', scope: { name: 'read', api: 'orders' } };
    expect(toRules(held, 'orders', ALLOW, { providers: ['main', 'more'] })).toEqual([
      { scope: 'read', provider: 'main', api: 'orders', to: 'orders', userRequired: false },
    ]);
  });

  it.each(['orders:*', '{service}:read', 'orders}'])(
    'are not made for the scope %s, which would be a pattern',
    (name) => {
      expect(toRules({ provider: 'main', scope: { name } }, 'orders', ALLOW, ONE)).toEqual([]);
    },
  );

  it.each<readonly [string, readonly HttpPermission[], readonly Partial<Rule>[]]>([
    ['methods', [{ methods: ['GET'] }], [{ methods: ['GET'] }]],
    ['headers', [{ headers: HEADERS, pathExact: '/a' }], [{ headers: HEADERS, pathExact: '/a' }]],
    ['a path', [{ pathExact: '/v1' }], [{ pathExact: '/v1' }]],
    ['a prefix', [{ pathPrefix: '/v1' }], [{ pathPrefix: '/v1', rawPath: true }]],
    ['every path', [{ pathPrefix: '/' }], [{ pathPrefix: '/' }]],
    ['an expression', [{ pathRegex: '/v[12]' }], [{ pathRegex: '/v[12]' }]],
    ['plain paths below one', [{ pathRegex: PLAIN }], [{ path: '/v1' }]],
    ['plain paths that begin so', [{ pathRegex: PLAIN_PREFIX }], [{ pathPrefix: '/v1' }]],
    [
      'a path and what is below it, as one',
      [
        { pathExact: '/v1', methods: ['GET'] },
        { pathPrefix: '/v1/', methods: ['GET'] },
      ],
      [{ path: '/v1', methods: ['GET'], rawPath: true }],
    ],
    [
      'a path and what is below it, as two where the methods differ',
      [
        { pathExact: '/v1', methods: ['GET'] },
        { pathPrefix: '/v1/', methods: ['POST'] },
      ],
      [
        { pathExact: '/v1', methods: ['GET'] },
        { pathPrefix: '/v1/', methods: ['POST'], rawPath: true },
      ],
    ],
    [
      'a path and another prefix, as two',
      [{ pathExact: '/v1' }, { pathPrefix: '/v2/' }],
      [{ pathExact: '/v1' }, { pathPrefix: '/v2/', rawPath: true }],
    ],
  ])('write %s', (_what, permissions, expected) => {
    const access = http(...permissions);
    expect(conditions(access)).toEqual(expected);
    const opened = toRules(HELD, 'orders', access, ONE)
      .map(accessOf)
      .reduce((sum, each) => union(sum, each), undefined);
    expect(covers(access, opened)).toBe(true);
    expect(covers(opened, access)).toBe(true);
  });

  it('leave out what a rule would read as more than the intention', () => {
    expect(conditions(http({ pathExact: '/' }, { pathPrefix: '//' }, { pathExact: '/a' }))).toEqual([
      { pathExact: '/a' },
    ]);
  });
});
