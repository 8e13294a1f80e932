import { describe, expect, it } from 'vitest';
import { type Call, type Intention, judge, type Permission } from '../../src/demo/rbac.js';

const CALL: Call = { source: 'web', destination: 'orders', method: 'GET', path: '/v1/orders', headers: {} };

function intention(source: string, destination: string, action: 'allow' | 'deny'): Intention {
  return { source, destination, action, permissions: [] };
}

function permission(more: Partial<Permission>): Permission {
  return {
    action: 'allow',
    isUnverifiable: false,
    methods: [],
    pathExact: '',
    pathPrefix: '',
    pathRegex: '',
    headers: [],
    ...more,
  };
}

function header(more: Partial<Permission['headers'][number]>): Permission {
  const rule = {
    name: 'X-Key',
    isPresent: false,
    exact: '',
    prefix: '',
    suffix: '',
    regex: '',
    isInverted: false,
  };
  return permission({ headers: [{ ...rule, ...more }] });
}

/** Whether a call passes one L7 intention of its own pair. */
function passes(permissions: readonly Permission[], call: Partial<Call> = {}, protocol = 'http'): boolean {
  const l7: Intention = { source: 'web', destination: 'orders', action: 'deny', permissions };
  return judge({ ...CALL, ...call }, [l7], protocol).isAllowed;
}

describe('the stand-in for Envoy', () => {
  it('denies a call that no intention matches', () => {
    expect(judge(CALL, [], 'http').isAllowed).toBe(false);
    expect(judge(CALL, [intention('other', 'orders', 'allow')], 'http').isAllowed).toBe(false);
  });

  it('uses only the most exact intention, in any order', () => {
    const byPrecedence = [
      intention('web', 'orders', 'deny'),
      intention('*', 'orders', 'allow'),
      intention('web', '*', 'deny'),
      intention('*', '*', 'allow'),
    ];
    const verdicts = byPrecedence.map(
      (_, from) => judge(CALL, byPrecedence.slice(from).toReversed(), 'http').isAllowed,
    );
    expect(verdicts).toEqual([false, true, false, true]);
  });

  it('uses the first matching permission, and denies if none matches, even if a wider intention would allow', () => {
    const deny = permission({ action: 'deny', pathPrefix: '/v1/orders/secret' });
    const allow = permission({ methods: ['GET'], pathPrefix: '/v1' });
    expect(passes([deny, allow])).toBe(true);
    expect(passes([deny, allow], { path: '/v1/orders/secret' })).toBe(false);
    expect(passes([allow, deny], { path: '/v1/orders/secret' })).toBe(true);
    const l7: Intention = { source: 'web', destination: 'orders', action: 'deny', permissions: [allow] };
    const wide = intention('*', 'orders', 'allow');
    expect(judge({ ...CALL, method: 'POST' }, [l7, wide], 'http').isAllowed).toBe(false);
  });

  it('matches paths as Envoy does: exact, by prefix, or by an expression over the whole', () => {
    expect(passes([permission({ pathExact: '/v1/orders' })])).toBe(true);
    expect(passes([permission({ pathExact: '/v1' })])).toBe(false);
    expect(passes([permission({ pathRegex: '/v[0-9]+/orders' })])).toBe(true);
    expect(passes([permission({ pathRegex: '/v[0-9]+' })])).toBe(false);
    expect(passes([permission({ pathRegex: '(' })])).toBe(false);
  });

  it('matches headers; a missing header matches no value, not even an inverted one', () => {
    const sent = { headers: { 'x-key': 'abc' } };
    for (const [rule, withHeader, without] of [
      [header({ isPresent: true }), true, false],
      [header({ isPresent: true, isInverted: true }), false, true],
      [header({ exact: 'abc' }), true, false],
      [header({ exact: 'abc', isInverted: true }), false, false],
      [header({ prefix: 'ab' }), true, false],
      [header({ suffix: 'bc' }), true, false],
      [header({ regex: 'a.c' }), true, false],
      [header({ regex: 'b', isInverted: true }), true, false],
    ] as const)
      expect([passes([rule], sent), passes([rule])]).toEqual([withHeader, without]);
  });

  it('denies what it cannot verify, and L7 intentions of a tcp destination', () => {
    expect(passes([permission({ isUnverifiable: true })])).toBe(false);
    expect(passes([permission({})], {}, 'tcp')).toBe(false);
    expect(judge(CALL, [intention('web', 'orders', 'allow')], 'tcp').isAllowed).toBe(true);
  });
});
