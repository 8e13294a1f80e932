import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { type LoginView, loginDocument } from '../app/login-view.js';
import { messageOf } from '../errors.js';
import { commenting, type Principal } from '../model/cause.js';
import { fromSegments } from '../model/segment.js';
import { type Rulings, type RulingVerdict, rulingAnswer } from '../operator/rulings.js';
import type { ClientId } from '../plan/world.js';
import { onlyCallers } from './api-access.js';
import { addChange, ChangeBody, type ChangeDeps, ChangeRefused } from './api-change.js';
import type { Caller } from './rights.js';
import { type FindWaiting, requireComment, requireSeen, SEEN_FIELDS } from './seen.js';

interface ApiDeps extends ChangeDeps {
  /** Of the present term. */
  readonly rulings: () => Rulings;
  readonly waiting: FindWaiting;
  /** By which a quarantine waits. */
  readonly quarantineId: (id: ClientId) => string;
  /** What a client may do with Consul; undefined if its directory was read and does not have it. */
  readonly login: (id: ClientId) => LoginView | undefined;
}

const CLIENT = z.object({ provider: z.string(), clientId: z.string() });
const HOLD = { override: z.boolean().exactOptional(), fingerprint: SEEN_FIELDS.fingerprint };
const Body = ChangeBody.extend({ ...HOLD, ...SEEN_FIELDS });
const MOST_AT_ONCE = 100;
const ManyBody = ChangeBody.extend({
  comment: SEEN_FIELDS.comment,
  holds: z
    .array(z.strictObject({ id: z.string().min(1).max(128), ...HOLD }))
    .min(1)
    .max(MOST_AT_ONCE),
});

/** What a person says about one hold. */
interface Said {
  readonly override?: boolean;
  readonly fingerprint?: string;
}

/**
 * `/api/*`. Every request needs a token: `Access` says which. The principal follows from the token, not from the request: a
 * holder has the name of the token; a command on this machine is the user of the operating system that it reports, who can
 * read a file that is the daemon's alone. No web page can use the API: it knows no token, its `Origin` is refused, and a
 * request that changes something must be JSON.
 */
export function addApi(server: FastifyInstance, deps: ApiDeps): void {
  const rule = async (id: string, verdict: RulingVerdict, said: Said, by: Principal, caller: Caller) => {
    await requireSeen(id, said.fingerprint, caller, deps.waiting);
    const result = await deps.rulings().onHold(id, verdict, by, said.override === true);
    const answer = rulingAnswer(id, result, verdict);
    if ('error' in answer) return { status: result.kind === 'unknown' ? 404 : 409, answer };
    return { status: result.kind === 'first' ? 202 : 200, answer };
  };
  const addRuling = (verdict: RulingVerdict) => {
    addChange(server, `/api/holds/:id/${verdict}`, verdict, deps, Body, async (change) => {
      const { by, caller, body, params, reply } = change;
      const { id } = z.object({ id: z.string() }).parse(params);
      requireComment(caller, body.comment);
      const { status, answer } = await rule(id, verdict, body, commenting(by, body.comment), caller);
      return reply.code(status).send(answer);
    });
    addChange(server, `/api/holds/${verdict}`, verdict, deps, ManyBody, async (change) => {
      const { by, caller, body, reply } = change;
      requireComment(caller, body.comment);
      const outcomes: object[] = [];
      for (const { id, ...said } of body.holds) {
        const one = rule(id, verdict, said, commenting(by, body.comment), caller);
        const { status, answer } = await one.catch((error: unknown) =>
          error instanceof ChangeRefused ? error : { status: 503, answer: { error: messageOf(error) } },
        );
        outcomes.push({ ...answer, id, status });
      }
      return reply.send({ outcomes });
    });
  };
  addRuling('approve');
  addRuling('reject');
  const release = '/api/quarantines/:provider/:clientId/release';
  addChange(server, release, 'release', deps, Body, async ({ by, caller, body, params, reply }) => {
    const client = CLIENT.parse(params);
    requireComment(caller, body.comment);
    await requireSeen(deps.quarantineId(client), body.fingerprint, caller, deps.waiting);
    const result = await deps.rulings().release(client, commenting(by, body.comment));
    switch (result.kind) {
      case 'ruled':
        return reply.send(client);
      case 'first':
        return reply.code(202).send({ ...client, needsSecond: true });
      case 'refused':
        return reply.code(409).send({ error: result.why });
      case 'unknown':
        return reply.code(404).send({ error: 'this client is not in quarantine' });
    }
  });
  const preHandler = onlyCallers(deps.access);
  server.get('/api/clients/:provider/:clientId/login', { preHandler }, async (request, reply) => {
    const standby = await deps.standby();
    if (standby !== undefined) return reply.code(503).send({ error: standby });
    const id = CLIENT.parse(fromSegments(request.params));
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
