import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { type LoginView, loginDocument } from '../cli/login-view.js';
import { messageOf } from '../errors.js';
import { type Principal, systemUser, tokenHolder } from '../model/cause.js';
import type { Logger } from '../observe.js';
import { rejectedText } from '../plan/guards/approval.js';
import type { ClientId } from '../plan/world.js';
import type { Rulings, Verdict } from '../reconcile/rulings.js';
import { type Access, type Caller, sendRefusal } from './access.js';

export interface ApiDeps {
  /** Of the present term. */
  readonly rulings: () => Rulings;
  /** Why this replica cannot answer, and which one can; undefined if it leads. */
  readonly standby: () => Promise<string | undefined>;
  /** What a client may do with Consul; undefined if its directory was read and does not have it. */
  readonly login: (id: ClientId) => LoginView | undefined;
  readonly access: Access;
  readonly logger: Logger;
}

/** `user`: of the operating system, as a command on this machine reports it. */
const Body = z.strictObject({
  user: z
    .string()
    .regex(/^\P{Cc}{1,256}$/u)
    .exactOptional(),
  override: z.boolean().exactOptional(),
});

/**
 * `/api/*`. Every request needs a token: `Access` says which. The principal follows from the token, not from the request: a
 * holder has the name of the token; a command on this machine is the user of the operating system that it reports, who can
 * read a file that is the daemon's alone. No web page can use the API: it knows no token, its `Origin` is refused, and a
 * request that changes something must be JSON.
 */
export function addApi(server: FastifyInstance, deps: ApiDeps): void {
  const rule = (verdict: Verdict) => async (request: FastifyRequest, reply: FastifyReply) =>
    answer(request, reply, deps, async (by, override) => {
      const { id } = z.object({ id: z.string() }).parse(request.params);
      const result = await deps.rulings().onHold(id, verdict, by, override);
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
      if (await deps.rulings().release(client, by)) return reply.send(client);
      return reply.code(404).send({ error: 'this client is not in quarantine' });
    }),
  );
  server.get('/api/clients/:provider/:clientId/login', async (request, reply) => {
    const caller = deps.access.callerOf(request);
    if ('status' in caller) return sendRefusal(reply, caller);
    const standby = await deps.standby();
    if (standby !== undefined) return reply.code(503).send({ error: standby });
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
  const caller = deps.access.callerOf(request);
  if ('status' in caller) return sendRefusal(reply, caller);
  if (caller.kind === 'holder' && !caller.mayApprove)
    return reply.code(403).send({
      error: `the token of ${caller.name} only reads; to approve with it, set approve: on in its entry of http.tokens`,
    });
  if (request.headers['content-type'] !== 'application/json')
    return reply.code(415).send({ error: 'send the request as application/json' });
  const body = Body.safeParse(parseJson(request.body));
  const by = body.success ? principalOf(caller, body.data.user) : undefined;
  if (!body.success || by === undefined)
    return reply.code(400).send({
      error:
        caller.kind === 'local'
          ? 'send { "user": "NAME" } with the name of the user of the operating system, and no other key but "override"'
          : 'send {} or { "override": true }; the name of the principal is that of the token',
    });
  try {
    const standby = await deps.standby();
    if (standby !== undefined) return reply.code(503).send({ error: standby });
    return await act(by, body.data.override === true);
  } catch (error) {
    deps.logger.error({ error: messageOf(error) }, 'an approval or rejection failed');
    return reply.code(503).send({ error: messageOf(error) });
  }
}

/** Undefined if the body does not fit the caller. */
function principalOf(caller: Caller, user: string | undefined): Principal | undefined {
  if (caller.kind === 'holder') return user === undefined ? tokenHolder(caller.name) : undefined;
  return user === undefined ? undefined : systemUser(user);
}

function parseJson(body: unknown): unknown {
  try {
    return JSON.parse(Buffer.isBuffer(body) ? body.toString('utf8') : '');
  } catch {
    return undefined;
  }
}
