import { sameName } from '../acl/acl-links.js';
import { requireMethodTtl } from '../acl/token-expiration.js';
import { blockingQuery, parseQueryOptions } from '../blocking-query.js';
import type { Shape } from '../entries/shape.js';
import {
  badRequest,
  ConsulFailure,
  type ConsulReply,
  type ConsulRequest,
  jsonReply,
  serverFailure,
  textReply,
} from '../exchange.js';
import { formatGoDuration, goDurationError, parseGoDuration } from '../go-duration.js';
import { fieldOf, isJsonObject, parseJsonBody } from '../json-body.js';
import { queryHeaders, replyWithQuery } from '../read-reply.js';
import type { Route, ServerContext } from '../server-context.js';
import type { AclAuthMethodRow } from '../state/rows.js';
import { decodeStrictBody, objectIn, textIn } from '../strict-body.js';

const prefix = '/v1/acl/auth-method/';
const table = 'acl-auth-methods';
const decoding = 'AuthMethod decoding failed';

export const aclAuthMethodRoutes: readonly Route[] = [
  { path: '/v1/acl/auth-methods', methods: { GET: listMethods } },
  { path: '/v1/acl/auth-method', methods: { PUT: (context, request) => writeMethod(context, request, '') } },
  {
    path: prefix,
    methods: {
      GET: readMethod,
      PUT: (context, request) => writeMethod(context, request, request.path.slice(prefix.length)),
      DELETE: deleteMethod,
    },
  },
];

const methodShape: Shape = [
  { name: 'Name', kind: 'string' },
  { name: 'Type', kind: 'string' },
  { name: 'DisplayName', kind: 'string' },
  { name: 'Description', kind: 'string' },
  { name: 'MaxTokenTTL', kind: 'string' },
  { name: 'TokenLocality', kind: 'string' },
  { name: 'Config', kind: 'any-map' },
  { name: 'CreateIndex', kind: 'int' },
  { name: 'ModifyIndex', kind: 'int' },
];

function listMethods(context: ServerContext, request: ConsulRequest): Promise<ConsulReply> {
  context.acl.authorize(request).require('acl', 'read');
  return replyWithQuery(context, request, (watch) => {
    watch.table(table);
    const value = context.store.list(table).map(({ Config: _, ...listed }) => listed);
    return { index: context.store.indexOf(table), value };
  });
}

async function readMethod(context: ServerContext, request: ConsulRequest): Promise<ConsulReply> {
  const name = request.path.slice(prefix.length);
  if (name === '') throw badRequest('Missing auth method name');
  context.acl.authorize(request).require('acl', 'read');
  const result = await blockingQuery(context, request, parseQueryOptions(request), (watch) => {
    const row = methodNamed(context, name);
    if (row === undefined) watch.table(table);
    else watch.row(table, name.toLowerCase());
    return { index: context.store.indexOf(table), value: row, absent: row === undefined };
  });
  const headers = queryHeaders(request, result);
  if (result.value === undefined) return textReply(404, '', headers);
  return jsonReply(request, result.value, headers);
}

/** Overwrites whatever stands under the name, in any case, without a word; and asks for keys first, without end. */
async function writeMethod(
  context: ServerContext,
  request: ConsulRequest,
  addressed: string,
): Promise<ConsulReply> {
  const raw = parseJsonBody(request.body, decoding);
  if (isJsonObject(raw)) requireMap(fieldOf(raw, 'Config'));
  const body = decodeStrictBody(request.body, methodShape, decoding);
  const ttlNs = durationIn(isJsonObject(raw) ? fieldOf(raw, 'MaxTokenTTL') : undefined);
  const given = textIn(body, 'Name');
  if (addressed !== '' && given !== '' && given !== addressed)
    throw badRequest('AuthMethod Name in URL and payload do not match');
  context.acl.authorize(request).require('acl', 'write');
  const name = given || addressed;
  if (name === '') throw invalid('no Name is set');
  if (!/^[A-Za-z0-9\-_]{1,128}$/.test(name))
    throw invalid("invalid Name. Only alphanumeric characters, '-' and '_' are allowed");
  const standing = methodNamed(context, name);
  const type = textIn(body, 'Type') || (standing?.Type ?? '');
  if (standing !== undefined && type !== standing.Type)
    throw serverFailure('the Type field of an Auth Method is immutable');
  if (type === 'kubernetes' || type === 'aws-iam')
    throw new ConsulFailure(501, `auth methods of type ${type} are not served by the embedded Consul`);
  if (type !== 'jwt') throw invalid('Type should be one of: [aws-iam jwt kubernetes]');
  requireMethodTtl(ttlNs);
  const locality = textIn(body, 'TokenLocality');
  if (!['', 'local', 'global'].includes(locality))
    throw invalid("TokenLocality should be one of 'local' or 'global'");
  const config = objectIn(body, 'Config') ?? {};
  await context.keys.check(config);
  return jsonReply(request, store(context, { name, type, ttlNs, locality, config, ...textsOf(body) }));
}

