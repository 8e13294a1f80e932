import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { type LoginView, loginDocument } from '../cli/login-view.js';
import { messageOf } from '../errors.js';
import type { Principal } from '../model/cause.js';
import type { Logger } from '../observe.js';
import { rejectedText } from '../plan/guards/approval.js';
import type { ClientId } from '../plan/world.js';
import type { Rulings, Verdict } from '../reconcile/rulings.js';
import { isLoopback } from './http-server.js';

export interface ApiDeps {
  readonly rulings: Rulings;
  /** What a client may do with Consul; undefined if its directory was read and does not have it. */
  readonly login: (id: ClientId) => LoginView | undefined;
  /** Where the server listens. */
  readonly host: string;
  readonly logger: Logger;
}

const Body = z.object({ principal: z.string().min(1).max(256), override: z.boolean().optional() });

/**
 * `/api/*`, for commands on the same machine. The API has no login, so it answers only if nobody else can reach it: on a
 * loopback listener, to a loopback peer that names a loopback host (a page whose name was rebound to 127.0.0.1 does not)
 * and sends no Origin. A request that changes something must be JSON, which a page of another site cannot send. A
 * request through a proxy is refused: webhooks come through one, and behind it every caller looks like this machine.
 */
export function addApi(server: FastifyInstance, deps: ApiDeps): void {
  const rule = (verdict: Verdict) => async (request: FastifyRequest, reply: FastifyReply) =>
    answer(request, reply, deps, async (by, override) => {
      const { id } = z.object({ id: z.string() }).parse(request.params);
      const result = await deps.rulings.onHold(id, verdict, by, override);
      switch (result.kind) {
        case 'ruled':
          return reply.send({ id, subject: result.hold.subject });
        case 'unknown':
          return reply.code(404).send({ error: 'no held change has this ID; the hold may have ended' });
        case 'unsuitable':
          return reply.code(409).send({
            error: `this change is held as ${result.hold.reason}, which a person cannot ${verdict}`,
            detail: result.hold.detail ?? '',
          });
        case 'rejected':
          return reply.code(409).send({
            error: rejectedText(result.rejection),
            detail: 'to approve it nevertheless, send "override": true (scopemesh approve --override)',
          });
      }
    });
  server.post('/api/holds/:id/approve', rule('approve'));
  server.post('/api/holds/:id/reject', rule('reject'));
  server.post('/api/quarantines/:provider/:clientId/release', (request, reply) =>
    answer(request, reply, deps, async (by) => {
      const client = z.object({ provider: z.string(), clientId: z.string() }).parse(request.params);
      if (await deps.rulings.release(client, by)) return reply.send(client);
      return reply.code(404).send({ error: 'this client is not in quarantine' });
    }),
  );
  server.get('/api/clients/:provider/:clientId/login', (request, reply) => {
    const refusal = refusalOf(request, deps.host);
    if (refusal !== undefined) return reply.code(403).send({ error: refusal });
    const id = z.object({ provider: z.string(), clientId: z.string() }).parse(request.params);
    try {
      const view = deps.login(id);
      if (view === undefined)
        return reply.code(404).send({ error: 'no configured provider has this client' });
      return reply.send(loginDocument(view));
    } catch (error) {
      return reply.code(503).send({ error: messageOf(error) });
    }
  });
}

async function answer(
  request: FastifyRequest,
  reply: FastifyReply,
  deps: ApiDeps,
  act: (by: Principal, override: boolean) => Promise<FastifyReply>,
): Promise<FastifyReply> {
  const refusal = refusalOf(request, deps.host);
  if (refusal !== undefined) return reply.code(403).send({ error: refusal });
  const body = Body.safeParse(parseJson(request.body));
  if (!body.success)
    return reply
      .code(400)
      .send({ error: 'send { "principal": "NAME" } with the name of the person who decides' });
  try {
    return await act({ id: body.data.principal }, body.data.override === true);
  } catch (error) {
    deps.logger.error({ error: messageOf(error) }, 'an approval or rejection failed');
    return reply.code(503).send({ error: messageOf(error) });
  }
}

/** Headers that proxies add. A proxy that adds none cannot be recognised and must pass on only /events/. */
const PASSED_ON = [
  'forwarded',
  'via',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-real-ip',
];

function refusalOf(request: FastifyRequest, host: string): string | undefined {
  if (!isLoopback(host))
    return 'the API has no login yet, so only a loopback listener serves it; set http.listen to 127.0.0.1:PORT';
  if (!isLoopback(request.ip) || !isLoopback(request.hostname))
    return 'the API answers only requests from this machine';
  if (PASSED_ON.some((name) => request.headers[name] !== undefined))
    return 'the API does not answer through a proxy; let the proxy pass on only /events/';
  if (request.headers.origin !== undefined) return 'the API does not answer web pages';
  // A page of another site cannot read the answer, so a GET needs no such check.
  if (request.method !== 'GET' && request.headers['content-type'] !== 'application/json')
    return 'send the request as application/json';
  return undefined;
}

function parseJson(body: unknown): unknown {
  try {
    return JSON.parse(Buffer.isBuffer(body) ? body.toString('utf8') : '');
  } catch {
    return undefined;
  }
}
