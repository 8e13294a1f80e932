import { randomUUID } from 'node:crypto';
import { isUuid, requireUuid, sameName } from '../acl/acl-links.js';
import { globalManagementPolicyId } from '../acl/acl-resolver.js';
import { contentHash } from '../acl/content-hash.js';
import { parseAclRules } from '../acl/rules.js';
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
import type { AclPolicyRow } from '../state/rows.js';
import { decodeStrictBody, textIn, textsIn } from '../strict-body.js';

const prefix = '/v1/acl/policy/';
const table = 'acl-policies';

export const aclPolicyRoutes: readonly Route[] = [
  { path: '/v1/acl/policies', methods: { GET: listPolicies } },
  {
    path: '/v1/acl/policy',
    methods: { PUT: (context, request) => writePolicy(context, request, undefined) },
  },
  { path: '/v1/acl/policy/name/', methods: { GET: readByName } },
  {
    path: prefix,
    methods: {
      GET: readById,
      PUT: (context, request) => writePolicy(context, request, request.path.slice(prefix.length)),
      DELETE: deletePolicy,
    },
  },
];

const policyShape: Shape = [
  { name: 'ID', kind: 'string' },
  { name: 'Name', kind: 'string' },
  { name: 'Description', kind: 'string' },
  { name: 'Rules', kind: 'string' },
  { name: 'Datacenters', kind: 'strings' },
  { name: 'Hash', kind: 'string' },
  { name: 'CreateIndex', kind: 'int' },
  { name: 'ModifyIndex', kind: 'int' },
];

/** Lists leave out the rules. */
function listPolicies(context: ServerContext, request: ConsulRequest): Promise<ConsulReply> {
  context.acl.authorize(request).require('acl', 'read');
  return replyWithQuery(context, request, (watch) => {
    watch.table(table);
    const rows = context.store.list(table).sort((left, right) => (left.Name < right.Name ? -1 : 1));
    const value = rows.map(
      ({ Rules: _rules, Datacenters: datacenters, Hash, CreateIndex, ModifyIndex, ...row }) => ({
        ...row,
        Datacenters: datacenters ?? null,
        Hash,
        CreateIndex,
        ModifyIndex,
      }),
    );
    return { index: context.store.indexOf(table), value };
  });
}

function readById(context: ServerContext, request: ConsulRequest): Promise<ConsulReply> {
  const id = request.path.slice(prefix.length);
  if (id === '') throw badRequest('Missing policy ID');
  return readPolicy(context, request, () => {
    requireUuid(id, 'policy');
    return context.store.get(table, id);
  });
}

function readByName(context: ServerContext, request: ConsulRequest): Promise<ConsulReply> {
  const name = request.path.slice('/v1/acl/policy/name/'.length);
  if (name === '') throw badRequest('Missing policy Name');
  return readPolicy(context, request, () =>
    context.store.list(table).find((row) => sameName(row.Name, name)),
  );
}

async function readPolicy(
  context: ServerContext,
  request: ConsulRequest,
  find: () => AclPolicyRow | undefined,
): Promise<ConsulReply> {
  context.acl.authorize(request).require('acl', 'read');
  const result = await blockingQuery(context, request, parseQueryOptions(request), (watch) => {
    const row = find();
    if (row === undefined) watch.table(table);
    else watch.row(table, row.ID);
    return { index: context.store.indexOf(table), value: row, absent: row === undefined };
  });
  const headers = queryHeaders(request, result);
  // Unlike a role, a missing policy reads as an unknown token does.
  if (result.value === undefined) return textReply(403, 'ACL not found', headers);
  return jsonReply(request, result.value, headers);
}

function writePolicy(context: ServerContext, request: ConsulRequest, id: string | undefined): ConsulReply {
  const body = decodeStrictBody(request.body, policyShape, 'Policy decoding failed');
  const given = textIn(body, 'ID');
  if (id !== undefined && given !== '' && given !== id) {
    throw badRequest('Policy ID in URL and payload do not match');
  }
  if (id === undefined && given !== '') throw badRequest('Cannot specify the ID when creating a new policy');
  context.acl.authorize(request).require('acl', 'write');
  const name = textIn(body, 'Name');
  if (name === '') throw serverFailure('Invalid Policy: no Name is set');
  requirePolicyName(name);
  const taken = context.store.list(table).find((row) => sameName(row.Name, name));
  const current = id === undefined ? undefined : existing(context, id);
  if (id === undefined && taken !== undefined) {
    throw serverFailure(`Invalid Policy: A Policy with Name ${quoted(name)} already exists`);
  }
  if (current !== undefined && current.Name !== name && taken !== undefined) {
    throw serverFailure(`Invalid Policy: A policy with name ${quoted(name)} already exists`);
  }
  const rules = textIn(body, 'Rules');
  if (current?.ID === globalManagementPolicyId && rules !== current.Rules) {
    throw serverFailure('Changing the Rules for the builtin global-management policy is not permitted');
  }
  requireRules(rules);
  const datacenters = textsIn(body, 'Datacenters');
  const row = context.store.write((transaction): AclPolicyRow => {
    const written: AclPolicyRow = {
      ID: current?.ID ?? randomUUID(),
      Name: name,
      Description: textIn(body, 'Description'),
      Rules: rules,
      ...(datacenters === null || datacenters.length === 0 ? {} : { Datacenters: datacenters }),
      Hash: contentHash(name, textIn(body, 'Description'), rules, datacenters),
      CreateIndex: current?.CreateIndex ?? transaction.index,
      ModifyIndex: transaction.index,
    };
    transaction.put(table, written.ID, written);
    transaction.touch(table);
    return written;
  });
  return jsonReply(request, row);
}

function existing(context: ServerContext, id: string): AclPolicyRow {
  if (!isUuid(id)) throw serverFailure('Policy ID invalid UUID');
  const row = context.store.get(table, id);
  if (row === undefined) throw serverFailure(`cannot find policy ${id}`);
  return row;
}

function requirePolicyName(name: string): void {
  const pattern = /^[A-Za-z0-9\-_]+(\/[A-Za-z0-9\-_]*)?$/;
  if (name.length > 128)
    throw serverFailure('Invalid Policy: invalid Name. Length must be less than 128 characters');
  if (name.startsWith('builtin/')) {
    throw serverFailure(`Invalid Policy: invalid Name. Names cannot be prefixed with 'builtin/'`);
  }
  if (!pattern.test(name)) {
    throw serverFailure(
      "Invalid Policy: invalid Name. Only alphanumeric characters, a single '/', '-' and '_' are allowed",
    );
  }
}

function requireRules(rules: string): void {
  try {
    parseAclRules(rules);
  } catch (error) {
    throw serverFailure(error instanceof Error ? error.message : 'Failed to parse ACL rules');
  }
}

/** Whoever was linked to the policy loses it at once: links to nothing grant nothing. */
function deletePolicy(context: ServerContext, request: ConsulRequest): ConsulReply {
  const id = request.path.slice(prefix.length);
  if (id === '') throw badRequest('Missing policy ID');
  context.acl.authorize(request).require('acl', 'write');
  requireUuid(id, 'policy');
  const row = context.store.get(table, id);
  if (row === undefined) return jsonReply(request, true);
  if (id === globalManagementPolicyId) {
    throw serverFailure('Delete operation not permitted on the builtin global-management policy');
  }
  context.store.write((transaction) => {
    transaction.remove(table, id);
    transaction.touch(table);
  });
  return jsonReply(request, true);
}
