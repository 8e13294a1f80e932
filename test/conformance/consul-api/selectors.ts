import type { Exchange, Scenario } from './exchange.js';
import { readFixture } from './fixtures.js';

interface Selectors {
  readonly accepted: readonly string[];
  readonly refused: readonly string[];
  /** `outcome` is `admitted`, `denied` or the text of the refusal. */
  readonly logins: readonly {
    readonly selector: string;
    readonly claims: Readonly<Record<string, unknown>>;
    readonly outcome: string;
  }[];
}

const { accepted, refused, logins } = readFixture('selectors') as Selectors;

const methodBody = {
  Name: 'one',
  Type: 'jwt',
  MaxTokenTTL: '5m',
  Config: {
    JWTValidationPubKeys: ['{{publicKey}}'],
    BoundIssuer: '{{idp}}',
    BoundAudiences: ['consul'],
    ClaimMappings: { azp: 'client', sub: 'subject', '/act/sub': 'actor', n: 'number' },
    ListClaimMappings: { groups: 'groups', '/a/0': 'first' },
  },
};

/** The auth method `one`; its index is the `index`th of the scenario. */
function methodExchange(index: number): Exchange {
  const answered = JSON.stringify({ ...methodBody, MaxTokenTTL: '5m0s', ...indexes(index) })
    .replace('{{idp}}', '<idp>')
    .replace('{{publicKey}}', '<public key>');
  const path = '/v1/acl/auth-method';
  return {
    name: 'a method',
    ...put(path, methodBody),
    expected: { status: 200, body: JSON.parse(answered) },
  };
}

/** Which texts Consul accepts as selectors. */
export const selectorsWritten: Scenario = {
  name: 'selectors as they are written',
  exchanges: [
    methodExchange(1),
    ...accepted.map((selector, at) =>
      ruleExchange(`accepted: ${JSON.stringify(selector)}`, selector, at + 1),
    ),
    ...refused.map((selector) => ({
      name: `refused: ${JSON.stringify(selector)}`,
      ...put('/v1/acl/binding-rule', ruleBody(selector)),
      expected: { status: 500, body: 'invalid Binding Rule: Selector is invalid: <why>' },
    })),
  ],
};

/** Which logins a selector admits. */
export const selectorsMet: Scenario = {
  name: 'selectors as they are met',
  exchanges: [
    {
      name: 'a role',
      ...put('/v1/acl/role', { Name: 'b' }),
      expected: {
        status: 200,
        body: { ID: '<uuid 1>', Name: 'b', Description: '', Hash: '<hash>', ...indexes(1) },
      },
    },
    methodExchange(2),
    { ...ruleExchange('a rule', '', 2, 3), save: { id: 'ID' } },
    ...loginExchanges(),
  ],
};

function loginExchanges(): readonly Exchange[] {
  let index = 3;
  let uuid = 3;
  return logins.flatMap(({ selector, claims, outcome }) => {
    index += 1;
    const written = {
      ...ruleExchange(JSON.stringify(selector), selector, 2, 3, index),
      path: '/v1/acl/binding-rule/{{id}}',
    };
    const login = {
      name: `${JSON.stringify(selector)} and ${JSON.stringify(claims)}: ${outcome}`,
      method: 'POST',
      path: '/v1/acl/login',
      as: 'nobody',
      body: { AuthMethod: 'one', BearerToken: { $jwt: claims } },
    };
    if (outcome === 'denied')
      return [written, { ...login, expected: { status: 403, body: 'Permission denied' } }];
    if (outcome !== 'admitted') return [written, { ...login, expected: { status: 500, body: outcome } }];
    index += 1;
    uuid += 2;
    const body = {
      AccessorID: `<uuid ${uuid - 2}>`,
      SecretID: `<uuid ${uuid - 1}>`,
      Description: 'token created via login',
      Roles: [{ ID: '<uuid 1>', Name: 'b' }],
      Local: true,
      AuthMethod: 'one',
      ExpirationTime: '<time>',
      CreateTime: '<time>',
      Hash: '<hash>',
      ...indexes(index),
    };
    return [written, { ...login, expected: { status: 200, body } }];
  });
}

/** A rule of the method; its ID is the `uuid`th of the scenario. */
function ruleExchange(
  name: string,
  selector: string,
  uuid: number,
  created = uuid + 1,
  modified = created,
): Exchange {
  const answered = {
    ID: `<uuid ${uuid}>`,
    Description: '',
    ...ruleBody(selector),
    ...indexes(created, modified),
  };
  return {
    name,
    ...put('/v1/acl/binding-rule', ruleBody(selector)),
    expected: { status: 200, body: answered },
  };
}

function ruleBody(Selector: string) {
  return { AuthMethod: 'one', BindType: 'role', BindName: 'b', Selector };
}

function put(path: string, body: unknown) {
  return { method: 'PUT', path, body };
}

function indexes(created: number, modified = created) {
  return { CreateIndex: `<index ${created}>`, ModifyIndex: `<index ${modified}>` };
}
