import { randomUUID } from 'node:crypto';
import {
  currentLinks,
  grantFields,
  isUuid,
  nodeIdentitiesIn,
  requireUuid,
  resolveLinks,
  roleLinkField,
  serviceIdentitiesIn,
} from '../acl/acl-links.js';
import { anonymousAccessorId, secretOf } from '../acl/acl-resolver.js';
import type { Authorizer } from '../acl/authorizer.js';
import { contentHash } from '../acl/content-hash.js';
import { expirationOf } from '../acl/token-expiration.js';
import { blockingQuery, parseQueryOptions } from '../blocking-query.js';
import type { Decoded, Shape } from '../entries/shape.js';
import {
  badRequest,
  ConsulFailure,
  type ConsulReply,
  type ConsulRequest,
  jsonReply,
  serverFailure,
  textReply,
} from '../exchange.js';
import { quoted } from '../go-errors.js';
import { queryHeaders, replyWithQuery } from '../read-reply.js';
import type { Route, ServerContext } from '../server-context.js';
import type { AclTokenRow } from '../state/rows.js';
import { decodeStrictBody, objectsIn, textIn } from '../strict-body.js';
import { expandToken } from './acl-expanded.js';

const prefix = '/v1/acl/token/';

export const aclTokenRoutes: readonly Route[] = [
  { path: '/v1/acl/bootstrap', methods: { PUT: bootstrap } },
  { path: '/v1/acl/tokens', methods: { GET: listTokens } },
  { path: '/v1/acl/token', methods: { PUT: (context, request) => writeToken(context, request, undefined) } },
  { path: '/v1/acl/token/self', methods: { GET: readOwnToken } },
  { path: prefix, methods: { GET: readToken, PUT: updateToken, DELETE: deleteToken } },
];

const tokenShape: Shape = [
  { name: 'AccessorID', kind: 'string' },
  { name: 'SecretID', kind: 'string' },
  { name: 'Description', kind: 'string' },
  ...grantFields,
  ...roleLinkField,
  { name: 'Local', kind: 'bool' },
  { name: 'AuthMethod', kind: 'string' },
  { name: 'ExpirationTime', kind: 'time' },
  { name: 'ExpirationTTL', kind: 'string' },
  { name: 'CreateTime', kind: 'time' },
  { name: 'Hash', kind: 'string' },
  { name: 'CreateIndex', kind: 'int' },
  { name: 'ModifyIndex', kind: 'int' },
  { name: 'Rules', kind: 'string' },
  { name: 'Type', kind: 'string' },
];

/** A token as it is told: links carry present names, and its secret only those who may write ACLs. */
export function tokenView(context: ServerContext, row: AclTokenRow, showsSecret: boolean): AclTokenRow {
  const { Policies: policies, Roles: roles, CreateIndex, ModifyIndex, CreateTime, Hash, ...rest } = row;
  const policyLinks = currentLinks(context.store, 'acl-policies', policies);
  const roleLinks = currentLinks(context.store, 'acl-roles', roles);
  return {
    ...rest,
    SecretID: showsSecret ? row.SecretID : '<hidden>',
    ...(policyLinks.length === 0 ? {} : { Policies: policyLinks }),
    ...(roleLinks.length === 0 ? {} : { Roles: roleLinks }),
    CreateTime,
    Hash,
    CreateIndex,
    ModifyIndex,
  };
}

function isExpired(context: ServerContext, row: AclTokenRow): boolean {
  return row.ExpirationTime !== undefined && Date.parse(row.ExpirationTime) <= context.clock.now();
}

/** Whoever has the secret may read its token; an unknown secret, or none, is not found. */
async function readOwnToken(context: ServerContext, request: ConsulRequest): Promise<ConsulReply> {
  const secret = secretOf(request);
  const result = await blockingQuery(context, request, parseQueryOptions(request), (watch) => {
    watch.table('acl-tokens');
    watch.table('acl-policies');
    watch.table('acl-roles');
    const row =
      secret === '' ? undefined : context.store.list('acl-tokens').find((each) => each.SecretID === secret);
    const live = row === undefined || isExpired(context, row) ? undefined : row;
    return { index: tokenIndex(context), value: live, absent: live === undefined };
  });
  const headers = queryHeaders(request, result);
  if (result.value === undefined) return textReply(403, 'ACL not found', headers);
  return jsonReply(request, tokenView(context, result.value, true), headers);
}

function tokenIndex(context: ServerContext): number {
  return context.store.indexOf('acl-tokens');
}