interface Written {
  readonly name: string;
  readonly type: string;
  readonly ttlNs: number;
  readonly locality: string;
  readonly displayName: string;
  readonly description: string;
  readonly config: Readonly<Record<string, unknown>>;
}

function textsOf(body: Parameters<typeof textIn>[0]) {
  return { displayName: textIn(body, 'DisplayName'), description: textIn(body, 'Description') };
}

function store(context: ServerContext, written: Written): AclAuthMethodRow {
  const { name, type, ttlNs, locality, displayName, description, config } = written;
  return context.store.write((transaction) => {
    const key = name.toLowerCase();
    const row: AclAuthMethodRow = {
      Name: name,
      Type: type,
      ...(displayName === '' ? {} : { DisplayName: displayName }),
      ...(description === '' ? {} : { Description: description }),
      ...(ttlNs === 0 ? {} : { MaxTokenTTL: formatGoDuration(ttlNs) }),
      ...(locality === '' ? {} : { TokenLocality: locality }),
      Config: config,
      CreateIndex: transaction.get(table, key)?.CreateIndex ?? transaction.index,
      ModifyIndex: transaction.index,
    };
    transaction.put(table, key, row);
    transaction.touch(table);
    return row;
  });
}

/** Its rules and its tokens go with it. */
function deleteMethod(context: ServerContext, request: ConsulRequest): ConsulReply {
  const name = request.path.slice(prefix.length);
  if (name === '') throw badRequest('Missing auth method name');
  context.acl.authorize(request).require('acl', 'write');
  if (methodNamed(context, name) === undefined) return jsonReply(request, true);
  context.store.write((transaction) => {
    transaction.remove(table, name.toLowerCase());
    transaction.touch(table);
    const rules = transaction.list('acl-binding-rules').filter((rule) => sameName(rule.AuthMethod, name));
    for (const rule of rules) transaction.remove('acl-binding-rules', rule.ID);
    if (rules.length > 0) transaction.touch('acl-binding-rules');
    const tokens = transaction.list('acl-tokens').filter((token) => sameName(token.AuthMethod ?? '', name));
    for (const token of tokens) transaction.remove('acl-tokens', token.AccessorID);
    if (tokens.length > 0) transaction.touch('acl-tokens');
  });
  return jsonReply(request, true);
}

export function methodNamed(context: ServerContext, name: string): AclAuthMethodRow | undefined {
  return context.store.get(table, name.toLowerCase());
}

/** Nanoseconds of a Go duration or a number; 0 where there is none. */
function durationIn(value: unknown): number {
  if (value === undefined || value === null || value === '') return 0;
  if (typeof value === 'number') return value;
  const ns = parseGoDuration(String(value));
  if (ns === undefined) throw badRequest(`${decoding}: ${goDurationError(String(value))}`);
  return ns;
}

function requireMap(config: unknown): void {
  if (config === undefined || config === null || isJsonObject(config)) return;
  const type = Array.isArray(config) ? 'array' : typeof config === 'boolean' ? 'bool' : typeof config;
  throw badRequest(
    `${decoding}: json: cannot unmarshal ${type} into Go struct field .Alias.Config of type map[string]interface {}`,
  );
}

function invalid(why: string): ConsulFailure {
  return serverFailure(`Invalid Auth Method: ${why}`);
}
