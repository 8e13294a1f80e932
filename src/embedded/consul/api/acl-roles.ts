import { randomUUID } from 'node:crypto';
import {
  currentLinks,
  grantFields,
  isUuid,
  nodeIdentitiesIn,
  requireUuid,
  resolveLinks,
  sameName,
  serviceIdentitiesIn,
} from '../acl/acl-links.js';
import { contentHash } from '../acl/content-hash.js';
import { blockingQuery, parseQueryOptions } from '../blocking-query.js';
import type { Shape } from '../entries/shape.js';
import {
  badRequest,
  type ConsulReply,
  type ConsulRequest,
  jsonReply,
  serverFailure,
  textReply,
} from '../exchange.js';
import { quoted } from '../go-errors.js';
import { queryHeaders, replyWithQuery } from '../read-reply.js';
import type { Route, ServerContext } from '../server-context.js';
import type { AclRoleRow } from '../state/rows.js';
import { decodeStrictBody, objectsIn, textIn } from '../strict-body.js';

const prefix = '/v1/acl/role/';
const table = 'acl-roles';

export const aclRoleRoutes: readonly Route[] = [
  { path: '/v1/acl/roles', methods: { GET: listRoles } },
  { path: '/v1/acl/role', methods: { PUT: (context, request) => writeRole(context, request, undefined) } },
  { path: '/v1/acl/role/name/', methods: { GET: readByName } },
  {
    path: prefix,
    methods: {
      GET: readById,
      PUT: (context, request) => writeRole(context, request, request.path.slice(prefix.length)),
      DELETE: deleteRole,
    },
  },
];

const roleShape: Shape = [
  { name: 'ID', kind: 'string' },
  { name: 'Name', kind: 'string' },
  { name: 'Description', kind: 'string' },
  ...grantFields,
  { name: 'Hash', kind: 'string' },
  { name: 'CreateIndex', kind: 'int' },
  { name: 'ModifyIndex', kind: 'int' },
];

function roleView(context: ServerContext, row: AclRoleRow): AclRoleRow {
  const { Policies: policies, ...rest } = row;
  const links = currentLinks(context.store, 'acl-policies', policies);
  return links.length === 0 ? rest : { ...rest, Policies: links };
}

function listRoles(context: ServerContext, request: ConsulRequest): Promise<ConsulReply> {
  context.acl.authorize(request).require('acl', 'read');
  const policy = request.query.get('policy') ?? '';
  return replyWithQuery(context, request, (watch) => {
    watch.table(table);
    const rows = context.store
      .list(table)
      .filter((row) => policy === '' || (row.Policies ?? []).some((link) => link.ID === policy))
      .sort((left, right) => (left.Name < right.Name ? -1 : 1));
    return { index: context.store.indexOf(table), value: rows.map((row) => roleView(context, row)) };
  });
}

function readById(context: ServerContext, request: ConsulRequest): Promise<ConsulReply> {
  const id = request.path.slice(prefix.length);
  if (id === '') throw badRequest('Missing role ID');
  return readRole(context, request, () => {
    requireUuid(id, 'role');
    return context.store.get(table, id);
  });
}

function readByName(context: ServerContext, request: ConsulRequest): Promise<ConsulReply> {
  const name = request.path.slice('/v1/acl/role/name/'.length);
  if (name === '') throw badRequest('Missing role Name');
  return readRole(context, request, () => context.store.list(table).find((row) => sameName(row.Name, name)));
}

async function readRole(
  context: ServerContext,
  request: ConsulRequest,
  find: () => AclRoleRow | undefined,
): Promise<ConsulReply> {
  context.acl.authorize(request).require('acl', 'read');
  const result = await blockingQuery(context, request, parseQueryOptions(request), (watch) => {
    const row = find();
    if (row === undefined) watch.table(table);
    else watch.row(table, row.ID);
    return { index: context.store.indexOf(table), value: row, absent: row === undefined };
  });
  const headers = queryHeaders(request, result);
  if (result.value === undefined) return textReply(404, '', headers);
  return jsonReply(request, roleView(context, result.value), headers);
}

function writeRole(context: ServerContext, request: ConsulRequest, id: string | undefined): ConsulReply {
  const body = decodeStrictBody(request.body, roleShape, 'Role decoding failed');
  const given = textIn(body, 'ID');
  if (id !== undefined && given !== '' && given !== id) {
    throw badRequest('Role ID in URL and payload do not match');
  }
  if (id === undefined && given !== '') throw badRequest('Cannot specify the ID when creating a new role');
  context.acl.authorize(request).require('acl', 'write');
  const name = textIn(body, 'Name');
  if (name === '') throw serverFailure('Invalid Role: no Name is set');
  if (!/^[A-Za-z0-9\-_]{1,256}$/.test(name)) {
    throw serverFailure("Invalid Role: invalid Name. Only alphanumeric characters, '-' and '_' are allowed");
  }
  const taken = context.store.list(table).find((row) => sameName(row.Name, name));
  const current = id === undefined ? undefined : existing(context, id);
  if (id === undefined && taken !== undefined) {
    throw serverFailure(`Invalid Role: A Role with Name ${quoted(name)} already exists`);
  }
  if (current !== undefined && current.Name !== name && taken !== undefined) {
    throw serverFailure(`Invalid Role: A role with name ${quoted(name)} already exists`);
  }
  const policies = resolveLinks(context.store, 'acl-policies', objectsIn(body, 'Policies'));
  const services = serviceIdentitiesIn(body, 'role');
  const nodes = nodeIdentitiesIn(body, 'role');
  const description = textIn(body, 'Description');
  const row = context.store.write((transaction): AclRoleRow => {
    const written: AclRoleRow = {
      ID: current?.ID ?? randomUUID(),
      Name: name,
      Description: description,
      ...(policies.length === 0 ? {} : { Policies: policies }),
      ...(services.length === 0 ? {} : { ServiceIdentities: services }),
      ...(nodes.length === 0 ? {} : { NodeIdentities: nodes }),
      Hash: contentHash(name, description, policies, services, nodes),
      CreateIndex: current?.CreateIndex ?? transaction.index,
      ModifyIndex: transaction.index,
    };
    transaction.put(table, written.ID, written);
    transaction.touch(table);
    return written;
  });
  return jsonReply(request, roleView(context, row));
}

function existing(context: ServerContext, id: string): AclRoleRow {
  if (!isUuid(id)) throw serverFailure('Role ID invalid UUID');
  const row = context.store.get(table, id);
  if (row === undefined) throw serverFailure(`cannot find role ${id}`);
  return row;
}

/** Whoever had the role loses its power at once, and the link with it. */
function deleteRole(context: ServerContext, request: ConsulRequest): ConsulReply {
  const id = request.path.slice(prefix.length);
  if (id === '') throw badRequest('Missing role ID');
  context.acl.authorize(request).require('acl', 'write');
  requireUuid(id, 'role');
  if (context.store.get(table, id) === undefined) return jsonReply(request, true);
  context.store.write((transaction) => {
    transaction.remove(table, id);
    transaction.touch(table);
  });
  return jsonReply(request, true);
}