async function readToken(context: ServerContext, request: ConsulRequest): Promise<ConsulReply> {
  const id = request.path.slice(prefix.length);
  if (id === '') throw badRequest('Missing token ID');
  const authorizer = context.acl.authorize(request);
  authorizer.require('acl', 'read');
  requireUuid(id, 'token');
  const result = await blockingQuery(context, request, parseQueryOptions(request), (watch) => {
    watch.row('acl-tokens', id);
    const row = context.store.get('acl-tokens', id);
    const live = row === undefined || isExpired(context, row) ? undefined : row;
    if (live === undefined) watch.table('acl-tokens');
    return { index: tokenIndex(context), value: live, absent: live === undefined };
  });
  const headers = queryHeaders(request, result);
  if (result.value === undefined) return textReply(403, 'ACL not found', headers);
  const view = tokenView(context, result.value, authorizer.isAllowed('acl', 'write'));
  if (!request.query.has('expanded')) return jsonReply(request, view, headers);
  return jsonReply(request, { ...expandToken(context, result.value), ...view }, headers);
}

async function listTokens(context: ServerContext, request: ConsulRequest): Promise<ConsulReply> {
  const authorizer = context.acl.authorize(request);
  authorizer.require('acl', 'read');
  const showsSecrets = authorizer.isAllowed('acl', 'write');
  const matches = tokenFilter(request);
  return replyWithQuery(context, request, (watch) => {
    watch.table('acl-tokens');
    const rows = context.store.list('acl-tokens').filter((row) => !isExpired(context, row) && matches(row));
    return { index: tokenIndex(context), value: rows.map((row) => tokenView(context, row, showsSecrets)) };
  });
}

function tokenFilter(request: ConsulRequest): (row: AclTokenRow) => boolean {
  const { query } = request;
  const filters = ['policy', 'role', 'authmethod', 'servicename'].filter(
    (name) => (query.get(name) ?? '') !== '',
  );
  if (filters.length > 1) {
    throw serverFailure('can only filter by one of policy, role, serviceName, or methodName at a time');
  }
  const filter = filters[0];
  const wanted = filter === undefined ? '' : (query.get(filter) ?? '');
  switch (filter) {
    case 'policy':
      return (row) => (row.Policies ?? []).some((link) => link.ID === wanted);
    case 'role':
      return (row) => (row.Roles ?? []).some((link) => link.ID === wanted);
    case 'authmethod':
      return (row) => row.AuthMethod?.toLowerCase() === wanted.toLowerCase();
    case 'servicename':
      return (row) => (row.ServiceIdentities ?? []).some((identity) => identity.ServiceName === wanted);
    default:
      return () => true;
  }
}

function updateToken(context: ServerContext, request: ConsulRequest): ConsulReply {
  const id = request.path.slice(prefix.length);
  if (id.endsWith('/clone')) return cloneToken(context, request, id.slice(0, -'/clone'.length));
  return writeToken(context, request, id);
}

function writeToken(
  context: ServerContext,
  request: ConsulRequest,
  accessorId: string | undefined,
): ConsulReply {
  const body = decodeStrictBody(request.body, tokenShape, 'Token decoding failed');
  const given = textIn(body, 'AccessorID');
  if (accessorId !== undefined && given !== '' && given !== accessorId) {
    throw badRequest('Token Accessor ID in URL and payload do not match');
  }
  const ttl = textIn(body, 'ExpirationTTL');
  context.acl.authorize(request).require('acl', 'write');
  const isCreated = accessorId === undefined || accessorId === '';
  const base = isCreated ? newToken(context, body, ttl) : changedToken(context, body, accessorId, ttl);
  return jsonReply(request, tokenView(context, storeToken(context, base, body), true));
}

type TokenIdentity = Pick<AclTokenRow, 'AccessorID' | 'SecretID' | 'Local' | 'CreateTime' | 'ExpirationTime'>;

function newToken(context: ServerContext, body: Decoded, ttl: string): TokenIdentity {
  const accessorId = textIn(body, 'AccessorID');
  const secret = textIn(body, 'SecretID');
  for (const [field, id] of [
    ['AccessorID', accessorId],
    ['SecretID', secret],
  ] as const) {
    if (id !== '') requireFreeId(context, field, id);
  }
  if (textIn(body, 'AuthMethod') !== '')
    throw serverFailure('AuthMethod field is disallowed outside of login');
  const created = context.clock.now();
  const expires = expirationOf(created, ttl, textIn(body, 'ExpirationTime'));
  return {
    AccessorID: accessorId || randomUUID(),
    SecretID: secret || randomUUID(),
    Local: body.Local === true,
    CreateTime: new Date(created).toISOString(),
    ...(expires === undefined ? {} : { ExpirationTime: expires }),
  };
}

function requireFreeId(context: ServerContext, field: string, id: string): void {
  if (id.startsWith('00000000-0000-0000-0000-0000000000')) {
    throw serverFailure(
      `Invalid Token: ${field} - UUIDs with the prefix "00000000-0000-0000-0000-0000000000" are reserved`,
    );
  }
  if (!isUuid(id)) throw serverFailure(`Invalid Token: ${field} - not a valid UUID`);
  const isTaken = context.store
    .list('acl-tokens')
    .some((row) => row.AccessorID === id || row.SecretID === id);
  if (isTaken) throw serverFailure(`Invalid Token: ${field} is already in use`);
}

