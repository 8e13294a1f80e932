import { aclAuthMethodRoutes } from './api/acl-auth-methods.js';
import { aclBindingRuleRoutes } from './api/acl-binding-rules.js';
import { aclLoginRoutes } from './api/acl-login.js';
import { aclPolicyRoutes } from './api/acl-policies.js';
import { aclRoleRoutes } from './api/acl-roles.js';
import { aclTokenRoutes } from './api/acl-tokens.js';
import { agentRoutes } from './api/agent.js';
import { catalogRoutes } from './api/catalog.js';
import { configEntryRoutes } from './api/config-entries.js';
import { kvRoutes } from './api/kv.js';
import { sessionRoutes } from './api/sessions.js';
import { transactionRoutes } from './api/transactions.js';
import { Call, type Route } from './call.js';
import { ConsulFailure, type ConsulReply, type ConsulRequest, textReply } from './exchange.js';
import { guardRequest } from './request-guard.js';
import type { ServerContext } from './server-context.js';

/** Every path that is served. */
const routes: readonly Route[] = [
  aclAuthMethodRoutes,
  aclBindingRuleRoutes,
  aclLoginRoutes,
  aclPolicyRoutes,
  aclRoleRoutes,
  aclTokenRoutes,
  agentRoutes,
  catalogRoutes,
  configEntryRoutes,
  kvRoutes,
  sessionRoutes,
  transactionRoutes,
].flat();

/** An exact path goes before the longest that covers it. */
const exact = new Map(routes.map((route) => [route.path, route]));
const covering = routes
  .filter(({ path }) => path.endsWith('/'))
  .sort((left, right) => right.path.length - left.path.length);

/** Never rejects: every failure becomes an answer. */
export async function answerRequest(context: ServerContext, request: ConsulRequest): Promise<ConsulReply> {
  const policy = { 'X-Consul-Default-ACL-Policy': context.defaultPolicy };
  const reply = await dispatch(context, request).catch(failureReply);
  return { ...reply, headers: { ...policy, ...reply.headers } };
}

async function dispatch(context: ServerContext, request: ConsulRequest): Promise<ConsulReply> {
  const guarded = guardRequest(context, request);
  if (guarded !== undefined) return guarded;
  const route = exact.get(request.path) ?? covering.find(({ path }) => request.path.startsWith(path));
  if (route === undefined) return unknownPath(request.path);
  const headers = { Allow: ['OPTIONS', ...Object.keys(route.methods)].join(',') };
  if (request.method === 'OPTIONS') return textReply(200, '', headers);
  const handler = route.methods[request.method];
  if (handler === undefined) return textReply(405, `method ${request.method} not allowed`, headers);
  return handler(new Call(context, request, request.path.slice(route.path.length)));
}

function unknownPath(path: string): ConsulReply {
  if (path === '/') {
    const hint =
      'Consul Agent: UI disabled. To enable, set ui_config.enabled=true in the agent configuration and restart.';
    return textReply(200, hint);
  }
  const hint = path.includes('/v1/')
    ? 'not a recognized HTTP API endpoint'
    : "if attempting to use the HTTP API, ensure the path starts with '/v1/'";
  return textReply(404, `Invalid URL path: ${hint}\n`);
}

function failureReply(error: unknown): ConsulReply {
  if (error instanceof ConsulFailure) return textReply(error.status, error.message);
  return textReply(500, error instanceof Error ? error.message : 'An unexpected error occurred');
}
