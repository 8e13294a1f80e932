import { aclLoginsBeginning } from './acl-logins-beginning.js';
import {
  denied,
  fullMethod,
  LOGIN,
  METHOD,
  ok,
  RULE,
  refused,
  toldMethod,
  toldRule,
  toldToken,
} from './acl-parts.js';
import { exchange, forgedJwt, jwt, type Scenario } from './exchange.js';

export const aclLogins: Scenario = {
  name: 'logins',
  exchanges: [
    ...aclLoginsBeginning,
    exchange(
      'a second rule, of a role that is not there',
      RULE,
      ok(
        toldRule(
          { AuthMethod: 'one', Selector: 'value.client == shop', BindType: 'role', BindName: 'not-there' },
          19,
          14,
        ),
      ),
      {
        body: {
          AuthMethod: 'one',
          BindType: 'role',
          BindName: 'not-there',
          Selector: 'value.client == shop',
        },
        save: { skipped: 'ID' },
      },
    ),
    exchange('which is skipped', LOGIN, ok(toldToken(20, 15, { Roles: [{ ID: '<uuid 2>', Name: 'b' }] })), {
      as: 'nobody',
      body: { AuthMethod: 'one', BearerToken: jwt({ azp: 'shop' }) },
    }),
    exchange(
      'a rule of a role that is not there alone',
      RULE,
      ok(
        toldRule(
          { AuthMethod: 'one', Selector: 'value.client == lonely', BindType: 'role', BindName: 'not-there' },
          22,
          16,
        ),
      ),
      {
        body: {
          AuthMethod: 'one',
          BindType: 'role',
          BindName: 'not-there',
          Selector: 'value.client == lonely',
        },
      },
    ),
    denied('admits nobody', LOGIN, 'Permission denied', {
      as: 'nobody',
      body: { AuthMethod: 'one', BearerToken: jwt({ azp: 'lonely' }) },
    }),
    exchange(
      'a template of a role',
      RULE,
      ok(
        toldRule(
          {
            AuthMethod: 'one',
            Selector: 'value.subject == t',
            BindType: 'role',
            BindName: `for-\${value.client}`,
          },
          23,
          17,
        ),
      ),
      {
        body: {
          AuthMethod: 'one',
          BindType: 'role',
          BindName: `for-\${value.client}`,
          Selector: 'value.subject == t',
        },
      },
    ),
    exchange(
      'a templated role, lower-cased',
      LOGIN,
      ok(toldToken(24, 18, { Roles: [{ ID: '<uuid 3>', Name: 'for-shop' }] })),
      { as: 'nobody', body: { AuthMethod: 'one', BearerToken: jwt({ azp: 'SHOP', sub: 't' }) } },
    ),
    refused(
      'a templated name that is none',
      LOGIN,
      'computed "role" bind name for bind target is invalid: "for-a|1"',
      { as: 'nobody', body: { AuthMethod: 'one', BearerToken: jwt({ azp: 'a|1', sub: 't' }) } },
    ),
    denied('a template of an absent claim', LOGIN, 'Permission denied', {
      as: 'nobody',
      body: { AuthMethod: 'one', BearerToken: jwt({ sub: 't' }) },
    }),
    exchange(
      'a service',
      RULE,
      ok(
        toldRule(
          {
            AuthMethod: 'one',
            Selector: 'value.subject == s',
            BindType: 'service',
            BindName: `svc-\${value.client}`,
          },
          26,
          19,
        ),
      ),
      {
        body: {
          AuthMethod: 'one',
          BindType: 'service',
          BindName: `svc-\${value.client}`,
          Selector: 'value.subject == s',
        },
      },
    ),
    exchange(
      'a service identity',
      LOGIN,
      ok(toldToken(27, 20, { ServiceIdentities: [{ ServiceName: 'svc-x' }] })),
      { as: 'nobody', body: { AuthMethod: 'one', BearerToken: jwt({ azp: 'X', sub: 's' }) } },
    ),
    exchange(
      'a node',
      RULE,
      ok(
        toldRule(
          {
            AuthMethod: 'one',
            Selector: 'value.subject == n',
            BindType: 'node',
            BindName: `node-\${value.client}`,
          },
          29,
          21,
        ),
      ),
      {
        body: {
          AuthMethod: 'one',
          BindType: 'node',
          BindName: `node-\${value.client}`,
          Selector: 'value.subject == n',
        },
      },
    ),
    exchange(
      'a node identity',
      LOGIN,
      ok(toldToken(30, 22, { NodeIdentities: [{ NodeName: 'node-x', Datacenter: 'dc1' }] })),
      { as: 'nobody', body: { AuthMethod: 'one', BearerToken: jwt({ azp: 'X', sub: 'n' }) } },
    ),
    exchange(
      'the same role by two rules',
      RULE,
      ok(
        toldRule(
          { AuthMethod: 'one', Selector: 'value.client == shop', BindType: 'role', BindName: 'B' },
          32,
          23,
        ),
      ),
      { body: { AuthMethod: 'one', BindType: 'role', BindName: 'B', Selector: 'value.client == shop' } },
    ),
    exchange('is linked once', LOGIN, ok(toldToken(33, 24, { Roles: [{ ID: '<uuid 2>', Name: 'b' }] })), {
      as: 'nobody',
      body: { AuthMethod: 'one', BearerToken: jwt({ azp: 'shop' }) },
      save: { second: 'SecretID', secondAccessor: 'AccessorID' },
    }),
    denied(
      'logging out with a static token',
      'POST /v1/acl/logout',
      "Permission denied: token wasn't created via login",
    ),
    denied('logging out as nobody', 'POST /v1/acl/logout', 'ACL not found', { as: 'nobody' }),
    denied('logging out as a stranger', 'POST /v1/acl/logout', 'ACL not found', { as: 'stranger' }),
    exchange('logging out', 'POST /v1/acl/logout', ok(true), { as: 'secret' }),
    denied('logged out', 'GET /v1/acl/token/self', 'ACL not found', { as: 'secret' }),
    denied('logging out again', 'POST /v1/acl/logout', 'ACL not found', { as: 'secret' }),
    exchange(
      'a wrong method of logging out',
      'PUT /v1/acl/logout',
      { status: 405, body: 'method PUT not allowed', allow: 'OPTIONS,POST' },
      { as: 'second' },
    ),
    exchange(
      'a login token is changed',
      'PUT /v1/acl/token/{{secondAccessor}}',
      ok(toldToken(33, 24, { Description: 'changed', ModifyIndex: '<index 25>' })),
      { body: { Description: 'changed', Local: true } },
    ),
    exchange(
      'another method',
      METHOD,
      ok(toldMethod(fullMethod({ Name: 'two', MaxTokenTTL: undefined, TokenLocality: 'global' }), 26)),
      { body: fullMethod({ Name: 'two', MaxTokenTTL: undefined, TokenLocality: 'global' }) },
    ),
    exchange(
      'with a rule',
      RULE,
      ok(toldRule({ AuthMethod: 'two', BindType: 'role', BindName: 'b' }, 35, 27)),
      { body: { AuthMethod: 'two', BindType: 'role', BindName: 'b', Selector: '' } },
    ),
    exchange(
      'gives global tokens without an end',
      LOGIN,
      ok(
        toldToken(36, 28, {
          Local: false,
          AuthMethod: 'two',
          ExpirationTime: undefined,
          Roles: [{ ID: '<uuid 2>', Name: 'b' }],
        }),
      ),
      { as: 'nobody', body: { AuthMethod: 'two', BearerToken: jwt({}) }, save: { endless: 'SecretID' } },
    ),
    exchange(
      'a method with keys by URL',
      METHOD,
      ok(
        toldMethod(
          {
            Name: 'three',
            Type: 'jwt',
            MaxTokenTTL: '60s',
            Config: { JWKSURL: '{{idp}}/jwks', BoundIssuer: '{{idp}}' },
          },
          29,
          29,
          { MaxTokenTTL: '1m0s' },
        ),
      ),
      {
        body: {
          Name: 'three',
          Type: 'jwt',
          MaxTokenTTL: '60s',
          Config: { JWKSURL: '{{idp}}/jwks', BoundIssuer: '{{idp}}' },
        },
      },
    ),
    exchange(
      'its rule',
      RULE,
      ok(toldRule({ AuthMethod: 'three', BindType: 'role', BindName: 'b' }, 38, 30)),
      { body: { AuthMethod: 'three', BindType: 'role', BindName: 'b', Selector: '' } },
    ),
    refused(
      'a login by it while no audience is bound',
      LOGIN,
      'error validating claims: audience claim found in JWT but no audiences are bound',
      { as: 'nobody', body: { AuthMethod: 'three', BearerToken: jwt({}) } },
    ),
    exchange(
      'which Consul would rather have',
      METHOD,
      ok(
        toldMethod(
          {
            Name: 'three',
            Type: 'jwt',
            MaxTokenTTL: '60s',
            Config: { JWKSURL: '{{idp}}/jwks', BoundIssuer: '{{idp}}', BoundAudiences: ['consul'] },
          },
          29,
          31,
          { MaxTokenTTL: '1m0s' },
        ),
      ),
      {
        body: {
          Name: 'three',
          Type: 'jwt',
          MaxTokenTTL: '60s',
          Config: { JWKSURL: '{{idp}}/jwks', BoundIssuer: '{{idp}}', BoundAudiences: ['consul'] },
        },
      },
    ),
    exchange(
      'a login by it',
      LOGIN,
      ok(toldToken(39, 32, { AuthMethod: 'three', Roles: [{ ID: '<uuid 2>', Name: 'b' }] })),
      { as: 'nobody', body: { AuthMethod: 'three', BearerToken: jwt({}) } },
    ),
    refused('a forged one by it', LOGIN, 'error verifying token: failed to verify id token signature', {
      as: 'nobody',
      body: { AuthMethod: 'three', BearerToken: forgedJwt({}) },
    }),
    exchange(
      'a method with keys by discovery',
      METHOD,
      ok(
        toldMethod(
          { Name: 'four', Type: 'jwt', Config: { OIDCDiscoveryURL: '{{idp}}', BoundAudiences: ['consul'] } },
          33,
        ),
      ),
      {
        body: {
          Name: 'four',
          Type: 'jwt',
          Config: { OIDCDiscoveryURL: '{{idp}}', BoundAudiences: ['consul'] },
        },
      },
    ),
    exchange(
      'the rule of that one',
      RULE,
      ok(toldRule({ AuthMethod: 'four', BindType: 'role', BindName: 'b' }, 41, 34)),
      { body: { AuthMethod: 'four', BindType: 'role', BindName: 'b', Selector: '' } },
    ),
    exchange(
      'a login by that one',
      LOGIN,
      ok(
        toldToken(42, 35, {
          AuthMethod: 'four',
          ExpirationTime: undefined,
          Roles: [{ ID: '<uuid 2>', Name: 'b' }],
        }),
      ),
      { as: 'nobody', body: { AuthMethod: 'four', BearerToken: jwt({}) } },
    ),
    refused(
      'a forged one by that one',
      LOGIN,
      'error validating signature: failed to verify signature: failed to verify id token signature',
      { as: 'nobody', body: { AuthMethod: 'four', BearerToken: forgedJwt({}) } },
    ),
    refused(
      'one of another issuer by that one',
      LOGIN,
      'error validating signature: oidc: id token issued by a different provider, expected "<idp>" got "other"',
      { as: 'nobody', body: { AuthMethod: 'four', BearerToken: jwt({ iss: 'other' }) } },
    ),
    refused(
      'an expired one by that one',
      LOGIN,
      'error validating signature: oidc: token is expired (Token Expiry: 1970-01-01 00:33:20 +0000 UTC)',
      { as: 'nobody', body: { AuthMethod: 'four', BearerToken: jwt({ iat: 1000, exp: 2000 }) } },
    ),
    refused(
      'one for another audience by that one',
      LOGIN,
      'error validating claims: aud claim does not match any bound audience',
      { as: 'nobody', body: { AuthMethod: 'four', BearerToken: jwt({ aud: 'other' }) } },
    ),
    refused(
      'one that is no JWT by that one',
      LOGIN,
      'error validating signature: oidc: malformed jwt: square/go-jose: compact JWS format must have three parts',
      { as: 'nobody', body: { AuthMethod: 'four', BearerToken: 'x' } },
    ),
    exchange('the role goes', 'DELETE /v1/acl/role/{{role}}', ok(true)),
    exchange(
      'and the tokens lose it',
      'GET /v1/acl/token/self',
      ok(toldToken(33, 24, { Description: 'changed', ModifyIndex: '<index 25>' }), { index: '<index 35>' }),
      { as: 'second' },
    ),
    exchange('the method goes', 'DELETE /v1/acl/auth-method/one', ok(true)),
    denied('and its tokens with it', 'GET /v1/acl/token/self', 'ACL not found', { as: 'second' }),
    exchange(
      'and no others',
      'GET /v1/acl/token/self',
      ok(toldToken(36, 28, { Local: false, AuthMethod: 'two', ExpirationTime: undefined }), {
        index: '<index 36>',
      }),
      { as: 'endless' },
    ),
    denied('logging in to it', LOGIN, 'ACL not found: auth method "one" not found', {
      as: 'nobody',
      body: { AuthMethod: 'one', BearerToken: jwt({ azp: 'shop' }) },
    }),
  ],
};
