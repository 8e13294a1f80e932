import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { isoText } from '../../clock.js';
import {
  type ApiAccess,
  browserRefusal,
  COOKIE,
  notHere,
  type Refusal,
  sendRefusal,
} from '../../daemon/api-access.js';
import { addChange, ChangeBody, type ChangeDeps } from '../../daemon/api-change.js';
import { type Caller, PERSONS_ROLES, type Person, rightsOf } from '../../daemon/rights.js';
import { messageOf } from '../../errors.js';
import { jsonIn } from '../../model/json-in.js';
import { safeParse } from '../../safe-parse.js';
import type { EntryCodes } from './entry-codes.js';
import type { OidcClient } from './oidc-client.js';
import type { Sessions } from './sessions.js';

export interface SessionApiDeps extends Pick<ChangeDeps, 'logger'> {
  readonly access: ApiAccess;
  readonly sessions: Sessions;
  readonly codes: EntryCodes;
  readonly instance: () => InstanceView;
  /** By the name of the provider. */
  readonly clients: ReadonlyMap<string, Pick<OidcClient, 'logoutAddress'>>;
}

export interface InstanceView {
  readonly name: string;
  readonly mode: string;
  readonly version: string;
  readonly commit: string | null;
}

const CodeBody = z.strictObject({ code: z.string().regex(/^[\w-]{22}$/) });

/** `/api/session`: signs in, shows who asks, and signs out. */
export function addSession(server: FastifyInstance, deps: SessionApiDeps): void {
  const { access, sessions, codes, logger } = deps;
  const view = (caller: Caller) => ({
    person: personOf(caller),
    roles: caller.kind === 'person' ? caller.person.roles : [],
    may: rightsOf(caller),
    instance: deps.instance(),
    again:
      caller.kind === 'person' && caller.person.isStale === true ? (caller.person.provider ?? null) : null,
    endsAt: caller.kind === 'person' ? isoText(caller.person.endsAt) : null,
  });

  const change = { access: onlyTokenFile(access), standby: async () => undefined, logger };
  addChange(server, '/api/session/code', 'read', change, ChangeBody, async ({ by, reply }) =>
    reply.code(201).send({ code: codes.make({ principal: by, roles: PERSONS_ROLES }) }),
  );

  server.post('/api/session', async (request, reply) => {
    const refusal = notHere(request) ?? browserRefusal(request, `http://${request.headers.host}`);
    if (refusal !== undefined) return sendRefusal(reply, refusal);
    if (request.headers.authorization !== undefined)
      return reply.code(400).send({ error: 'sign in without a token: a session begins with a code alone' });
    if (request.headers['content-type'] !== 'application/json')
      return reply.code(415).send({ error: 'send the request as application/json' });
    const body = safeParse(CodeBody, bodyOf(request)).data;
    if (body === undefined) return reply.code(400).send({ error: 'send { "code": "CODE" }' });
    const entrant = codes.take(body.code);
    if (entrant === undefined)
      return reply
        .code(401)
        .send({ error: 'this code was used, or is older than a minute; run scopemesh console again' });
    return attempt(reply, async () => {
      const opened = await sessions.open(entrant);
      const person = await sessions.find(opened.token);
      if (person === undefined) return reply.code(401).send({ error: 'the session ended at once' });
      logger.info({ by: person.principal.id, note: person.principal.note }, 'a person opened the console');
      return reply.code(201).send({ token: opened.token, session: view({ kind: 'person', person }) });
    });
  });

  server.get('/api/session', async (request, reply) => {
    const caller = access.callerOf(request);
    return 'status' in caller ? sendRefusal(reply, caller) : reply.send(view(caller));
  });

  server.delete('/api/session', async (request, reply) => {
    const person = personIn(access.callerOf(request));
    if ('status' in person) return sendRefusal(reply, person);
    return attempt(reply, async () => {
      const idToken = await sessions.end(access.sessionTokenOf(request) ?? '');
      reply.header('set-cookie', `${COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0`);
      const client = deps.clients.get(person.provider ?? '');
      // The session here is over in any case.
      const logout = idToken && (await client?.logoutAddress(idToken).catch(() => undefined));
      return logout === undefined || logout === '' ? reply.code(204).send() : reply.send({ logout });
    });
  });
}

function personOf(caller: Caller): { readonly id: string; readonly name: string } {
  switch (caller.kind) {
    case 'local':
      return { id: 'local', name: 'local' };
    case 'holder':
      return { id: `token:${caller.name}`, name: caller.name };
    case 'person': {
      const { id, note } = caller.person.principal;
      // Of several names the first is the one of the account.
      return { id, name: note?.split(', ')[0] ?? id };
    }
  }
}

function personIn(caller: Caller | Refusal): Person | Refusal {
  if ('status' in caller) return caller;
  return caller.kind === 'person' ? caller.person : { status: 401, error: 'only a session can be ended' };
}

/** A session must not prolong itself, and a token of `http.tokens` has rights of its own. */
function onlyTokenFile(access: ApiAccess): Pick<ApiAccess, 'callerOf'> {
  return {
    callerOf(request) {
      const caller = access.callerOf(request);
      if ('status' in caller || caller.kind === 'local') return caller;
      return { status: 403, error: 'only the token file in the state directory makes a code' };
    },
  };
}

async function attempt(reply: FastifyReply, work: () => Promise<FastifyReply>): Promise<FastifyReply> {
  try {
    return await work();
  } catch (error) {
    return reply.code(503).send({ error: `the sessions cannot be written: ${messageOf(error)}` });
  }
}

function bodyOf({ body }: FastifyRequest): unknown {
  return Buffer.isBuffer(body) ? jsonIn(body.toString('utf8')) : undefined;
}
