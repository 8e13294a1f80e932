import { randomUUID } from 'node:crypto';
import { isUuid, requireUuid, sameName } from '../acl/acl-links.js';
import { requireBindName } from '../acl/bind-name.js';
import { compileSelector } from '../acl/selector.js';
import { blockingQuery, parseQueryOptions } from '../blocking-query.js';
import type { Shape } from '../entries/shape.js';
import {
  badRequest,
  type ConsulFailure,
  type ConsulReply,
  type ConsulRequest,
  jsonReply,
  serverFailure,
  textReply,
} from '../exchange.js';
import { quoted } from '../go-errors.js';
import { queryHeaders, replyWithQuery } from '../read-reply.js';
import type { Route, ServerContext } from '../server-context.js';
import type { AclBindingRuleRow } from '../state/rows.js';
import { decodeStrictBody, textIn } from '../strict-body.js';
import { methodNamed } from './acl-auth-methods.js';

const prefix = '/v1/acl/binding-rule/';
const table = 'acl-binding-rules';

export const aclBindingRuleRoutes: readonly Route[] = [
  { path: '/v1/acl/binding-rules', methods: { GET: listRules } },
  { path: '/v1/acl/binding-rule', methods: { PUT: (context, request) => writeRule(context, request, '') } },
  {
    path: prefix,
    methods: {
      GET: readRule,
      PUT: (context, request) => writeRule(context, request, request.path.slice(prefix.length)),
      DELETE: deleteRule,
    },
  },
];

const ruleShape: Shape = [
  { name: 'ID', kind: 'string' },
  { name: 'Description', kind: 'string' },
  { name: 'AuthMethod', kind: 'string' },
  { name: 'Selector', kind: 'string' },
  { name: 'BindType', kind: 'string' },
  { name: 'BindName', kind: 'string' },
  { name: 'CreateIndex', kind: 'int' },
  { name: 'ModifyIndex', kind: 'int' },
];

function listRules(context: ServerContext, request: ConsulRequest): Promise<ConsulReply> {
  context.acl.authorize(request).require('acl', 'read');
  const method = request.query.get('authmethod') ?? '';
  return replyWithQuery(context, request, (watch) => {
    watch.table(table);
    const rows = context.store.list(table);
    const value = method === '' ? rows : rows.filter((row) => sameName(row.AuthMethod, method));
    return { index: context.store.indexOf(table), value };
  });
}

async function readRule(context: ServerContext, request: ConsulRequest): Promise<ConsulReply> {
  const id = idIn(request);
  context.acl.authorize(request).require('acl', 'read');
  requireUuid(id, 'binding rule');
  const result = await blockingQuery(context, request, parseQueryOptions(request), (watch) => {
    const row = context.store.get(table, id);
    if (row === undefined) watch.table(table);
    else watch.row(table, id);
    return { index: context.store.indexOf(table), value: row, absent: row === undefined };
  });
  const headers = queryHeaders(request, result);
  if (result.value === undefined) return textReply(404, '', headers);
  return jsonReply(request, result.value, headers);
}

async function writeRule(
  context: ServerContext,
  request: ConsulRequest,
  addressed: string,
): Promise<ConsulReply> {
  const body = decodeStrictBody(request.body, ruleShape, 'BindingRule decoding failed');
  const given = textIn(body, 'ID');
  if (given !== '' && given !== addressed) throw badRequest('BindingRule ID in URL and payload do not match');
  context.acl.authorize(request).require('acl', 'write');
  const current = addressed === '' ? undefined : existing(context, addressed);
  const method = textIn(body, 'AuthMethod') || (current?.AuthMethod ?? '');
  if (current !== undefined && method !== current.AuthMethod)
    throw serverFailure('the AuthMethod field of an Binding Rule is immutable');
  const rule = {
    Description: textIn(body, 'Description'),
    AuthMethod: method,
    Selector: textIn(body, 'Selector'),
    BindType: textIn(body, 'BindType'),
    BindName: textIn(body, 'BindName'),
  };
  await requireRule(context, rule);
  const id = current?.ID ?? randomUUID();
  const row = context.store.write((transaction): AclBindingRuleRow => {
    // The method may have gone while its keys were waited for.
    if (transaction.get('acl-auth-methods', method.toLowerCase()) === undefined) throw missing(method);
    const written = {
      ID: id,
      ...rule,
      CreateIndex: current?.CreateIndex ?? transaction.index,
      ModifyIndex: transaction.index,
    };
    transaction.put(table, id, written);
    transaction.touch(table);
    return written;
  });
  return jsonReply(request, row);
}

async function requireRule(
  context: ServerContext,
  rule: Omit<AclBindingRuleRow, 'ID' | 'CreateIndex' | 'ModifyIndex'>,
): Promise<void> {
  if (rule.AuthMethod === '') throw invalid('no AuthMethod is set');
  const method = methodNamed(context, rule.AuthMethod);
  if (method === undefined) throw missing(rule.AuthMethod);
  const { claims } = await context.keys.configOf(method);
  if (rule.Selector !== '' && compileSelector(rule.Selector) === undefined)
    throw serverFailure('invalid Binding Rule: Selector is invalid: no match found');
  if (rule.BindType === '') throw invalid('no BindType is set');
  if (rule.BindName === '') throw invalid('no BindName is set');
  if (!['role', 'service', 'node'].includes(rule.BindType))
    throw invalid(`unknown BindType ${quoted(rule.BindType)}`);
  requireBindName(rule.BindName, rule.BindType, new Set(claims.values()));
}

function existing(context: ServerContext, id: string): AclBindingRuleRow {
  if (!isUuid(id)) throw serverFailure('Binding Rule ID invalid UUID');
  const row = context.store.get(table, id);
  if (row === undefined) throw serverFailure(`cannot find binding rule ${id}`);
  return row;
}

/** Tokens that it admitted stay. */
function deleteRule(context: ServerContext, request: ConsulRequest): ConsulReply {
  const id = idIn(request);
  context.acl.authorize(request).require('acl', 'write');
  requireUuid(id, 'binding rule');
  if (context.store.get(table, id) === undefined) return jsonReply(request, true);
  context.store.write((transaction) => {
    transaction.remove(table, id);
    transaction.touch(table);
  });
  return jsonReply(request, true);
}

function idIn(request: ConsulRequest): string {
  const id = request.path.slice(prefix.length);
  if (id === '') throw badRequest('Missing binding rule ID');
  return id;
}

function missing(method: string): ConsulFailure {
  return serverFailure(`cannot find auth method with name ${quoted(method)}`);
}

function invalid(why: string): ConsulFailure {
  return serverFailure(`Invalid Binding Rule: ${why}`);
}
