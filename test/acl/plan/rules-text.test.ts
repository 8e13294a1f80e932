import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RulesFault } from '../../../src/acl/plan/rules-syntax.js';
import { createRulesParser, grantRules, parseRules } from '../../../src/acl/plan/rules-text.js';
import { cpuMsOf } from '../../support/cpu-time.js';
import { hostileText } from './acl-scene.js';

function canonical(text: string, captures: Record<string, string> = {}): string | undefined {
  return grantRules(parseRules(text), captures)?.text;
}

const READ_A = '{"key":{"a":{"policy":"read"}}}';

describe('ACL rules', () => {
  test.each([
    ['key "a" { policy = "read" }', READ_A],
    ['key "a" {\n  policy = "read"\n}\n', READ_A],
    ['"key" "a" { "policy" = "read" }', READ_A],
    ['key = { "a" = { policy = "read" } }', READ_A],
    ['key { a { policy = "read" } }', READ_A],
    [READ_A, READ_A],
    ['{"key": [{"a": {"policy": "read"}}]}', READ_A],
    ['{"key": [{"a": [{"policy": "read"}]}]}', READ_A],
    [
      '/* all of it */ operator = "read" # and\nacl = "write" // no more',
      '{"acl":"write","operator":"read"}',
    ],
    [
      'service_prefix "" { policy = "read" intentions = "write" } service "b" { policy = "deny" } service "a" { policy = "write" }',
      '{"service":{"a":{"policy":"write"},"b":{"policy":"deny"}},"service_prefix":{"":{"intentions":"write","policy":"read"}}}',
    ],
    ['key_prefix "é\\"\\u0041" { policy = "list" }', '{"key_prefix":{"é\\"A":{"policy":"list"}}}'],
  ])('%j has one canonical form', (text, expected) => {
    expect(canonical(text)).toBe(expected);
  });

  test('have a canonical form that is its own canonical form', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(
          hostileText.filter((name) => name.isWellFormed() && !/\$\{|\{[a-z]/.test(name)),
          {
            minLength: 1,
            maxLength: 4,
          },
        ),
        (names) => {
          const text = JSON.stringify({
            key: Object.fromEntries(names.map((name) => [name, { policy: 'read' }])),
          });
          const form = canonical(text) ?? '';
          expect(canonical(form)).toBe(form);
          expect(Object.keys(JSON.parse(form).key).toSorted()).toEqual(
            Object.keys(JSON.parse(text).key).toSorted(),
          );
        },
      ),
    );
  });

  test.each([
    ['keys "a" { policy = "read" }', /line 1, column 1: "keys" is not a resource .* key, key_prefix/],
    ['key "a" { polcy = "read" }', /line 1, column 11: "polcy" is not a field of a key rule; write policy/],
    ['key "a" { Policy = "read" }', /"Policy" is not a field/],
    ['key "a" {\n  policy = "reed"\n}', /line 2, column 3: policy cannot be "reed"; write "deny" or "list"/],
    ['service "a" { policy = "list" }', /policy cannot be "list"/],
    ['key "a" { policy = "READ" }', /policy cannot be "READ"/],
    ['key "a" { policy = "read" intentions = "read" }', /"intentions" is not a field of a key rule/],
    ['key "a" { }', /has no policy/],
    ['key "a" { policy = "read" policy = "write" }', /policy is set twice/],
    ['key "a" { policy = "read" } key "a" { policy = "write" }', /key "a" is set twice/],
    ['{"key": {"a": {"policy": "read"}, "a": {"policy": "write"}}}', /key "a" is set twice/],
    ['operator = "list"', /operator cannot be "list"/],
    ['operator "a" { policy = "read" }', /operator takes only a policy/],
    ['acl = "read" acl = "write"', /acl is set twice/],
    ['key = "read"', /key takes a name and a block/],
    ['key { policy = "read" }', /key takes a name and a block/],
    ['key "a" "b" { policy = "read" }', /key takes a name and a block/],
    ['namespace "x" { key "a" { policy = "read" } }', /namespace is a Consul Enterprise resource/],
    ['sentinel "x" { code = "" }', /sentinel is a Consul Enterprise resource/],
    ['key "a" { policy = read }', /expected a quoted text .* but found "read"/],
    ['key "a" policy = "read"', /but found "policy"/],
    ['key "a" { policy = "read"', /but the text ends/],
    ['key "a" { policy = 1 }', /cannot be parsed/],
    ['key "a', /cannot be parsed/],
    ['key \'a\' { policy = "read" }', /cannot be parsed/],
    ['key <<EOF\na\nEOF', /cannot be parsed/],
    ['{"key": {"a": {"policy": "read"}}} key "b" { policy = "write" }', /expected the end, but found "key"/],
    ['', /there is no rule here/],
    ['# nothing', /there is no rule here/],
    ['{}', /there is no rule here/],
    ['key "\\ud800" { policy = "read" }', /an unpaired surrogate/],
    [`key "${'$'}{a}" { policy = "read" }`, /looks like an interpolation/],
    ['key_prefix "config/{name}" { policy = "read" }', /ends in a capture/],
    ['service_prefix "{name}" { policy = "read" }', /ends in a capture/],
    ['{"__proto__": {"a": {"policy": "read"}}}', /"__proto__" is not a resource/],
    [`key "a" ${'{ a '.repeat(50)}`, /nested too deeply/],
  ])('%j are refused with the place and the remedy', (text, message) => {
    expect(() => parseRules(text)).toThrow(RulesFault);
    expect(() => parseRules(text)).toThrow(message);
  });

  test('are either parsed or refused as rules, for every text', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          hostileText,
          fc
            .array(fc.constantFrom('key', '"a"', '{', '}', '=', 'policy', '"read"', '[', ']', ','), {
              maxLength: 12,
            })
            .map((words) => words.join(' ')),
        ),
        (text) => {
          try {
            expect(canonical(text)).not.toBe('');
          } catch (error) {
            if (!(error instanceof RulesFault)) throw error;
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  test('take time linear in a hostile text', () => {
    const texts = ['/*'.repeat(30_000), '"\\'.repeat(30_000), '{"a":'.repeat(12_000), '['.repeat(60_000)];
    const ms = cpuMsOf(() => {
      for (const text of texts) expect(() => parseRules(text)).toThrow(RulesFault);
    });
    expect(ms).toBeLessThan(2_000);
  });

  test('are read once by one parser', () => {
    const parse = createRulesParser();
    expect(parse(READ_A)).toBe(parse(READ_A));
  });
});

describe('captures in ACL rules', () => {
  const rule = 'key_prefix "config/{name}/" { policy = "read" } service "{name}" { policy = "write" }';

  test('fill in plain names', () => {
    expect(parseRules(rule).captures).toEqual(['name']);
    const granted = grantRules(parseRules(rule), { name: 'web' });
    expect(granted?.text).toBe(
      '{"key_prefix":{"config/web/":{"policy":"read"}},"service":{"web":{"policy":"write"}}}',
    );
    expect(granted?.filledServices).toEqual([{ name: 'web', isPrefix: false }]);
  });

  test('that are missing or are no plain names give nothing', () => {
    expect(canonical(rule)).toBeUndefined();
    expect(canonical(rule, { other: 'web' })).toBeUndefined();
    fc.assert(
      fc.property(hostileText, (name) => {
        const text = canonical(rule, { name });
        if (/^[a-z0-9][a-z0-9-]{0,127}$/.test(name))
          expect(JSON.parse(text ?? '').service).toEqual({ [name]: { policy: 'write' } });
        else expect(text).toBeUndefined();
      }),
    );
  });

  test('that make two rules one give nothing', () => {
    const twice = 'key "web" { policy = "deny" } key "{name}" { policy = "write" }';
    expect(canonical(twice, { name: 'api' })).toBeDefined();
    expect(canonical(twice, { name: 'web' })).toBeUndefined();
  });
});
