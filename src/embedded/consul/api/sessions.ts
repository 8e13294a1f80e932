import { randomUUID } from 'node:crypto';
import { formatGoDuration, goDurationError, parseGoDuration } from '../../../model/go-duration.js';
import { decodeLooseBody, textIn, textsIn } from '../body.js';
import type { Call, Route } from '../call.js';
import { applied, badRequest, ConsulFailure, type ConsulReply, serverFailure } from '../exchange.js';
import { readable } from '../query.js';
import { type Decoded, list, string, strings } from '../shape.js';
import { nodeKey } from '../state/catalog-writes.js';
import type { SessionRow } from '../state/rows.js';
import { armSession, endSession } from '../state/sessions.js';

const shortestTtlNs = 10e9;
const longestTtlNs = 86_400e9;
const defaultLockDelayNs = 15e9;
/** The one check of this server's node, which always passes. */
const nodeCheck = 'serfHealth';

const sessionShape = [
  ...string('ID Name Node? LockDelay? Behavior? TTL'),
  ...strings('NodeChecks Checks'),
  ...list('ServiceChecks', string('ID Namespace')),
];

export const sessionRoutes: readonly Route[] = [
  { path: '/v1/session/create', methods: { PUT: createSession } },
  { path: '/v1/session/destroy/', methods: { PUT: destroySession } },
  { path: '/v1/session/renew/', methods: { PUT: renewSession } },
  { path: '/v1/session/info/', methods: { GET: readSession } },
  { path: '/v1/session/list', methods: { GET: listSessions } },
];

function createSession(call: Call): ConsulReply {
  const { request, context } = call;
  const body: Decoded =
    request.body.length === 0 ? {} : decodeLooseBody(request.body, sessionShape, 'Request decode failed');
  const node = textIn(body, 'Node') || context.nodeName;
  call.authorize().require('session', 'write', node);
  const behavior = textIn(body, 'Behavior') || 'release';
  if (behavior !== 'release' && behavior !== 'delete')
    throw serverFailure(`Invalid Behavior setting '${behavior}'`);
  const ttl = textIn(body, 'TTL');
  requireTtl(ttl);
  const checks = textsIn(body, 'NodeChecks') ?? textsIn(body, 'Checks') ?? [nodeCheck];
  const session = applied('apply failed', () =>
    call.store.write((transaction) => {
      if (transaction.get('nodes', nodeKey(node)) === undefined)
        throw serverFailure('Missing node registration');
      const isOwnNode = nodeKey(node) === nodeKey(context.nodeName);
      const missing = checks.find((id) => id !== nodeCheck || !isOwnNode);
      if (missing !== undefined) throw serverFailure(`Missing check '${missing}' registration`);
      const id = randomUUID();
      const row: SessionRow = {
        ID: id,
        Name: textIn(body, 'Name'),
        Node: node,
        LockDelay: lockDelayOf(body),
        Behavior: behavior,
        TTL: ttl,
        NodeChecks: checks,
        ServiceChecks: null,
        ...transaction.stamp('sessions', id),
      };
      transaction.put('sessions', row.ID, row);
      return row;
    }),
  );
  armSession(call.store, context.sessions, session);
  return call.json({ ID: session.ID });
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

function destroySession(call: Call): ConsulReply {
  const authorizer = call.authorize();
  const session = call.store.get('sessions', idIn(call));
  if (session === undefined) return call.json(true);
  authorizer.require('session', 'write', session.Node);
  call.store.write((transaction) => endSession(transaction, call.context.sessions, session));
  return call.json(true);
}

function renewSession(call: Call): ConsulReply {
  const authorizer = call.authorize();
  const session = call.store.get('sessions', idIn(call));
  if (session === undefined) throw new ConsulFailure(404, `Session id '${call.rest}' not found`);
  authorizer.require('session', 'write', session.Node);
  armSession(call.store, call.context.sessions, session);
  return call.json([session]);
}

function readSession(call: Call): Promise<ConsulReply> {
  const id = idIn(call);
  const authorizer = call.authorize();
  return call.answer((watch) => {
    const session = call.store.get('sessions', id);
    watch.lookup('sessions', id, session);
    const rows = session === undefined ? [] : [session];
    return {
      index: call.store.indexOf('sessions'),
      absent: session === undefined,
      ...readable(rows, (row) => authorizer.isAllowed('session', 'read', row.Node)),
    };
  });
}

function listSessions(call: Call): Promise<ConsulReply> {
  const authorizer = call.authorize();
  return call.answer((watch) => {
    watch.table('sessions');
    return {
      index: call.store.indexOf('sessions'),
      ...readable(call.store.list('sessions'), (row) => authorizer.isAllowed('session', 'read', row.Node)),
    };
  });
}

function idIn(call: Call): string {
  if (call.rest === '') throw badRequest('Missing session');
  return call.rest.toLowerCase();
}
