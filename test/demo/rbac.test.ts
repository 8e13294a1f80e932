import { describe, expect, it } from 'vitest';
import { type Call, type Intention, judge, parseIntentions } from '../../src/demo/rbac.js';

const CALL: Call = { source: 'web', destination: 'orders', method: 'GET', path: '/v1/orders', headers: {} };

function intention(source: string, destination: string, of: object): Intention {
  const [parsed] = parseIntentions([{ Name: destination, Sources: [{ Name: source, ...of }] }]);
  if (parsed === undefined) throw new Error('no intention');
  return parsed;
}

const ALLOW = { Action: 'allow' };
const DENY = { Action: 'deny' };

function permission(http: object, more: object = {}): object {
  return { Action: 'allow', HTTP: http, ...more };
}

function header(more: object): object {
  return permission({ Header: [{ Name: 'X-Key', ...more }] });
}

/** Whether a call passes one L7 intention of its own pair. */
function passes(permissions: readonly object[], call: Partial<Call> = {}, protocol = 'http'): boolean {
  const l7 = intention('web', 'orders', { Permissions: permissions });
  return judge({ ...CALL, ...call }, [l7], protocol).isAllowed;
}

describe('the stand-in for Envoy', () => {
  it('denies a call that no intention matches', () => {
    expect(judge(CALL, [], 'http').isAllowed).toBe(false);
    expect(judge(CALL, [intention('other', 'orders', ALLOW)], 'http').isAllowed).toBe(false);
  });

  it('uses only the most exact intention, in any order', () => {
    const byPrecedence = [
      intention('web', 'orders', DENY),
      intention('*', 'orders', ALLOW),
      intention('web', '*', DENY),
      intention('*', '*', ALLOW),
    ];
    const verdicts = byPrecedence.map(
      (_, from) => judge(CALL, byPrecedence.slice(from).toReversed(), 'http').isAllowed,
    );
    expect(verdicts).toEqual([false, true, false, true]);
  });

  it('uses the first matching permission, and denies if none matches, even if a wider intention would allow', () => {
    const deny = permission({ PathPrefix: '/v1/orders/secret' }, DENY);
    const allow = permission({ Methods: ['GET'], PathPrefix: '/v1' });
    expect(passes([deny, allow])).toBe(true);
    expect(passes([deny, allow], { path: '/v1/orders/secret' })).toBe(false);
    expect(passes([allow, deny], { path: '/v1/orders/secret' })).toBe(true);
    const l7 = intention('web', 'orders', { Permissions: [allow] });
    const wide = intention('*', 'orders', ALLOW);
    expect(judge({ ...CALL, method: 'POST' }, [l7, wide], 'http').isAllowed).toBe(false);
  });

  it('matches paths as Envoy does: exact, by prefix, or by an expression over the whole', () => {
    expect(passes([permission({ PathExact: '/v1/orders' })])).toBe(true);
    expect(passes([permission({ PathExact: '/v1' })])).toBe(false);
    expect(passes([permission({ PathRegex: '/v[0-9]+/orders' })])).toBe(true);
    expect(passes([permission({ PathRegex: '/v[0-9]+' })])).toBe(false);
    expect(passes([permission({ PathRegex: '(' })])).toBe(false);
  });

  it('matches headers; a missing header matches no value, not even an inverted one', () => {
    const sent = { headers: { 'x-key': 'abc' } };
    for (const [rule, withHeader, without] of [
      [header({ Present: true }), true, false],
      [header({ Present: true, Invert: true }), false, true],
      [header({ Exact: 'abc' }), true, false],
      [header({ Exact: 'abc', Invert: true }), false, false],
      [header({ Prefix: 'ab' }), true, false],
      [header({ Suffix: 'bc' }), true, false],
      [header({ Regex: 'a.c' }), true, false],
      [header({ Regex: 'b', Invert: true }), true, false],
    ] as const)
      expect([passes([rule], sent), passes([rule])]).toEqual([withHeader, without]);
  });

  it('denies what it cannot verify, and L7 intentions of a tcp destination', () => {
    expect(passes([permission({}, { JWT: { Providers: [] } })])).toBe(false);
    expect(passes([permission({})], {}, 'tcp')).toBe(false);
    expect(judge(CALL, [intention('web', 'orders', ALLOW)], 'tcp').isAllowed).toBe(true);
  });
});
