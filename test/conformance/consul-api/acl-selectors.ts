import {
  denied,
  fullMethod,
  LOGIN,
  METHOD,
  method,
  ok,
  RULE,
  refused,
  toldMethod,
  toldRule,
  toldToken,
} from './acl-parts.js';
import { type Exchange, exchange, jwt, type Scenario } from './exchange.js';

const accepted: readonly string[] = [
  'value.client == shop',
  'value.client == "shop"',
  'value.client == `shop`',
  'value.client!=shop',
  'list.groups is empty',
  '"a" in list.groups',
  'a in list.groups',
  '"a" not in list.groups',
  'list.groups contains a',
  'list.groups not contains a',
  'value.client matches "^a$"',
  'value.client not matches "^a$"',
  '"client" in value',
  'value contains client',
  'client not in value',
  'value.client contains x',
  'not value.client == a',
  'not (value.client == a or value.subject == b) and value.client == c',
  '(value.client == a)',
  '  value.client == a  ',
  'value["client"] == a',
  'value.client == 1',
  'value.client == -1.5',
  'value.client == a.b',
  'value.client == true',
  'value.client == "\\u0041\\x41\\n"',
  'value.client == a and value.subject == b or value.client == c',
  'value is empty',
  'list is empty',
  'value.groups == a',
  'list.client is empty',
  'value.client in list.groups',
  'value.client == "\t"',
  'value.client == "é"',
  'not not value.client == a',
  'value.client == not',
  '"" in list.groups',
  '',
  'value.client == "\\U0001F600"',
  'value.client == "\\141"',
  'value.client\n==\na',
];

const rejected: readonly string[] = [
  'value.client is empty',
  'value.client is not empty',
  '"/value/client" == a',
  'NOT value.client == a',
  'value.client == a AND value.client == b',
  'list.groups == a',
  'value == a',
  'value.client matches "(?=a)"',
  'value.client matches "("',
  'value.client > 1',
  'value.client =~ "a"',
  'value.client',
  '"a" in "b"',
  'value.client == "a',
  'value.client == "\\""',
  "value.client == 'a'",
  'value.client == ',
  'and',
  'value.client == a and',
  '((value.client == a)',
  'other.x == a',
  'value.client.x == a',
  'value.client is empty is empty',
  'value.client == "\\q"',
  'all list.groups as g { g == a }',
  'value.client == a,b',
  'value.client == a-b_c',
  'value.client==a b',
  'notvalue.client == a',
  '   ',
  'value.client == "\\ud800"',
  'value.x-y == a',
  'value.client == /a/',
  'value . client == a',
];

