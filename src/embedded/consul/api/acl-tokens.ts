import { randomUUID } from 'node:crypto';
import { currentLinks, grantFields, grantsIn, isUuid, requireUuid, roleLinkField } from '../acl/acl-links.js';
import { anonymousAccessorId, isExpired, secretOf } from '../acl/acl-resolver.js';
import { contentHash } from '../acl/content-hash.js';
import { expirationOf } from '../acl/token-expiration.js';
import { textIn, withoutEmpty } from '../body.js';
import type { Call, Route } from '../call.js';
import { type ConsulReply, quoted, serverFailure, textReply } from '../exchange.js';
import type { ServerContext } from '../server-context.js';
import { bool, type Decoded, int, string, time } from '../shape.js';
import type { AclTokenRow } from '../state/rows.js';
import { type AclKind, aclRoutes } from './acl-resource.js';

const table = 'acl-tokens';

const tokens: AclKind<typeof table> = {
  table,
  one: 'token',
  many: 'tokens',
  shape: [
    ...string('AccessorID SecretID Description'),
    ...grantFields,
    ...roleLinkField,
    ...bool('Local'),
    ...time('ExpirationTime CreateTime'),
    ...string('AuthMethod ExpirationTTL Hash Rules Type'),
    ...int('CreateIndex ModifyIndex'),
  ],
  undecodable: 'Token decoding failed',
  id: ['AccessorID', 'Token Accessor ID'],
  missingId: 'Missing token ID',
  notFound: [403, 'ACL not found'],
  key: (row) => row.AccessorID,
  find(call, id) {
    requireUuid(id, 'token');
    const row = call.store.get(table, id);
    return row === undefined || isExpired(row, call.context.clock.now()) ? undefined : row;
  },
  list(call, rows, authorizer) {
    const [role, method] = [call.parameter('role'), call.parameter('authmethod').toLowerCase()];
    if (role !== '' && method !== '')
      throw serverFailure('can only filter by one of policy, role, serviceName, or methodName at a time');
    const matches = (row: AclTokenRow) =>
      (role === '' || (row.Roles ?? []).some((link) => link.ID === role)) &&
      (method === '' || row.AuthMethod?.toLowerCase() === method) &&
      !isExpired(row, call.context.clock.now());
    const showsSecret = authorizer.isAllowed('acl', 'write');
    return rows.filter(matches).map((row) => tokenView(call.context, row, showsSecret));
  },
  view(call, row, authorizer) {
    const view = tokenView(call.context, row, authorizer.isAllowed('acl', 'write'));
    return call.request.query.has('expanded') ? { ...expansionOf(call.context, row), ...view } : view;
  },
  draft(call, body, id) {
    const aclToken = id === '' ? newToken(call, body) : changedToken(call, body, id);
    const grants = grantsIn(call.store, body, 'token');
    if (textIn(body, 'Rules') !== '') throw serverFailure('Rules cannot be specified for this token');
    if (textIn(body, 'Type') !== '') throw serverFailure('Type cannot be specified for this token');
    const { AccessorID, SecretID, Local, AuthMethod, ExpirationTime, CreateTime } = aclToken;
    const description = textIn(body, 'Description');
    const row = {
      AccessorID,
      SecretID,
      Description: description,
      ...withoutEmpty({ ...grants, AuthMethod, ExpirationTime }),
      Local,
      CreateTime,
      Hash: contentHash(description, grants, Local),
    };
    return { key: AccessorID, row: (indexes) => ({ ...row, ...indexes }) };
  },
  requireDeletable(id, authorizer) {
    if (!isUuid(id)) throw serverFailure('Accessor ID is missing or an invalid UUID');
    if (id === anonymousAccessorId)
      throw serverFailure('Delete operation not permitted on the anonymous token');
    if (authorizer.accessorId === id)
      throw serverFailure("Deletion of the request's authorization token is not permitted");
  },
};

export const aclTokenRoutes: readonly Route[] = [
  { path: '/v1/acl/token/self', methods: { GET: readOwnToken } },
  ...aclRoutes(tokens),
];

