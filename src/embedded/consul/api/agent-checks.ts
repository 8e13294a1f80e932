import { ConsulFailure, type ConsulReply, type ConsulRequest, jsonReply, textReply } from '../exchange.js';
import type { Route, ServerContext } from '../server-context.js';
import { followService } from '../state/alias-checks.js';
import { ensureCheck, memberKey, nodeKey } from '../state/catalog-writes.js';
import type { CheckRow } from '../state/rows.js';
import { endSessionsOf } from '../state/session-writes.js';
import { armCheck } from './agent-check-ttl.js';
import { agentCheckView, agentHealthCheckView, agentServiceView } from './agent-views.js';

export const agentCheckRoutes: readonly Route[] = [
  { path: '/v1/agent/checks', methods: { GET: listOwnChecks } },
  {
    path: '/v1/agent/check/pass/',
    methods: { PUT: (context, request) => setStatus(context, request, 'passing') },
  },
  {
    path: '/v1/agent/check/warn/',
    methods: { PUT: (context, request) => setStatus(context, request, 'warning') },
  },
  {
    path: '/v1/agent/check/fail/',
    methods: { PUT: (context, request) => setStatus(context, request, 'critical') },
  },
  { path: '/v1/agent/health/service/name/', methods: { GET: readHealthByName } },
];

function ownChecks(context: ServerContext): CheckRow[] {
  return context.store.list('checks', `${nodeKey(context.nodeName)}/`).filter((row) => row.ServiceID !== '');
}

function listOwnChecks(context: ServerContext, request: ConsulRequest): ConsulReply {
  const authorizer = context.acl.authorize(request);
  const readable = ownChecks(context).filter((row) =>
    authorizer.isAllowed('service', 'read', row.ServiceName),
  );
  return jsonReply(request, Object.fromEntries(readable.map((row) => [row.CheckID, agentCheckView(row)])));
}

const statusWords: Readonly<Record<string, string>> = { passing: 'pass', warning: 'warn', critical: 'fail' };

/** A report by whoever runs the service; it gives a TTL check its whole time anew. */
function setStatus(context: ServerContext, request: ConsulRequest, status: string): ConsulReply {
  const id = request.path.slice(`/v1/agent/check/${statusWords[status]}/`.length);
  const authorizer = context.acl.authorize(request);
  const check = context.store.get('checks', memberKey(context.nodeName, id));
  if (check === undefined || check.CheckID === 'serfHealth') {
    throw new ConsulFailure(
      404,
      `Unknown check ID ${JSON.stringify(id)}. Ensure that the check ID is passed, not the check name.`,
    );
  }
  authorizer.require('service', 'write', check.ServiceName);
  const { CreateIndex: _created, ModifyIndex: _modified, ...content } = check;
  context.store.write((transaction) => {
    ensureCheck(transaction, { ...content, Status: status, Output: request.query.get('note') ?? '' });
    followService(transaction, context.nodeName, check.ServiceID);
    if (status === 'critical') endSessionsOf(transaction, context.sessions, context.nodeName, id);
  });
  armCheck(context, id);
  return textReply(200, '');
}

const worstFirst = ['critical', 'warning', 'passing'];
const statusCodes: Readonly<Record<string, number>> = { passing: 200, warning: 429, critical: 503 };

function readHealthByName(context: ServerContext, request: ConsulRequest): ConsulReply {
  const name = request.path.slice('/v1/agent/health/service/name/'.length);
  if (name === '') throw new ConsulFailure(400, 'Missing service Name');
  context.acl.authorize(request).require('service', 'read', name);
  const rows = context.store
    .list('services', `${nodeKey(context.nodeName)}/`)
    .filter((row) => row.Service === name && row.ID !== 'consul');
  if (rows.length === 0) {
    return { ...jsonReply(request, [], { 'X-Consul-Reason': `ServiceName ${name} Not Found` }), status: 404 };
  }
  const instances = rows.map((row) => {
    const checks = ownChecks(context).filter((check) => check.ServiceID === row.ID);
    return { row, checks, status: worst(checks.map((check) => check.Status)) };
  });
  const status = worst(instances.map((instance) => instance.status));
  const body = instances.map((instance) => ({
    AggregatedStatus: instance.status,
    Service: agentServiceView(context, instance.row),
    Checks: instance.checks.map(agentHealthCheckView),
  }));
  return { ...jsonReply(request, body, { 'X-Consul-Reason': status }), status: statusCodes[status] ?? 503 };
}

function worst(statuses: readonly string[]): string {
  return worstFirst.find((status) => statuses.includes(status)) ?? 'passing';
}
