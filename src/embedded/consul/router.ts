import { ConsulFailure, type ConsulReply, type ConsulRequest, textReply } from './exchange.js';
import { guardRequest } from './request-guard.js';
import type { Route, ServerContext } from './server-context.js';

/** Finds the route of a path: an exact one before the longest that covers it. */
export class Router {
  readonly #exact = new Map<string, Route>();
  readonly #covering: Route[];

  constructor(routes: readonly Route[]) {
    for (const route of routes) if (!route.path.endsWith('/')) this.#exact.set(route.path, route);
    this.#covering = routes.filter((route) => route.path.endsWith('/'));
    this.#covering.sort((left, right) => right.path.length - left.path.length);
  }

  /** Never rejects: every failure becomes an answer. */
  async answer(context: ServerContext, request: ConsulRequest): Promise<ConsulReply> {
    const policy = { 'X-Consul-Default-ACL-Policy': context.defaultPolicy };
    const reply = await this.#dispatch(context, request).catch(failureReply);
    return { ...reply, headers: { ...policy, ...reply.headers } };
  }

  async #dispatch(context: ServerContext, request: ConsulRequest): Promise<ConsulReply> {
    const guarded = guardRequest(context, request);
    if (guarded !== undefined) return guarded;
    const route =
      this.#exact.get(request.path) ??
      this.#covering.find((candidate) => request.path.startsWith(candidate.path));
    if (route === undefined) return unknownPath(request.path);
    const allowed = ['OPTIONS', ...Object.keys(route.methods)];
    if (request.method === 'OPTIONS') return textReply(200, '', { Allow: allowed.join(',') });
    const handler = route.methods[request.method];
    if (handler === undefined) {
      const text = `method ${request.method} not allowed`;
      return textReply(405, text, { Allow: allowed.join(',') });
    }
    return handler(context, request);
  }
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
