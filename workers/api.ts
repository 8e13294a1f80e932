import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { type LoginView, loginDocument } from '../src/cli/login-view.js';
import { messageOf } from '../src/errors.js';
import type { Principal } from '../src/model/cause.js';
import type { Logger } from '../src/observe.js';
import { rejectedText } from '../src/plan/guards/approval.js';
import type { ClientId } from '../src/plan/world.js';
import type { Rulings, Verdict } from '../src/reconcile/rulings.js';

export interface ApiDeps {
  readonly rulings: Rulings;
  /** What a client may do with Consul itself; undefined where its directory was read and does not have it. */
  readonly login: (id: ClientId) => LoginView | undefined;
  /** Where the server listens. */
  readonly host: string;
  readonly logger: Logger;
}

const Body = z.object({ principal: z.string().min(1).max(256), override: z.boolean().optional() });

/**
 * `/api/*`, for commands on the same machine. Nobody is authenticated here, so it answers only where nobody else can
 * reach it: on a loopback listener, to a loopback peer that names a loopback host (which a page whose name was rebound
 * to 127.0.0.1 does not) without an Origin. What changes something is sent as JSON, which no page of another site can.
 * What a proxy passed on is refused: webhooks come through one, and to the listener everybody behind it is this machine.
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
      return reply.code(404).send({ error: 'this client is in no quarantine' });
    }),
  );
  server.get('/api/clients/:provider/:clientId/login', (request, reply) => {
    const refusal = refusalOf(request, deps.host);
    if (refusal !== undefined) return reply.code(403).send({ error: refusal });
    const id = z.object({ provider: z.string(), clientId: z.string() }).parse(request.params);
    try {
      const view = deps.login(id);
      if (view === undefined) return reply.code(404).send({ error: 'no provider has this client' });
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
  if (!body.success) return reply.code(400).send({ error: 'send { "principal": "who decides this" }' });
  try {
    return await act({ id: body.data.principal }, body.data.override === true);
  } catch (error) {
    deps.logger.error({ error: messageOf(error) }, 'a ruling could not be carried out');
    return reply.code(503).send({ error: messageOf(error) });
  }
}

/** What proxies add; one that adds nothing cannot be told, and must pass on /events/ alone. */
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
    return 'the API has no login yet and is served on loopback listeners alone; set http.listen to 127.0.0.1:PORT';
  if (!isLoopback(request.ip) || !isLoopback(request.hostname))
    return 'the API answers to this machine alone';
  if (PASSED_ON.some((name) => request.headers[name] !== undefined))
    return 'the API does not answer through a proxy; pass on /events/ alone';
  if (request.headers.origin !== undefined) return 'the API does not answer to web pages';
  // What only reads is of no use to a page that cannot see the answer.
  if (request.method !== 'GET' && request.headers['content-type'] !== 'application/json')
    return 'send application/json';
  return undefined;
}

export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '').replace(/^::ffff:/, '');
  return bare === 'localhost' || bare === '::1' || /^127\.\d+\.\d+\.\d+$/.test(bare);
}

function parseJson(body: unknown): unknown {
  try {
    return JSON.parse(Buffer.isBuffer(body) ? body.toString('utf8') : '');
  } catch {
    return undefined;
  }
}
