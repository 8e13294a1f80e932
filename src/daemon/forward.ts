import { hostname } from 'node:os';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Agent, request as send } from 'undici';
import { messageOf } from '../errors.js';
import { isLoopback } from '../model/is-loopback.js';
import type { Leader } from '../model/leader.js';
import type { Logger } from '../observe.js';
import type { Fence } from '../queue/fence.js';
import type { ApiAccess } from './api-access.js';

export interface ForwardDeps {
  readonly access: Pick<ApiAccess, 'callerOf'>;
  readonly isLeader: () => boolean;
  /** Of the store, which also has the sessions. What Consul says of the leader is no proof. */
  readonly fence: Pick<Fence, 'read'>;
  readonly logger: Logger;
}

/** Headers that belong to one connection (RFC 9110, section 7.6.1), or that the new request gets by itself. */
const OWN_HEADERS =
  /^(connection|keep-alive|te|trailer|transfer-encoding|upgrade|content-length|expect)$|^proxy-/;
/** Names the replica that forwards. A request that has it is not forwarded again. */
const FORWARDED_BY = 'scopemesh-replica';
const CONNECT_MS = 2_000;
const HEADERS_MS = 60_000;

/**
 * Hooks of a listener: a replica that does not lead asks the leader what a person of the console, or a holder of a token,
 * asks it. Behind one address for all replicas each request may reach another one. All of them know the sessions, so the
 * leader judges the request once more, by the same headers.
 */
export function forwardToLeader(
  server: FastifyInstance,
  { access, isLeader, fence, logger }: ForwardDeps,
): void {
  const agent = new Agent({ connect: { timeout: CONNECT_MS }, headersTimeout: HEADERS_MS, bodyTimeout: 0 });
  server.addHook('onClose', () => agent.destroy());
  server.addHook('preHandler', async (request, reply) => {
    if (isLeader() || !isForLeader(request)) return;
    const caller = access.callerOf(request);
    if ('status' in caller || caller.kind === 'local') return;
    const record = await fence.read().catch(() => undefined);
    if (record?.isAlive !== true) return;
    const isOfMachine = caller.kind === 'person' && caller.person.provider === undefined;
    const origin = reachable(record.leader, isOfMachine);
    if (origin === undefined) return;
    const gone = new AbortController();
    reply.raw.once('close', () => gone.abort());
    const { method, body } = request;
    try {
      const answer = await send(origin + request.url, {
        dispatcher: agent,
        method: method === 'POST' || method === 'DELETE' || method === 'HEAD' ? method : 'GET',
        headers: { ...passedOn(request.headers), [FORWARDED_BY]: hostname() },
        ...(body instanceof Buffer ? { body } : {}),
        signal: gone.signal,
      });
      return await reply.code(answer.statusCode).headers(passedOn(answer.headers)).send(answer.body);
    } catch (error) {
      if (gone.signal.aborted) return reply;
      const { replica } = record.leader;
      logger.warn(
        { replica, origin, error: messageOf(error) },
        'a request could not be forwarded to the leader',
      );
      const text = `the leader, ${replica} at ${origin}, did not answer; look whether a change was made before you repeat it`;
      return reply.code(503).header('retry-after', '1').send({ error: text, code: 'Unreachable' });
    }
  });
}

/** Sessions begin and end at any replica. */
function isForLeader({ url, headers, is404 }: FastifyRequest): boolean {
  return /^\/api\/(?!session\b)/.test(url) && !is404 && headers[FORWARDED_BY] === undefined;
}

/** Only on its own host does a leader have a loopback address, and believe a person who proved to be on the machine. */
function reachable({ address, host }: Leader, isOfMachine: boolean): string | undefined {
  const url = address !== undefined && URL.canParse(address) ? new URL(address) : undefined;
  if (url?.protocol !== 'http:') return undefined;
  const isHere = host === hostname();
  return isHere || !(isOfMachine || isLoopback(url.hostname)) ? url.origin : undefined;
}

function passedOn(headers: Readonly<Record<string, string | string[] | undefined>>) {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !OWN_HEADERS.test(name)));
}
