import { randomBytes } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { base64url, EncryptJWT, jwtDecrypt } from 'jose';
import { z } from 'zod';
import type { ConsoleRoles } from '../../../config/console-settings.js';
import type { Clock } from '../../clock.js';
import { COOKIE, notHere, type Refusal } from '../../daemon/api-access.js';
import { fieldOf } from '../../model/field-of.js';
import { isLoopbackHost } from '../../model/is-loopback.js';
import { issuedUntil } from '../../model/order.js';
import { sessionsOfLogin, sessionsOfPerson } from '../../model/session-names.js';
import type { Logger } from '../../observe.js';
import type { KeyValueStore } from '../../queue/key-value-store.js';
import type { SessionStore } from '../../queue/session-store.js';
import { safeParse } from '../../safe-parse.js';
import type { SendRefused } from '../shell.js';
import { addressOf, Callbacks } from './callbacks.js';
import type { EntryCodes } from './entry-codes.js';
import { loginFault, type OidcClient } from './oidc-client.js';
import { personOfClaims } from './person-of-claims.js';
import type { Sessions } from './sessions.js';

export interface LoginApiDeps {
  /** By the name of the provider. */
  readonly clients: ReadonlyMap<string, Pick<OidcClient, 'provider' | 'begin' | 'finish' | 'verifyLogout'>>;
  /** Of `http.console.url`; undefined without it, and then there are no clients. */
  readonly origin: string | undefined;
  readonly roles: ConsoleRoles;
  readonly sessions: Sessions;
  readonly codes: EntryCodes;
  readonly keyValues: Pick<KeyValueStore, 'get' | 'replace'>;
  readonly sendRefused: SendRefused;
  readonly logger: Logger;
  readonly clock: Pick<Clock, 'now'>;
}

const LOGIN_MS = 10 * 60_000;
const KEY_NAME = 'console/login-key';
const ATTEMPT = z.object({
  provider: z.string(),
  state: z.string(),
  nonce: z.string(),
  verifier: z.string(),
  maxAge: z.number(),
  to: z.string(),
});
/** On this site alone: no second slash makes another host of it. */
const PATH = /^\/(?![/\\])[\x21-\x7e]{0,1000}$/;

/** `GET /login…`: sends the browser to the identity provider, and takes it back. Nothing is stored before the person is known. */
export function addLogin(server: FastifyInstance, deps: LoginApiDeps): void {
  const { clients, roles, sessions, codes, sendRefused, logger, clock } = deps;
  const { origin = '' } = deps;
  const isSecure = origin.startsWith('https:');
  const cookie = isSecure ? '__Host-scopemesh-login' : 'scopemesh-login';
  const flags = `Path=/; HttpOnly; ${isSecure ? 'Secure; ' : ''}`;
  const forget = `${cookie}=; ${flags}SameSite=Lax; Max-Age=0`;
  const callbacks = new Callbacks();

  server.get('/login', async (_request, reply) => reply.send({ logins: [...clients.keys()] }));

  server.get<{ Params: { provider: string } }>('/login/:provider', async (request, reply) => {
    const client = clients.get(request.params.provider);
    if (client === undefined) return sendRefused(request, reply.code(404), 'noLogin', NO_LOGIN);
    const refusal = hostRefusal(request, origin);
    if (refusal === 'elsewhere') return reply.redirect(`${origin}${request.url}`);
    if (refusal !== undefined)
      return sendRefused(request, reply.code(refusal.status), 'elsewhere', refusal.error);
    const to = safeParse(z.string().regex(PATH), fieldOf(request.query, 'to')).data ?? '/';
    try {
      const { address, attempt } = await client.begin(fieldOf(request.query, 'again') === '1');
      const sealed = await new EncryptJWT({ ...attempt, provider: client.provider, to })
        .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
        .setExpirationTime(new Date(clock.now() + LOGIN_MS))
        .encrypt(await loginKey(deps));
      return reply
        .header('set-cookie', `${cookie}=${sealed}; ${flags}SameSite=Lax; Max-Age=${LOGIN_MS / 1000}`)
        .header('cache-control', 'no-store')
        .redirect(address.href);
    } catch (error) {
      const why = `no login at ${client.provider}: ${loginFault(error)}`;
      return sendRefused(request, reply.code(503), 'unavailable', why);
    }
  });

  server.get<{ Params: { provider: string } }>('/login/:provider/callback', async (request, reply) => {
    const client = clients.get(request.params.provider);
    if (client === undefined) return sendRefused(request, reply.code(404), 'noLogin', NO_LOGIN);
    const refusal = hostRefusal(request, origin);
    if (refusal === 'elsewhere') return sendRefused(request, reply.code(403), 'elsewhere', ANOTHER_HOST);
    if (refusal !== undefined)
      return sendRefused(request, reply.code(refusal.status), 'elsewhere', refusal.error);
    reply.header('cache-control', 'no-store');
    const attempt = await attemptIn(request, cookie, deps);
    // What does not fit costs no request to the identity provider.
    const isOurs = attempt?.provider === client.provider && attempt.state === fieldOf(request.query, 'state');
    const from = addressOf(request);
    const begun = isOurs ? callbacks.begin(attempt.state, from) : 'used';
    if (begun === 'busy')
      return sendRefused(request, reply.code(503).header('retry-after', '1'), 'busy', BUSY);
    reply.header('set-cookie', forget);
    if (!isOurs || begun === 'used') return sendRefused(request, reply.code(400), 'notBegun', NOT_BEGUN);
    try {
      const signedIn = await client.finish(request.url.replace(/^[^?]*\??/, ''), attempt);
      const entrant = personOfClaims(client.provider, signedIn, roles, clock.now());
      if (entrant === undefined)
        return sendRefused(request, reply.code(403), 'noPerson', 'the identity provider names no person');
      const { principal, roles: given } = entrant;
      // A session without a role would read nothing, and would take the place of another one.
      if (given.length === 0) {
        logger.warn({ by: principal.id, note: principal.note }, 'a person without a role was turned away');
        return sendRefused(request, reply.code(403), 'noRole', noRole(roles.claim));
      }
      logger.info({ by: principal.id, note: principal.note, roles: given }, 'a person signed in');
      if (!isSecure)
        return reply.redirect(`${origin}${attempt.to.replace(/#.*/, '')}#code=${codes.make(entrant)}`);
      const { token: sessionToken } = await sessions.open(entrant);
      return reply
        .header('set-cookie', [forget, `${COOKIE}=${sessionToken}; ${flags}SameSite=Strict`])
        .redirect(`${origin}${attempt.to}`);
    } catch (error) {
      const why = loginFault(error);
      logger.warn({ provider: client.provider, error: why }, 'a login failed');
      const isDenied = fieldOf(error, 'error') === 'access_denied';
      return sendRefused(
        request,
        reply.code(401),
        isDenied ? 'denied' : 'failed',
        `the login failed: ${why}`,
      );
    } finally {
      callbacks.end(from);
    }
  });
}

