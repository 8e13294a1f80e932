import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { type LoginView, loginDocument } from '../app/login-view.js';
import { messageOf } from '../errors.js';
import { type Rulings, type RulingVerdict, rulingAnswer } from '../operator/rulings.js';
import type { ClientId } from '../plan/world.js';
import { onlyCallers } from './api-access.js';
import { addChange, ChangeBody, type ChangeDeps } from './api-change.js';

interface ApiDeps extends ChangeDeps {
  /** Of the present term. */
  readonly rulings: () => Rulings;
  /** What a client may do with Consul; undefined if its directory was read and does not have it. */
  readonly login: (id: ClientId) => LoginView | undefined;
}

const CLIENT = z.object({ provider: z.string(), clientId: z.string() });
const Body = ChangeBody.extend({ override: z.boolean().exactOptional() });

/**
 * `/api/*`. Every request needs a token: `Access` says which. The principal follows from the token, not from the request: a
 * holder has the name of the token; a command on this machine is the user of the operating system that it reports, who can
 * read a file that is the daemon's alone. No web page can use the API: it knows no token, its `Origin` is refused, and a
 * request that changes something must be JSON.
 */
export function addApi(server: FastifyInstance, deps: ApiDeps): void {
  const addRuling = (verdict: RulingVerdict) =>
    addChange(
      server,
      `/api/holds/:id/${verdict}`,
      verdict,
      deps,
      Body,
      async ({ by, body, params, reply }) => {
        const { id } = z.object({ id: z.string() }).parse(params);
        const result = await deps.rulings().onHold(id, verdict, by, body.override === true);
        const answer = rulingAnswer(id, result, verdict);
        if ('error' in answer) return reply.code(result.kind === 'unknown' ? 404 : 409).send(answer);
        return reply.code(result.kind === 'first' ? 202 : 200).send(answer);
      },
    );
  addRuling('approve');
  addRuling('reject');
  const release = '/api/quarantines/:provider/:clientId/release';
  addChange(server, release, 'release', deps, Body, async ({ by, params, reply }) => {
    const client = CLIENT.parse(params);
    const result = await deps.rulings().release(client, by);
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
    const id = CLIENT.parse(request.params);
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
