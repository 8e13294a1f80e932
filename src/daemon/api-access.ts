import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { HttpToken } from '../../config/config.js';
import { isLoopback, isLoopbackHost } from '../model/is-loopback.js';
import type { Secret } from '../model/secret.js';

/** Who sends a request, as far as the request proves it. */
export type Caller =
  /** Knows the token file in the state directory, and is on this machine. */
  | { readonly kind: 'local' }
  /** Knows a token of `http.tokens`. */
  | { readonly kind: 'holder'; readonly name: string; readonly mayApprove: boolean };

export interface Refusal {
  readonly status: 401 | 403;
  readonly error: string;
}

/** Which requests one listener answers. */
export interface ApiAccess {
  /** For the API. */
  callerOf(request: FastifyRequest): Caller | Refusal;
  /** For the status and the metrics: why this request may not read; undefined if it may. */
  readRefusal(request: FastifyRequest): Refusal | undefined;
}

export interface ApiAccessSettings {
  /** Where the listener listens. */
  readonly host: string;
  /** A reload changes this list in place. */
  readonly tokens: readonly HttpToken[];
  /** The token for commands on this machine, and the file that has it. */
  readonly local: { readonly token: Secret; readonly path: string };
}

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
 * - Without a token, the status and the metrics are served on a loopback listener to this machine itself. The name that
 *   the request gives must be a loopback name: a page whose name was rebound to 127.0.0.1 has another one.
 */
export function createApiAccess({ host, tokens, local }: ApiAccessSettings): ApiAccess {
  const isListenerLocal = isLoopback(host);
  const own = { caller: { kind: 'local' } as const, digest: sha256(local.token.reveal()) };
  const known = () => [
    own,
    ...tokens.map(({ name, token, approve }) => ({
      caller: { kind: 'holder', name, mayApprove: approve } as const,
      digest: sha256(token.reveal()),
    })),
  ];

  const identify = (request: FastifyRequest): Caller | Refusal | undefined => {
    const { authorization } = request.headers;
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

  return {
    callerOf(request) {
      if (request.headers.origin !== undefined) return refuse(403, 'the API does not answer web pages');
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
      if (caller !== undefined) return 'status' in caller ? caller : undefined;
      if (isListenerLocal) return notHere(request);
      return refuse(
        401,
        tokens.length === 0
          ? 'this listener is open to other machines and http.tokens is empty; add a token there and send it as "Authorization: Bearer TOKEN"'
          : 'send a token of http.tokens as "Authorization: Bearer TOKEN"',
      );
    },
  };
}

/** A hook that refuses requests without a caller. */
export function onlyCallers(access: ApiAccess) {
  return async (request: FastifyRequest, reply: FastifyReply) => {
    const caller = access.callerOf(request);
    if ('status' in caller) return sendRefusal(reply, caller);
  };
}

/** By whom requests are counted: everybody who reads the token file is one. */
export function principalOf(access: ApiAccess, request: FastifyRequest): string {
  const caller = access.callerOf(request);
  return 'kind' in caller && caller.kind === 'holder' ? `token:${caller.name}` : 'local';
}

export function sendRefusal(reply: FastifyReply, { status, error }: Refusal): FastifyReply {
  // RFC 6750, section 3.
  if (status === 401) reply.header('www-authenticate', `Bearer realm="${REALM}"`);
  return reply.code(status).send({ error });
}

/** Why a request does not come from this machine itself; undefined if it does. */
function notHere(request: FastifyRequest): Refusal | undefined {
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