/** `POST /events/:provider/logout`: OpenID Connect Back-Channel Logout 1.0. On the listener that the identity provider reaches. */
export function addBackChannelLogout(
  server: FastifyInstance,
  { clients, store, logger }: Pick<LoginApiDeps, 'clients' | 'logger'> & { readonly store: SessionStore },
): void {
  server.post<{ Params: { provider: string } }>('/events/:provider/logout', async (request, reply) => {
    reply.header('cache-control', 'no-store');
    const client = clients.get(request.params.provider);
    if (client === undefined) return reply.code(404).send({ error: NO_LOGIN });
    const form = Buffer.isBuffer(request.body) ? request.body.toString('utf8') : '';
    const refuse = (error: string) =>
      reply.code(400).send({ error: 'invalid_request', error_description: error });
    let ended: Awaited<ReturnType<OidcClient['verifyLogout']>>;
    try {
      ended = await client.verifyLogout(new URLSearchParams(form).get('logout_token') ?? '');
    } catch (error) {
      return refuse(loginFault(error));
    }
    const { sub, sid, at } = ended;
    // With a sub all sessions of the person: some providers name one sid for several logins.
    const name =
      sub === undefined
        ? sessionsOfLogin(client.provider, sid ?? '')
        : sessionsOfPerson(client.provider, sub);
    try {
      await store.endNamed(name, issuedUntil({ at }));
    } catch {
      return reply
        .code(503)
        .header('retry-after', '2')
        .send({ error: 'the session could not be ended; send it again' });
    }
    logger.info({ name }, 'the identity provider ended the sessions of a person');
    return reply.send();
  });
}

const BUSY = 'too many logins at once; try again';
const NOT_BEGUN = 'this login was not begun in this browser, was used, or is too old; begin it again';
const noRole = (claim: string) =>
  `you have no role here: the identity provider gives you none of the values of ${claim} that http.console.roles names; ask an operator of scopemesh`;
const NO_LOGIN = 'http.console.login has no provider of this name';
const ANOTHER_HOST = 'this is not the host of http.console.url';

/** Why a request is not for the console; `elsewhere`: it is for another name of this machine. */
function hostRefusal(request: FastifyRequest, origin: string): Refusal | 'elsewhere' | undefined {
  const isHost = request.host === origin.replace(/^https?:\/\//, '');
  if (origin.startsWith('https:'))
    return isHost
      ? undefined
      : { status: 403, error: 'this is not the host of http.console.url; let the proxy pass on Host' };
  const refusal = notHere(request);
  if (refusal !== undefined || isHost) return refusal;
  return isLoopbackHost(request.host) ? 'elsewhere' : { status: 403, error: ANOTHER_HOST };
}

async function attemptIn(
  { headers }: FastifyRequest,
  cookie: string,
  deps: LoginApiDeps,
): Promise<z.infer<typeof ATTEMPT> | undefined> {
  const sealed = (headers.cookie ?? '').split('; ').find((each) => each.startsWith(`${cookie}=`));
  if (sealed === undefined) return undefined;
  try {
    const { payload } = await jwtDecrypt(sealed.slice(cookie.length + 1), await loginKey(deps), {
      currentDate: new Date(deps.clock.now()),
      keyManagementAlgorithms: ['dir'],
      contentEncryptionAlgorithms: ['A256GCM'],
      requiredClaims: ['exp'],
    });
    return safeParse(ATTEMPT, payload).data;
  } catch {
    return undefined;
  }
}

/** One key for all replicas, so that one of them takes back who left from another. */
async function loginKey({ keyValues }: Pick<LoginApiDeps, 'keyValues'>): Promise<Uint8Array> {
  const kept = await keyValues.get(KEY_NAME);
  if (kept !== undefined) return base64url.decode(kept);
  await keyValues.replace(KEY_NAME, undefined, randomBytes(32).toString('base64url'));
  return loginKey({ keyValues });
}
