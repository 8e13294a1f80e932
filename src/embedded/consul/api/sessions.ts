import { randomUUID } from 'node:crypto';
import type { Decoded, Shape } from '../entries/shape.js';
import {
  badRequest,
  ConsulFailure,
  type ConsulReply,
  type ConsulRequest,
  jsonReply,
  serverFailure,
} from '../exchange.js';
import { formatGoDuration, goDurationError, parseGoDuration } from '../go-duration.js';
import { applied } from '../go-errors.js';
import { replyWithQuery } from '../read-reply.js';
import type { Route, ServerContext } from '../server-context.js';
import { memberKey, nodeKey } from '../state/catalog-writes.js';
import type { SessionRow } from '../state/rows.js';
import { armSession, endSession } from '../state/session-writes.js';
import { decodeLooseBody, textIn, textsIn } from '../strict-body.js';

const shortestTtlNs = 10e9;
const longestTtlNs = 86_400e9;
const defaultLockDelayNs = 15e9;

const sessionShape: Shape = [
  { name: 'ID', kind: 'string' },
  { name: 'Name', kind: 'string' },
  { name: 'Node', kind: 'string', omitEmpty: true },
  { name: 'LockDelay', kind: 'string', omitEmpty: true },
  { name: 'Behavior', kind: 'string', omitEmpty: true },
  { name: 'TTL', kind: 'string' },
  { name: 'NodeChecks', kind: 'strings' },
  { name: 'Checks', kind: 'strings' },
  {
    name: 'ServiceChecks',
    kind: {
      list: [
        { name: 'ID', kind: 'string' },
        { name: 'Namespace', kind: 'string' },
      ],
    },
  },
];

export const sessionRoutes: readonly Route[] = [
  { path: '/v1/session/create', methods: { PUT: createSession } },
  { path: '/v1/session/destroy/', methods: { PUT: destroySession } },
  { path: '/v1/session/renew/', methods: { PUT: renewSession } },
  { path: '/v1/session/info/', methods: { GET: readSession } },
  { path: '/v1/session/node/', methods: { GET: listSessions } },
  { path: '/v1/session/list', methods: { GET: listSessions } },
];

function createSession(context: ServerContext, request: ConsulRequest): ConsulReply {
  const body: Decoded =
    request.body.length === 0 ? {} : decodeLooseBody(request.body, sessionShape, 'Request decode failed');
  const node = textIn(body, 'Node') || context.nodeName;
  context.acl.authorize(request).require('session', 'write', node);
  const behavior = textIn(body, 'Behavior') || 'release';
  if (behavior !== 'release' && behavior !== 'delete')
    throw serverFailure(`Invalid Behavior setting '${behavior}'`);
  const ttl = textIn(body, 'TTL');
  requireTtl(ttl);
  const checks = textsIn(body, 'NodeChecks') ?? textsIn(body, 'Checks') ?? ['serfHealth'];
  const session = applied('apply failed', () =>
    context.store.write((transaction) => {
      if (transaction.get('nodes', nodeKey(node)) === undefined)
        throw serverFailure('Missing node registration');
      for (const id of checks) {
        const check = transaction.get('checks', memberKey(node, id));
        if (check === undefined) throw serverFailure(`Missing check '${id}' registration`);
        if (check.Status === 'critical') throw serverFailure(`Check '${id}' is in critical state`);
      }
      const row: SessionRow = {
        ID: randomUUID(),
        Name: textIn(body, 'Name'),
        Node: node,
        LockDelay: lockDelayOf(body),
        Behavior: behavior,
        TTL: ttl,
        NodeChecks: checks,
        ServiceChecks: null,
        CreateIndex: transaction.index,
        ModifyIndex: transaction.index,
      };
      transaction.put('sessions', row.ID, row);
      transaction.touch('sessions');
      return row;
    }),
  );
  armSession(context.store, context.sessions, session);
  return jsonReply(request, { ID: session.ID });
}

function requireTtl(ttl: string): void {
  if (ttl === '') return;
  const ns = parseGoDuration(ttl);
  if (ns === undefined) throw serverFailure(`Session TTL '${ttl}' invalid: ${goDurationError(ttl)}`);
  if (ns !== 0 && (ns < shortestTtlNs || ns > longestTtlNs)) {
    const range = `[${formatGoDuration(shortestTtlNs)}=${formatGoDuration(longestTtlNs)}]`;
    throw serverFailure(`Invalid Session TTL '${ns}', must be between ${range}`);
  }
}

/** A duration text, or a number: nanoseconds, or seconds where it is small. */
function lockDelayOf(body: Decoded): number {
  const text = textIn(body, 'LockDelay');
  if (text === '') return defaultLockDelayNs;
  if (/^\d+(\.\d+)?$/.test(text)) {
    const value = Number(text);
    return value < 1e6 ? value * 1e9 : value;
  }
  const ns = parseGoDuration(text);
  if (ns === undefined) throw badRequest(`Request decode failed: ${goDurationError(text)}`);
  return ns;
}

function destroySession(context: ServerContext, request: ConsulRequest): ConsulReply {
  const id = request.path.slice('/v1/session/destroy/'.length);
  if (id === '') throw badRequest('Missing session');
  const authorizer = context.acl.authorize(request);
  const session = context.store.get('sessions', requireUuid(id));
  if (session === undefined) return jsonReply(request, true);
  authorizer.require('session', 'write', session.Node);
  context.store.write((transaction) => endSession(transaction, context.sessions, session));
  return jsonReply(request, true);
}

function renewSession(context: ServerContext, request: ConsulRequest): ConsulReply {
  const id = request.path.slice('/v1/session/renew/'.length);
  if (id === '') throw badRequest('Missing session');
  const authorizer = context.acl.authorize(request);
  const session = context.store.get('sessions', requireUuid(id));
  if (session === undefined) throw new ConsulFailure(404, `Session id '${id}' not found`);
  authorizer.require('session', 'write', session.Node);
  armSession(context.store, context.sessions, session);
  return jsonReply(request, [session]);
}

function readSession(context: ServerContext, request: ConsulRequest): Promise<ConsulReply> {
  const id = request.path.slice('/v1/session/info/'.length);
  if (id === '') throw badRequest('Missing session');
  const authorizer = context.acl.authorize(request);
  const key = requireUuid(id);
  return replyWithQuery(context, request, (watch) => {
    const session = context.store.get('sessions', key);
    if (session === undefined) watch.table('sessions');
    else watch.row('sessions', key);
    const isReadable = session !== undefined && authorizer.isAllowed('session', 'read', session.Node);
    return {
      index: context.store.indexOf('sessions'),
      value: session !== undefined && isReadable ? [session] : [],
      absent: session === undefined,
      filtered: session !== undefined && !isReadable,
    };
  });
}

function listSessions(context: ServerContext, request: ConsulRequest): Promise<ConsulReply> {
  const prefix = '/v1/session/node/';
  const node = request.path.startsWith(prefix) ? request.path.slice(prefix.length) : undefined;
  if (node === '') throw badRequest('Missing node name');
  const authorizer = context.acl.authorize(request);
  return replyWithQuery(context, request, (watch) => {
    watch.table('sessions');
    const all = context.store.list('sessions');
    const rows =
      node === undefined ? all : all.filter((row) => row.Node.toLowerCase() === node.toLowerCase());
    const value = rows.filter((row) => authorizer.isAllowed('session', 'read', row.Node));
    return { index: context.store.indexOf('sessions'), value, filtered: value.length < rows.length };
  });
}

function requireUuid(id: string): string {
  return id.toLowerCase();
}