/** Selector, the token's claims, and what becomes of the login: `admitted`, `denied` or Consul's words. */
const met: readonly (readonly [string, Readonly<Record<string, unknown>>, string])[] = [
  ['value.client == "shop"', { azp: 'shop' }, 'admitted'],
  ['value.client == shop', { azp: 'Shop' }, 'denied'],
  ['value.client == shop', {}, 'denied'],
  ['value.client != shop', {}, 'admitted'],
  ['value.client != shop', { azp: 'shop' }, 'denied'],
  ['"client" in value', {}, 'denied'],
  ['"client" in value', { azp: '' }, 'admitted'],
  ['"client" not in value', {}, 'admitted'],
  ['client in value', { azp: 'x' }, 'admitted'],
  ['value is empty', {}, 'admitted'],
  ['value is not empty', {}, 'denied'],
  ['list is empty', {}, 'admitted'],
  ['value contains client', { azp: 'a' }, 'admitted'],
  ['"a" in list.groups', { groups: ['a', 'b'] }, 'admitted'],
  ['"a" in list.groups', { groups: ['ab'] }, 'denied'],
  ['"a" in list.groups', {}, 'denied'],
  ['"a" not in list.groups', {}, 'admitted'],
  ['"a" in list.groups', { groups: 'a' }, 'admitted'],
  ['list.groups contains b', { groups: ['a', 'b'] }, 'admitted'],
  ['list.groups is empty', {}, 'admitted'],
  ['list.groups is empty', { groups: [] }, 'admitted'],
  ['list.groups is not empty', { groups: ['x'] }, 'admitted'],
  ['list.groups is not empty', {}, 'denied'],
  ['"7" in list.groups', { groups: [7, true, 'x'] }, 'admitted'],
  ['"true" in list.groups', { groups: [7, true, 'x'] }, 'admitted'],
  ['"ho" in value.client', { azp: 'shop' }, 'admitted'],
  ['"ho" not in value.client', { azp: 'shop' }, 'denied'],
  ['"ho" not in value.client', {}, 'admitted'],
  ['value.client matches "^s.*p$"', { azp: 'shop' }, 'admitted'],
  ['value.client matches "ho"', { azp: 'shop' }, 'admitted'],
  ['value.client matches "^x$"', {}, 'admitted'],
  ['value.client not matches "^x$"', {}, 'admitted'],
  ['value.client not matches "^x$"', { azp: 'x' }, 'denied'],
  ['value.client matches "(?i)SHOP"', { azp: 'shop' }, 'admitted'],
  ['value.client matches "a{2}"', { azp: 'aa' }, 'admitted'],
  ['value.client matches "\\\\d+"', { azp: '12' }, 'admitted'],
  ['"client" in value and value.client matches "(^| )x( |$)"', { azp: 'a x b' }, 'admitted'],
  ['"client" in value and value.client matches "(^| )x( |$)"', {}, 'denied'],
  ['value.client == a or value.subject == b and value.actor == c', { azp: 'a' }, 'admitted'],
  ['(value.client == a or value.subject == b) and value.actor == c', { azp: 'a' }, 'denied'],
  [
    'value.client == a or value.subject == b and value.actor == c',
    { sub: 'b', act: { sub: 'c' } },
    'admitted',
  ],
  ['not value.client == a and value.subject == b', { azp: 'x', sub: 'b' }, 'admitted'],
  ['not value.client == a and value.subject == b', { azp: 'a', sub: 'x' }, 'denied'],
  ['not (value.client == a and value.subject == b)', { azp: 'a', sub: 'x' }, 'admitted'],
  ['value.number == 7', { n: 7 }, 'admitted'],
  ['value.number == "7.5"', { n: 7.5 }, 'denied'],
  ['value.number == true', { n: true }, 'admitted'],
  ['value.number == "1e+21"', { n: 1e21 }, 'denied'],
  ['value.number == 100000000', { n: 100000000 }, 'admitted'],
  ['value.number == 7', { n: '7' }, 'admitted'],
  ['"number" in value', { n: null }, 'denied'],
  [
    '"number" in value',
    { n: ['a'] },
    "error converting claim 'n' to string from unknown type []interface {}",
  ],
  [
    '"number" in value',
    { n: { a: 1 } },
    "error converting claim 'n' to string from unknown type map[string]interface {}",
  ],
  ['value.actor == c', { act: { sub: 'c' } }, 'admitted'],
  ['"actor" in value', { act: 'c' }, 'denied'],
  ['"actor" in value', { act: {} }, 'denied'],
  ['value.client == "\\u0041\\x42\\U00000043"', { azp: 'ABC' }, 'admitted'],
  ['value.client == "\\n\\t"', { azp: '\n\t' }, 'admitted'],
  ['value.client == `a\\n`', { azp: 'a\\n' }, 'admitted'],
  ['value.client == "é"', { azp: 'é' }, 'admitted'],
  ['value["client"] == a', { azp: 'a' }, 'admitted'],
  ['value.client == -1.5', { azp: '-1.5' }, 'admitted'],
  ['value.client == a.b', { azp: 'a.b' }, 'admitted'],
  ['value.client == "true"', { azp: 'true' }, 'admitted'],
  ['', {}, 'admitted'],
  [
    'value.client == a',
    { groups: [['x']], azp: 'a' },
    'value [x] in "groups" list claim could not be parsed as string',
  ],
  [
    'value.client == a',
    { groups: [{ x: 1 }], azp: 'a' },
    'value map[x:1] in "groups" list claim could not be parsed as string',
  ],
  [
    'value.client == a',
    { groups: { a: 1 }, azp: 'a' },
    '"groups" list claim could not be converted to string list',
  ],
  ['value.client == a', { groups: null, azp: 'a' }, 'admitted'],
  ['"z" in list.first', { a: ['z'] }, 'admitted'],
  ['value.client == "\\x41\\101"', { azp: 'AA' }, 'admitted'],
];

