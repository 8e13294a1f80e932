import Fastify, { type FastifyInstance } from 'fastify';
import type { HostPort } from '../../config/fields.js';
import { codeOf, SyncError } from '../errors.js';
import { type ClosedReason, limitConnections } from '../intake/admission.js';

/** An event longer than this is refused. */
export const BODY_LIMIT = 1024 * 1024;

/** A client ID has up to 255 characters. The server's own limit for a part of a path is 100. */
const MAX_PARAMETER_LENGTH = 512;

/**
 * `connections` stays far below what a process may open, so that a flood of connections cannot cut scopemesh off from
 * Consul. One address may have half of them: a proxy in front of scopemesh is one address. A request ends `requestMs`
 * after its start; the server checks this every `checkMs`.
 */
const LIMITS = {
  connections: 512,
  connectionsPerAddress: 256,
  unfinishedPerAddress: 64,
  unfinished: 128,
  requestMs: 10_000,
  checkMs: 1_000,
  /** The error of a 404. */
  notFound: 'not found',
};

/** The server of one listener: the same limits and timeouts for all its routes. */
export function createHttpServer(
  limits: Partial<typeof LIMITS> = {},
  onClosed?: (address: string, reason: ClosedReason) => void,
): FastifyInstance {
  const all = { ...LIMITS, ...limits };
  const { requestMs, checkMs, notFound } = all;
  const server = Fastify({
    bodyLimit: BODY_LIMIT,
    requestTimeout: requestMs,
    // Node uses the longer of the two timeouts for the whole request, and that for the headers is a minute by default.
    http: { headersTimeout: requestMs, requestTimeout: requestMs, connectionsCheckingInterval: checkMs },
    routerOptions: { maxParamLength: MAX_PARAMETER_LENGTH },
    connectionTimeout: 30_000,
    keepAliveTimeout: 30_000,
    trustProxy: false,
  });
  const admission = limitConnections(server.server, all, onClosed);
  server.addHook('onRequest', async ({ raw }) => admission.receiving(raw));
  server.addHook('preHandler', async ({ raw }) => admission.answering(raw));
  // Before the answer is sent: a connection that does not take it must not keep its place.
  server.addHook('onSend', async ({ raw }) => admission.answered(raw));
  // Fastify's own answer repeats the URL, which may hold a token.
  server.setNotFoundHandler((_request, reply) => reply.code(404).send({ error: notFound }));
  // A webhook is verified over its raw bytes, so the server parses nothing.
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  return server;
}

/** What a person can do if the server cannot listen. */
const LISTEN_FAULTS: Readonly<Record<string, (key: string) => string>> = {
  EADDRINUSE: (key) => `is already in use; stop the program that listens there, or set another ${key}`,
  EADDRNOTAVAIL: (key) => `is not an address of this machine; set another ${key}`,
  EACCES: (key) => `is not allowed to this user; set a port of 1024 or higher in ${key}`,
};

/**
 * Resolves with the address. `key`: the setting that has it. Throws ERR_CONFIG with the remedy if the address cannot be
 * used.
 */
export async function listen(
  server: FastifyInstance,
  { host, port }: HostPort,
  key: 'http.listen' | 'http.admin' = 'http.listen',
): Promise<string> {
  try {
    return await server.listen({ host, port });
  } catch (error) {
    const fault = LISTEN_FAULTS[codeOf(error)];
    if (fault === undefined) throw error;
    const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
    throw new SyncError('ERR_CONFIG', `${key} ${address} ${fault(key)}`, { retriable: false, cause: error });
  }
}
