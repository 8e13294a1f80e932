import { type Exchange, type Expectation, exchange } from './exchange.js';

/** Short ways to write the many exchanges about logging in, and what Consul adds to what it is given. */

type Body = Readonly<Record<string, unknown>>;
type Rest = NonNullable<Parameters<typeof exchange>[3]>;

export const METHOD = 'PUT /v1/acl/auth-method';
export const RULE = 'PUT /v1/acl/binding-rule';
export const LOGIN = 'POST /v1/acl/login';
export const byKeys = { JWTValidationPubKeys: ['{{publicKey}}'] };

/** The method `one`, five minutes, with static keys. */
export function method(change: Body = {}, config: Body = {}): Body {
  const Config = { ...byKeys, BoundIssuer: '{{idp}}', ...config };
  return defined({ Name: 'one', Type: 'jwt', MaxTokenTTL: '5m', Description: 'first', Config, ...change });
}

/** The method `one` with everything that the logins need. */
export function fullMethod(change: Body = {}): Body {
  return method(change, {
    BoundAudiences: ['consul'],
    JWTSupportedAlgs: ['RS256'],
    ClaimMappings: { azp: 'client', sub: 'subject', '/act/sub': 'actor', n: 'number' },
    ListClaimMappings: { groups: 'groups', '/a/0': 'first' },
  });
}

/** A method as it is told: durations in full, and its indexes. */
export function toldMethod(body: Body, created: number, modified = created, change: Body = {}): Body {
  const text = JSON.stringify(body)
    .replaceAll('{{idp}}', '<idp>')
    .replaceAll('{{publicKey}}', '<public key>')
    .replace('"MaxTokenTTL":"5m"', '"MaxTokenTTL":"5m0s"');
  return defined({ ...Object(JSON.parse(text)), ...indexes(created, modified), ...change });
}

/** The same in a list, which leaves Config out. */
export function listedMethod(body: Body, created: number, modified = created, change: Body = {}): Body {
  return toldMethod(body, created, modified, { Config: undefined, ...change });
}

export function toldRule(body: Body, id: number, created: number, modified = created): Body {
  return { ID: `<uuid ${id}>`, Description: '', Selector: '', ...body, ...indexes(created, modified) };
}

/** Of a login: its accessor is the uuid `id`, its secret the next. */
export function toldToken(id: number, index: number, grants: Body = {}): Body {
  return defined({
    AccessorID: `<uuid ${id}>`,
    SecretID: `<uuid ${id + 1}>`,
    Description: 'token created via login',
    Local: true,
    AuthMethod: 'one',
    ExpirationTime: '<time>',
    CreateTime: '<time>',
    Hash: '<hash>',
    ...indexes(index, index),
    ...grants,
  });
}

export function ok(body: unknown, rest: Partial<Expectation> = {}): Expectation {
  return { status: 200, body, ...rest };
}

/** 500 with a text. */
export function refused(name: string, line: string, text: string, rest: Rest = {}): Exchange {
  return exchange(name, line, { status: 500, body: text }, rest);
}

/** 400 with a text. */
export function malformed(name: string, line: string, text: string, rest: Rest = {}): Exchange {
  return exchange(name, line, { status: 400, body: text }, rest);
}

/** 403 with a text. */
export function denied(name: string, line: string, text: string, rest: Rest = {}): Exchange {
  return exchange(name, line, { status: 403, body: text }, rest);
}

function indexes(created: number, modified: number): Body {
  return { CreateIndex: `<index ${created}>`, ModifyIndex: `<index ${modified}>` };
}

function defined(body: Body): Body {
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));
}