const plainMethod = method(
  {},
  { ClaimMappings: { azp: 'client', sub: 'subject' }, ListClaimMappings: { groups: 'groups' } },
);

/** Which texts Consul takes for selectors. */
export const aclSelectors: Scenario = {
  name: 'selectors as they are written',
  exchanges: [
    exchange('a method', METHOD, ok(toldMethod(plainMethod, 1)), { body: plainMethod }),
    ...accepted.map((Selector, at) => {
      const body = { AuthMethod: 'one', BindType: 'role', BindName: 'b', Selector };
      return exchange(`accepted: ${JSON.stringify(Selector)}`, RULE, ok(toldRule(body, at + 1, at + 2)), {
        body,
      });
    }),
    ...rejected.map((Selector) =>
      refused(
        `refused: ${JSON.stringify(Selector)}`,
        RULE,
        'invalid Binding Rule: Selector is invalid: <why>',
        { body: { AuthMethod: 'one', BindType: 'role', BindName: 'b', Selector } },
      ),
    ),
  ],
};

/** Whom they admit. */
export const aclSelectorsMet: Scenario = {
  name: 'selectors as they are met',
  exchanges: [
    exchange(
      'a role',
      'PUT /v1/acl/role',
      ok({
        ID: '<uuid 1>',
        Name: 'b',
        Description: '',
        Hash: '<hash>',
        CreateIndex: '<index 1>',
        ModifyIndex: '<index 1>',
      }),
      { body: { Name: 'b' } },
    ),
    exchange('a method', METHOD, ok(toldMethod(fullMethod(), 2)), { body: fullMethod() }),
    exchange('a rule', RULE, ok(toldRule({ AuthMethod: 'one', BindType: 'role', BindName: 'b' }, 2, 3)), {
      body: { AuthMethod: 'one', BindType: 'role', BindName: 'b' },
      save: { id: 'ID' },
    }),
    ...metExchanges(),
  ],
};

function metExchanges(): readonly Exchange[] {
  let index = 3;
  let uuid = 3;
  return met.flatMap(([Selector, claims, outcome]) => {
    const rule = { BindType: 'role', BindName: 'b', Selector };
    index += 1;
    const written = exchange(
      JSON.stringify(Selector),
      'PUT /v1/acl/binding-rule/{{id}}',
      ok(toldRule({ AuthMethod: 'one', ...rule }, 2, 3, index)),
      { body: rule },
    );
    const name = `${JSON.stringify(Selector)} and ${JSON.stringify(claims)}: ${outcome}`;
    const login = { as: 'nobody', body: { AuthMethod: 'one', BearerToken: jwt(claims) } };
    if (outcome === 'denied') return [written, denied(name, LOGIN, 'Permission denied', login)];
    if (outcome !== 'admitted') return [written, refused(name, LOGIN, outcome, login)];
    index += 1;
    uuid += 2;
    const token = toldToken(uuid - 2, index, { Roles: [{ ID: '<uuid 1>', Name: 'b' }] });
    return [written, exchange(name, LOGIN, ok(token), login)];
  });
}