/** A token as answers show it: links carry present names, and the secret is for those who may write ACLs. */
export function tokenView({ store }: ServerContext, row: AclTokenRow, showsSecret: boolean): AclTokenRow {
  const { Policies: policies, Roles: roles, ...rest } = row;
  return {
    ...rest,
    SecretID: showsSecret ? row.SecretID : '<hidden>',
    ...withoutEmpty({
      Policies: currentLinks(store, 'acl-policies', policies),
      Roles: currentLinks(store, 'acl-roles', roles),
    }),
  };
}

/** A token's policies and roles in full, for `?expanded`. */
function expansionOf({ store }: ServerContext, row: AclTokenRow): Record<string, unknown> {
  const roles = (row.Roles ?? []).flatMap((link) => store.get('acl-roles', link.ID) ?? []);
  const links = [row, ...roles].flatMap((each) => currentLinks(store, 'acl-policies', each.Policies));
  const ids = [...new Set(links.map((link) => link.ID))];
  const policies = ids.flatMap((id) => store.get('acl-policies', id) ?? []);
  return {
    ExpandedPolicies: policies.length === 0 ? null : policies,
    ExpandedRoles: roles.length === 0 ? null : roles,
  };
}

/** Any secret may read its own token; an unknown secret, or none, is not found. */
async function readOwnToken(call: Call): Promise<ConsulReply> {
  const secret = secretOf(call.request);
  const { value, headers } = await call.read((watch) => {
    watch.table(table);
    watch.table('acl-policies');
    watch.table('acl-roles');
    const row = secret === '' ? undefined : call.store.list(table).find((each) => each.SecretID === secret);
    const live = row === undefined || isExpired(row, call.context.clock.now()) ? undefined : row;
    return { index: call.store.indexOf(table), value: live, absent: live === undefined };
  });
  if (value === undefined) return textReply(403, 'ACL not found', headers);
  return call.json(tokenView(call.context, value, true), headers);
}

type TokenIdentity = Pick<AclTokenRow, 'AccessorID' | 'SecretID' | 'Local' | 'CreateTime'> &
  Partial<Pick<AclTokenRow, 'AuthMethod' | 'ExpirationTime'>>;

function newToken(call: Call, body: Decoded): TokenIdentity {
  const [accessorId, secret] = [textIn(body, 'AccessorID'), textIn(body, 'SecretID')];
  requireFreeId(call, 'AccessorID', accessorId);
  requireFreeId(call, 'SecretID', secret);
  if (textIn(body, 'AuthMethod') !== '')
    throw serverFailure('AuthMethod field is disallowed outside of login');
  const created = call.context.clock.now();
  const expires = expirationOf(created, textIn(body, 'ExpirationTTL'), textIn(body, 'ExpirationTime'));
  return {
    AccessorID: accessorId || randomUUID(),
    SecretID: secret || randomUUID(),
    Local: body.Local === true,
    CreateTime: new Date(created).toISOString(),
    ...(expires === undefined ? {} : { ExpirationTime: expires }),
  };
}

function requireFreeId(call: Call, field: string, id: string): void {
  if (id === '') return;
  const invalid = (why: string) => serverFailure(`Invalid Token: ${field} ${why}`);
  const reserved = '00000000-0000-0000-0000-0000000000';
  if (id.startsWith(reserved)) throw invalid(`- UUIDs with the prefix "${reserved}" are reserved`);
  if (!isUuid(id)) throw invalid('- not a valid UUID');
  if (call.store.list(table).some((row) => row.AccessorID === id || row.SecretID === id))
    throw invalid('is already in use');
}

function changedToken(call: Call, body: Decoded, accessorId: string): TokenIdentity {
  if (!isUuid(accessorId)) throw serverFailure('AccessorID is not a valid UUID');
  const current = tokens.find(call, accessorId);
  if (current === undefined) throw serverFailure(`Cannot find token ${quoted(accessorId)}`);
  const secret = textIn(body, 'SecretID');
  if (secret !== '' && secret !== current.SecretID)
    throw serverFailure("Changing a token's SecretID is not permitted");
  if ((body.Local === true) !== current.Local)
    throw serverFailure(`Cannot toggle local mode of ${accessorId}`);
  const [ttl, ends] = [textIn(body, 'ExpirationTTL'), textIn(body, 'ExpirationTime')];
  if (ttl !== '' || (ends !== '' && Date.parse(ends) !== Date.parse(current.ExpirationTime ?? '')))
    throw serverFailure(`Cannot change expiration time of ${accessorId}`);
  return current;
}
