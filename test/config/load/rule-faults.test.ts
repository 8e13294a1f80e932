import { describe, expect, it } from 'vitest';
import { faultsOf, fileWith } from '../load-text.js';

const NOT_PLAIN =
  'has a name that servers read in different ways; write no empty name, no dots alone, no backslash and no encoded . / \\ or %, or add "rawPath: on"';

/** [what is wrong, the value of `scopes:` (which begins in column 9), the faults]. */
const RULES: readonly [string, string, readonly string[]][] = [
  [
    'a misspelt key',
    '{ "orders:read": { to: a, method: [GET] } }',
    ['1:35: scopes."orders:read".method: unknown key; did you mean "methods"?'],
  ],
  [
    'an unknown key in a list',
    '{ a: [{ to: a }, { to: a, pth: / }] }',
    ['1:35: scopes.a[1].pth: unknown key; did you mean "path"?'],
  ],
  ['text instead of a rule', '{ a: orders }', ['1:14: scopes.a: must be a map or a list of maps']],
  ['an empty list', '{ a: [] }', ['1:14: scopes.a: must hold a rule; remove the scope if it opens nothing']],
  [
    'nothing to open',
    '{ a: {} }',
    ['1:14: scopes.a: opens nothing; name a destination with "to" or ACL rules with "acl"'],
  ],
  [
    'both forms',
    '{ a: { to: b, acl: \'operator = "read"\' } }',
    ['1:23: scopes.a.acl: cannot be combined with "to"; write two rules as a list'],
  ],
  [
    'ACL rules with a word that Consul would take without a sound',
    '{ a: { acl: \'keys "x" { policy = "read" }\' } }',
    [
      '1:21: scopes.a.acl: the ACL rules are invalid at line 1, column 1: "keys" is not a resource of Consul\'s ACL language; write one of acl, agent, agent_prefix, event, event_prefix, key, key_prefix, keyring, mesh, node, node_prefix, operator, peering, query, query_prefix, service, service_prefix, session, session_prefix',
    ],
  ],
  [
    'ACL rules with a capture that is not captured',
    '{ "{a}:x": { acl: \'key "{b}/x" { policy = "read" }\' } }',
    ['1:27: scopes."{a}:x".acl: uses a capture that the scope does not have; it has {a}'],
  ],
  [
    'ACL rules with a capture where nothing is captured',
    '{ a: { acl: \'key "{b}/x" { policy = "read" }\' } }',
    ['1:21: scopes.a.acl: uses a capture that the scope does not have; put {name} into the scope'],
  ],
  [
    'a method beside ACL rules',
    '{ a: { acl: \'operator = "read"\', methods: [GET] } }',
    ['1:42: scopes.a.methods: applies only together with "to"; remove it or name a destination'],
  ],
  [
    'an unquoted capture',
    '{ a: { to: {service} } }',
    ['1:20: scopes.a.to: must be text; put text that begins with { or [ in quotes'],
  ],
  [
    'a capture that is not captured',
    '{ "{a}:x": { to: "{b}" } }',
    ['1:26: scopes."{a}:x".to: uses a capture that the scope does not have; it has {a}'],
  ],
  [
    'a capture where none is',
    '{ x: { to: "{b}" } }',
    ['1:20: scopes.x.to: uses a capture that the scope does not have; put {name} into the scope'],
  ],
  [
    'a brace in a destination',
    '{ x: { to: "a{" } }',
    [
      '1:20: scopes.x.to: has a brace that is not part of a capture; write {name} with a lower-case letter first, then letters and digits',
    ],
  ],
  [
    'a brace in a scope',
    '{ "a{b": { to: a } }',
    [
      '1:11: scopes."a{b": has a brace that is not part of a capture; write {name} with a lower-case letter first, then letters and digits',
    ],
  ],
  [
    'neighbouring wildcards',
    '{ "{a}*": { to: a } }',
    ['1:11: scopes."{a}*": has two wildcards side by side; put literal text between them'],
  ],
  [
    'too many wildcards',
    '{ "*a*b*c*d*": { to: a } }',
    ['1:11: scopes."*a*b*c*d*": has more than 4 wildcards; use fewer'],
  ],
  ['an empty scope', '{ "": { to: a } }', ['1:11: scopes."": must not be empty']],
  [
    'a lower-case method',
    '{ a: { to: a, methods: [get] } }',
    [
      '1:33: scopes.a.methods[0]: must be one of GET, HEAD, POST, PUT, PATCH, DELETE, CONNECT, OPTIONS, TRACE; did you mean "GET"?',
    ],
  ],
  [
    'no method',
    '{ a: { to: a, methods: [] } }',
    ['1:32: scopes.a.methods: must name a method; leave the key out for every method'],
  ],
  [
    'a relative path',
    '{ a: { to: a, path: v1 } }',
    ['1:29: scopes.a.path: must begin with /; write the path as in /v1/orders'],
  ],
  [
    'a capture in a path',
    '{ a: { to: a, pathExact: "/{b}" } }',
    [
      '1:34: scopes.a.pathExact: must be a literal path; leave out spaces, braces, queries and fragments (captures work in "to")',
    ],
  ],
  [
    'two forms of path',
    '{ a: { to: a, path: /, pathPrefix: / } }',
    [
      '1:32: scopes.a.pathPrefix: is a second form of path; keep one of path, pathExact, pathPrefix, pathRegex, or write two rules as a list',
    ],
  ],
  ['a dot segment in a path', '{ a: { to: a, path: /a/../b } }', [`1:29: scopes.a.path: ${NOT_PLAIN}`]],
  [
    'an encoded slash in a prefix',
    '{ a: { to: a, pathPrefix: /a%2fb } }',
    [`1:35: scopes.a.pathPrefix: ${NOT_PLAIN}`],
  ],
  ['a path that is not plain with rawPath', '{ a: { to: a, path: /a/../b, rawPath: on } }', []],
  [
    'rawPath with an exact path',
    '{ a: { to: a, pathExact: /a, rawPath: on } }',
    ['1:38: scopes.a.rawPath: applies only together with "path" or "pathPrefix"; remove it'],
  ],
  [
    'lookaround',
    '{ a: { to: a, pathRegex: "/(?!x)" } }',
    [
      '1:34: scopes.a.pathRegex: uses lookaround, which RE2 does not have; write it without (?= (?! (?<= (?<!',
    ],
  ],
  ['an optional user', '{ a: { to: a, user: yes } }', ['1:29: scopes.a.user: must be "required"']],
  [
    'no actor',
    '{ a: { to: a, actors: [] } }',
    ['1:31: scopes.a.actors: must name an actor kind; leave the key out for all of them'],
  ],
  [
    'a header without a condition',
    '{ a: { to: a, headers: [{ name: x }] } }',
    [
      '1:33: scopes.a.headers[0]: needs exactly one condition; write one of present, exact, prefix, suffix, regex',
    ],
  ],
  [
    'a header with two conditions',
    '{ a: { to: a, headers: [{ name: x, exact: a, prefix: b }] } }',
    [
      '1:33: scopes.a.headers[0]: needs exactly one condition; write one of present, exact, prefix, suffix, regex',
    ],
  ],
  [
    'an invalid header',
    '{ a: { to: a, headers: [{ name: "x y", present: on }] } }',
    ['1:41: scopes.a.headers[0].name: must be the name of an HTTP header; write for example x-tenant'],
  ],
  [
    'a provider that is not configured',
    '{ a: { to: a, provider: other } }',
    ['1:33: scopes.a.provider: no provider has this name; write the name of one under "providers"'],
  ],
];

describe('A fault of a rule is reported with its line, its column and what to write instead:', () => {
  it.each(RULES)('%s', async (_, scopes, faults) => {
    expect(await faultsOf(fileWith(`scopes: ${scopes}`, 'scopes'))).toEqual(faults);
  });
});
