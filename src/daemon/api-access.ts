import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { HttpToken } from '../../config/config.js';
import { isLoopback, isLoopbackHost } from '../model/is-loopback.js';
import type { Secret } from '../model/secret.js';
import { type Action, type Caller, type Person, principalOf, rightOf } from './rights.js';

export interface Refusal {
  readonly status: 400 | 401 | 403;
  readonly error: string;
}

/** Which requests one listener answers. */
export interface ApiAccess {
  /** For the API. */
  callerOf(request: FastifyRequest): Caller | Refusal;
  /** For the status and the metrics: why this request may not read; undefined if it may. */
  readRefusal(request: FastifyRequest): Refusal | undefined;
  /** A hook of every request, before the others: looks up the session that the request names. */
  readSession(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined>;
  /** The token of the session that a request names, by header or cookie. */
  sessionTokenOf(request: FastifyRequest): string | undefined;
  /** For an open stream: aborts within two seconds once its caller may not read any more. */
  watch(request: FastifyRequest): CallerWatch;
}

export interface CallerWatch {
  readonly ended: AbortSignal;
  /** The stream is over. */
  close(): void;
}

/** The person of a session; undefined if it is over. Each use extends it. */
export type FindSession = (sessionToken: string, isUse: boolean) => Promise<Person | undefined>;

export interface ApiAccessSettings {
  /** Where the listener listens. */
  readonly host: string;
  /** A reload changes this list in place. */
  readonly tokens: readonly HttpToken[];
  /** The token for commands on this machine, and the file that has it. */
  readonly local: { readonly token: Secret; readonly path: string };
  /** None without the console. */
  readonly findSession?: FindSession;
  /** Of `http.console.url`. With https a session is a cookie there. */
  readonly origin?: string;
}

interface SentSession {
  readonly token: string;
  readonly isCookie: boolean;
  /** Why it does not come from the console's page. */
  refusal(): Refusal | undefined;
}

/** The prefix keeps other hosts and plain http from setting it. */
export const COOKIE = '__Host-scopemesh';
const SESSION_COOKIE = /(?:^|; )__Host-scopemesh=([\w-]{43})(?:;|$)/;
const NO_PAGES = 'the API does not answer web pages but its own console';
const SESSION_OVER = 'this session is over; sign in again, with scopemesh console on this machine';
/** How often the callers of open streams are looked up. */
const WATCH_MS = 1_000;

/** Proves by the realm that the answer comes from scopemesh and not from another program. */
const REALM = 'scopemesh';

/**
 * Names of headers that proxies add, by their parts: there are many, and each product has its own. A proxy that adds none
 * cannot be recognised and must pass on only /events/.
 */
const PASSED_ON =
  /forward|prox|^via$|^cdn-|^cf-|^x-(envoy|amzn?|azure|appengine|cloud|arr|scheme|url-scheme)|^front-end-https$|(client|real|connecting|remote|origin(al|ating)|cluster|user)[-_]?(ip|addr|host|port|proto|scheme|ur[il])/;

/**
 * - A token of `http.tokens` is good on every listener, also through a proxy that adds TLS.
 * - The token of the state directory is good only from this machine itself.
 * - Without a token, the status and the metrics are served on a loopback listener to this machine itself, unless a proxy
 *   shows the console to others. The name that the request gives must be a loopback name: a page whose name was rebound to
 *   127.0.0.1 has another one.
 */
export function createApiAccess(settings: ApiAccessSettings): ApiAccess {
  const { host, tokens, local, findSession = async () => undefined, origin } = settings;
  const isListenerLocal = isLoopback(host);
  const own = { caller: { kind: 'local' } as const, digest: sha256(local.token.reveal()) };
  const known = () => [
    own,
    ...tokens.map(({ name, token, approve }) => ({
      caller: { kind: 'holder', name, mayApprove: approve } as const,
      digest: sha256(token.reveal()),
    })),
  ];

  /** What `readSession` found. */
  const sessions = new WeakMap<FastifyRequest, Person>();

  const cookieOrigin = origin?.startsWith('https:') ? origin : undefined;
  const sessionIn = (request: FastifyRequest): SentSession | undefined => {
    const { authorization = '', cookie = '' } = request.headers;
    const [, inCookie] = cookieOrigin === undefined ? [] : (SESSION_COOKIE.exec(cookie) ?? []);
    if (inCookie !== undefined && cookieOrigin !== undefined)
      return {
        token: inCookie,
        isCookie: true,
        refusal: () =>
          authorization === ''
            ? browserRefusal(request, cookieOrigin)
            : refuse(400, 'send the cookie of a session or a token, not both'),
      };
    const [, inHeader] = /^Session ([\w-]{43})$/.exec(authorization) ?? [];
    if (inHeader === undefined) return undefined;
    return {
      token: inHeader,
      isCookie: false,
      refusal: () => notHere(request) ?? browserRefusal(request, `http://${request.headers.host}`),
    };
  };

  const identify = (request: FastifyRequest): Caller | Refusal | undefined => {
    const { authorization } = request.headers;
    const session = sessionIn(request);
    if (session !== undefined) {
      const person = sessions.get(request);
      const refusal = session.refusal();
      if (refusal !== undefined) return refusal;
      // The token file is good on this machine alone, and so is a session that began with it.
      const isMissing = person === undefined || (session.isCookie && person.provider === undefined);
      return isMissing ? refuse(401, SESSION_OVER) : { kind: 'person', person };
    }
    if (authorization === undefined) return undefined;
    const [, sent] = /^Bearer ([\x21-\x7e]+)$/i.exec(authorization) ?? [];
    if (sent === undefined) return refuse(401, 'send the token as "Authorization: Bearer TOKEN"');
    const digest = sha256(sent);
    let caller: Caller | undefined;
    // All are compared, so that the time of the answer says nothing about which one is near.
    for (const each of known()) if (timingSafeEqual(digest, each.digest)) caller = each.caller;
    if (caller === undefined)
      return refuse(401, 'the token is not one of http.tokens, and not the one in the state directory');
    return (caller.kind === 'local' ? notHere(request) : undefined) ?? caller;
  };

  /** Of open streams. */
  const watched = new Map<AbortController, FastifyRequest>();
  let looking: NodeJS.Timeout | undefined;
  let isLooking = false;
  const look = async () => {
    if (isLooking) return;
    isLooking = true;
    for (const [end, request] of watched) {
      const sent = sessionIn(request);
      const isOver =
        sent === undefined
          ? 'status' in (identify(request) ?? {})
          : // In doubt it is over: the reader connects again and is told why.
            (await findSession(sent.token, false).catch(() => undefined)) === undefined;
      if (isOver) end.abort();
    }
    isLooking = false;
  };

  return {
    async readSession(request, reply) {
      const sent = sessionIn(request);
      // What is refused in any case costs no read, and is no use of a session.
      if (sent === undefined || sent.refusal() !== undefined) return undefined;
      try {
        const person = await findSession(sent.token, true);
        if (person !== undefined) sessions.set(request, person);
        return undefined;
      } catch {
        return reply.code(503).send({ error: 'the sessions cannot be read; run scopemesh doctor' });
      }
    },
    sessionTokenOf: (request) => sessionIn(request)?.token,
    watch(request) {
      const end = new AbortController();
      watched.set(end, request);
      looking ??= setInterval(() => void look(), WATCH_MS).unref();
      return {
        ended: end.signal,
        close() {
          watched.delete(end);
          if (watched.size > 0) return;
          clearInterval(looking);
          looking = undefined;
        },
      };
    },
    callerOf(request) {
      if (request.headers['sec-fetch-site'] === 'cross-site') return refuse(403, NO_PAGES);
      if (request.headers.origin !== undefined && sessionIn(request) === undefined)
        return refuse(403, NO_PAGES);
      const caller = identify(request);
      if (caller !== undefined) return caller;
      const remote = 'send a token of http.tokens as "Authorization: Bearer TOKEN"';
      if (!isListenerLocal) return refuse(401, remote);
      return (
        notHere(request) ?? refuse(401, `send the token in ${local.path} as "Authorization: Bearer TOKEN"`)
      );
    },
    readRefusal(request) {
      const caller = identify(request);
      if (caller !== undefined) return 'status' in caller ? caller : refusalOf(caller, 'read');
      // Behind the proxy of the console each request comes from this machine.
      if (isListenerLocal && cookieOrigin === undefined) return notHere(request);
      return refuse(
        401,
        tokens.length === 0
          ? 'this listener is open to other machines and http.tokens is empty; add a token there and send it as "Authorization: Bearer TOKEN"'
          : 'send a token of http.tokens as "Authorization: Bearer TOKEN"',
      );
    },
  };
}

/** A hook that refuses requests without a caller, and callers that may not read. */
export function onlyCallers(access: Pick<ApiAccess, 'callerOf'>) {
  return async (request: FastifyRequest, reply: FastifyReply) => {
    const caller = access.callerOf(request);
    const refusal = 'status' in caller ? caller : refusalOf(caller, 'read');
    if (refusal !== undefined) return sendRefusal(reply, refusal);
  };
}

/** Why this caller may not do it; undefined if it may. */
export function refusalOf(caller: Caller, action: Action): Refusal | undefined {
  const right = rightOf(caller, action);
  return right === true ? undefined : refuse(403, right);
}

/** By whom requests are counted: everybody who reads the token file is one. */
export function askerOf(access: Pick<ApiAccess, 'callerOf'>, request: FastifyRequest): string {
  const caller = access.callerOf(request);
  return principalOf('status' in caller ? { kind: 'local' } : caller).id;
}

export function sendRefusal(reply: FastifyReply, { status, error }: Refusal): FastifyReply {
  // RFC 6750, section 3.
  if (status === 401) reply.header('www-authenticate', `Bearer realm="${REALM}"`);
  return reply.code(status).send({ error });
}

/**
 * Why a request does not come from the console's own page, which is at `own`; undefined if it does. A browser sends both
 * headers itself.
 */
export function browserRefusal({ method, headers }: FastifyRequest, own: string): Refusal | undefined {
  const isRead = method === 'GET' || method === 'HEAD';
  const { origin, host = '', 'sec-fetch-site': site } = headers;
  if (host !== own.replace(/^https?:\/\//, ''))
    return refuse(403, 'this is not the host of http.console.url; let the proxy pass on Host');
  const isOwn = (site ?? (isRead ? 'same-origin' : '')) === 'same-origin';
  if (isOwn && (origin ?? (isRead ? own : '')) === own) return undefined;
  return refuse(403, NO_PAGES);
}

/** Why a request does not come from this machine itself; undefined if it does. */
export function notHere(request: FastifyRequest): Refusal | undefined {
  const names = request.raw.rawHeaders.filter((_, index) => index % 2 === 0);
  // Of two headers `Host` the server shows the first, and whoever passed the request on may have gone by the other.
  const isOneHost = names.filter((name) => name.toLowerCase() === 'host').length === 1;
  if (!isLoopback(request.ip) || !isOneHost || !isLoopbackHost(request.host))
    return refuse(
      403,
      'without a token of http.tokens this is only for requests from this machine to localhost',
    );
  if (names.some((name) => PASSED_ON.test(name.toLowerCase())))
    return refuse(
      403,
      'without a token of http.tokens this does not answer through a proxy; let the proxy pass on only /events/',
    );
  return undefined;
}

function refuse(status: Refusal['status'], error: string): Refusal {
  return { status, error };
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