function changedToken(context: ServerContext, body: Decoded, accessorId: string, ttl: string): TokenIdentity {
  if (!isUuid(accessorId)) throw serverFailure('AccessorID is not a valid UUID');
  const current = context.store.get('acl-tokens', accessorId);
  if (current === undefined || isExpired(context, current))
    throw serverFailure(`Cannot find token ${quoted(accessorId)}`);
  const secret = textIn(body, 'SecretID');
  if (secret !== '' && secret !== current.SecretID)
    throw serverFailure("Changing a token's SecretID is not permitted");
  if ((body.Local === true) !== current.Local)
    throw serverFailure(`Cannot toggle local mode of ${accessorId}`);
  const time = textIn(body, 'ExpirationTime');
  if (ttl !== '' || (time !== '' && Date.parse(time) !== Date.parse(current.ExpirationTime ?? ''))) {
    throw serverFailure(`Cannot change expiration time of ${accessorId}`);
  }
  return current;
}

function storeToken(context: ServerContext, identity: TokenIdentity, body: Decoded): AclTokenRow {
  const roles = resolveLinks(context.store, 'acl-roles', objectsIn(body, 'Roles'));
  const policies = resolveLinks(context.store, 'acl-policies', objectsIn(body, 'Policies'));
  const services = serviceIdentitiesIn(body, 'token');
  const nodes = nodeIdentitiesIn(body, 'token');
  if (textIn(body, 'Rules') !== '') throw serverFailure('Rules cannot be specified for this token');
  if (textIn(body, 'Type') !== '') throw serverFailure('Type cannot be specified for this token');
  return context.store.write((transaction) => {
    const current = transaction.get('acl-tokens', identity.AccessorID);
    const description = textIn(body, 'Description');
    const row: AclTokenRow = {
      AccessorID: identity.AccessorID,
      SecretID: identity.SecretID,
      Description: description,
      ...(policies.length === 0 ? {} : { Policies: policies }),
      ...(roles.length === 0 ? {} : { Roles: roles }),
      ...(services.length === 0 ? {} : { ServiceIdentities: services }),
      ...(nodes.length === 0 ? {} : { NodeIdentities: nodes }),
      Local: identity.Local,
      ...(current?.AuthMethod === undefined ? {} : { AuthMethod: current.AuthMethod }),
      ...(identity.ExpirationTime === undefined ? {} : { ExpirationTime: identity.ExpirationTime }),
      CreateTime: identity.CreateTime,
      Hash: contentHash(description, policies, roles, services, nodes, identity.Local),
      CreateIndex: current?.CreateIndex ?? transaction.index,
      ModifyIndex: transaction.index,
    };
    transaction.put('acl-tokens', row.AccessorID, row);
    transaction.touch('acl-tokens');
    return row;
  });
}

function cloneToken(context: ServerContext, request: ConsulRequest, accessorId: string): ConsulReply {
  const body = decodeStrictBody(request.body, tokenShape, 'Token decoding failed');
  context.acl.authorize(request).require('acl', 'write');
  const source = context.store.get('acl-tokens', accessorId);
  if (source === undefined || isExpired(context, source)) throw new ConsulFailure(403, 'ACL not found');
  if (accessorId === anonymousAccessorId) throw serverFailure('Cannot clone the anonymous token');
  const copied: Decoded = {
    ...source,
    Policies: currentLinks(context.store, 'acl-policies', source.Policies),
    Roles: currentLinks(context.store, 'acl-roles', source.Roles),
    Description: textIn(body, 'Description') || source.Description,
  };
  const identity = newToken(context, { Local: source.Local, ExpirationTime: source.ExpirationTime }, '');
  return jsonReply(request, tokenView(context, storeToken(context, identity, copied), true));
}

function deleteToken(context: ServerContext, request: ConsulRequest): ConsulReply {
  const id = request.path.slice(prefix.length);
  if (id === '') throw badRequest('Missing token ID');
  const authorizer: Authorizer = context.acl.authorize(request);
  authorizer.require('acl', 'write');
  if (!isUuid(id)) throw serverFailure('Accessor ID is missing or an invalid UUID');
  if (id === anonymousAccessorId)
    throw serverFailure('Delete operation not permitted on the anonymous token');
  if (authorizer.accessorId === id)
    throw serverFailure("Deletion of the request's authorization token is not permitted");
  if (context.store.get('acl-tokens', id) === undefined) return jsonReply(request, true);
  context.store.write((transaction) => {
    transaction.remove('acl-tokens', id);
    transaction.touch('acl-tokens');
  });
  return jsonReply(request, true);
}

/** A state is always born with its management token, so that there is nothing left to bootstrap. */
function bootstrap(context: ServerContext, _request: ConsulRequest): ConsulReply {
  const index = context.store.get('facts', 'bootstrap-index')?.value ?? '0';
  throw new ConsulFailure(403, `Permission denied: ACL bootstrap no longer allowed (reset index: ${index})`);
}
