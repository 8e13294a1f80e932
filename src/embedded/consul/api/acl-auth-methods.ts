import { formatGoDuration, goDurationError, parseGoDuration } from '../../../model/go-duration.js';
import { isRecord } from '../../../model/is-record.js';
import { sameName } from '../acl/acl-links.js';
import { requireMethodTtl } from '../acl/token-expiration.js';
import { fieldOf, numberIn, objectIn, requireMapField, textIn, withoutEmpty } from '../body.js';
import { badRequest, ConsulFailure, serverFailure } from '../exchange.js';
import type { ServerContext } from '../server-context.js';
import { anyMap, duration, int, string } from '../shape.js';
import type { AclAuthMethodRow } from '../state/rows.js';
import { type AclKind, aclRoutes } from './acl-resource.js';

const table = 'acl-auth-methods';
const undecodable = 'AuthMethod decoding failed';

const authMethods: AclKind<typeof table> = {
  table,
  one: 'auth-method',
  many: 'auth-methods',
  shape: [
    ...string('Name Type DisplayName Description TokenLocality'),
    ...duration('MaxTokenTTL'),
    ...anyMap('Config'),
    ...int('CreateIndex ModifyIndex'),
  ],
  undecodable,
  id: ['Name', 'AuthMethod Name'],
  missingId: 'Missing auth method name',
  notFound: [404, ''],
  key: (row) => row.Name.toLowerCase(),
  find: (call, name) => methodNamed(call.context, name),
  list: (_call, rows) => rows.map(({ Config: _, ...listed }) => listed),
  view: (_call, row) => row,
  vetBody(raw) {
    requireMapField(raw, 'Config', '.Alias.Config', 'map[string]interface {}', undecodable);
    const ttl = isRecord(raw) ? fieldOf(raw, 'MaxTokenTTL') : undefined;
    if (typeof ttl === 'string' && ttl !== '' && parseGoDuration(ttl) === undefined)
      throw badRequest(`${undecodable}: ${goDurationError(ttl)}`);
  },
  /** Overwrites a method of the same name in any case. Fetches its keys first, however long that takes. */
  async draft(call, body, addressed) {
    const name = textIn(body, 'Name') || addressed;
    if (name === '') throw invalid('no Name is set');
    if (!/^[A-Za-z0-9\-_]{1,128}$/.test(name))
      throw invalid("invalid Name. Only alphanumeric characters, '-' and '_' are allowed");
    const current = methodNamed(call.context, name);
    const type = textIn(body, 'Type') || (current?.Type ?? '');
    if (current !== undefined && type !== current.Type)
      throw serverFailure('the Type field of an Auth Method is immutable');
    if (type === 'kubernetes' || type === 'aws-iam')
      throw new ConsulFailure(501, `auth methods of type ${type} are not served by the embedded Consul`);
    if (type !== 'jwt') throw invalid('Type should be one of: [aws-iam jwt kubernetes]');
    const ttlNs = numberIn(body, 'MaxTokenTTL');
    requireMethodTtl(ttlNs);
    const locality = textIn(body, 'TokenLocality');
    if (!['', 'local', 'global'].includes(locality))
      throw invalid("TokenLocality should be one of 'local' or 'global'");
    const config = objectIn(body, 'Config') ?? {};
    await call.context.keys.check(config);
    const row = {
      Name: name,
      Type: type,
      ...withoutEmpty({
        DisplayName: textIn(body, 'DisplayName'),
        Description: textIn(body, 'Description'),
        MaxTokenTTL: ttlNs === 0 ? '' : formatGoDuration(ttlNs),
        TokenLocality: locality,
      }),
      Config: config,
    };
    return { key: name.toLowerCase(), row: (indexes) => ({ ...row, ...indexes }) };
  },
  /** Deletes its rules and its tokens. */
  cascade(transaction, name) {
    const rules = transaction.list('acl-binding-rules').filter((rule) => sameName(rule.AuthMethod, name));
    for (const rule of rules) transaction.remove('acl-binding-rules', rule.ID);
    const tokens = transaction
      .list('acl-tokens')
      .filter((aclToken) => sameName(aclToken.AuthMethod ?? '', name));
    for (const aclToken of tokens) transaction.remove('acl-tokens', aclToken.AccessorID);
  },
};

export const aclAuthMethodRoutes = aclRoutes(authMethods);

export function methodNamed({ store }: ServerContext, name: string): AclAuthMethodRow | undefined {
  return store.get(table, name.toLowerCase());
}

function invalid(why: string): ConsulFailure {
  return serverFailure(`Invalid Auth Method: ${why}`);
}
