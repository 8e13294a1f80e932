import { describe, expect, it } from 'vitest';
import { regexFault } from '../../config/regex-fault.js';

describe('A regular expression', () => {
  it.each([
    '/v[0-9]+/status',
    '^/a$',
    '(?i)/orders',
    '(?i:/orders)',
    '/(?P<id>[a-f0-9]{8})',
    '/[[:alpha:]]+',
    '/[(?=]+',
    '/a\\.b\\-c\\\\1',
    '/\\d+\\z',
    '/\\pN',
    '/a{2,1000}',
    '/[^/]+?',
    '/[\\]1]x',
  ])('%s is one of RE2', (pattern) => {
    expect(regexFault(pattern)).toBeUndefined();
  });

  it.each([
    ['/(?=x)', 'lookaround'],
    ['/(?!x)', 'lookaround'],
    ['/(?<=x)', 'lookaround'],
    ['/(?<!x)', 'lookaround'],
    ['/(a)\\1', 'backreference'],
    ['/(?<n>a)\\k<n>', 'backreference'],
    ['/(?P<n>a)(?P=n)', 'backreference'],
    ['/(?>a)', 'group'],
    ['/a++', 'possessive'],
    ['/a{2}+', 'possessive'],
    ['/\\y', 'escape'],
    ['/a{1001}', '1000'],
    ['/a{1,1001}', '1000'],
    ['/(a', 'not an expression of RE2'],
    ['/a)', 'not an expression of RE2'],
    ['/[a', 'not an expression of RE2'],
    ['/[z-a]', 'not an expression of RE2'],
    ['*a', 'not an expression of RE2'],
    ['/[[:nothing:]]', 'not an expression of RE2'],
    ['/\\p{Nothing}', 'not an expression of RE2'],
    [`/${'a'.repeat(1024)}`, 'longer'],
  ])('%s is refused (%s)', (pattern, fault) => {
    expect(regexFault(pattern)).toContain(fault);
  });
});
