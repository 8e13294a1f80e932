import Fastify, { type FastifyInstance } from 'fastify';
import type { HostPort } from '../../config/fields.js';
import { SyncError } from '../errors.js';
import { limitConnections } from '../intake/admission.js';

/** An event longer than this is refused. */
export const BODY_LIMIT = 1024 * 1024;

/** A client ID has up to 255 characters. The server's own limit for a part of a path is 100. */
const LONGEST_PARAMETER = 512;

/**
 * `connections` stays far below what a process may open, so that a flood of connections cannot cut scopemesh off from
 * Consul. A request ends `requestMs` after its start; the server checks this every `checkMs`.
 */
const LIMITS = { connections: 512, requestMs: 10_000, checkMs: 1_000 };

/** The one HTTP server of the daemon: the same limits and timeouts for all routes. */
export function createHttpServer(limits: Partial<typeof LIMITS> = {}): FastifyInstance {
  const { connections, requestMs, checkMs } = { ...LIMITS, ...limits };
  const server = Fastify({
    bodyLimit: BODY_LIMIT,
    requestTimeout: requestMs,
    // Node uses the longer of the two timeouts for the whole request, and that for the headers is a minute by default.
    http: { headersTimeout: requestMs, requestTimeout: requestMs, connectionsCheckingInterval: checkMs },
    routerOptions: { maxParamLength: LONGEST_PARAMETER },
    connectionTimeout: 30_000,
    keepAliveTimeout: 30_000,
    trustProxy: false,
  });
  const admission = limitConnections(server.server, connections);
  server.addHook('preHandler', async ({ raw }) => admission.answering(raw));
  // Before the answer is sent: a connection that does not take it must not keep its place.
  server.addHook('onSend', async ({ raw }) => admission.answered(raw));
  // Fastify's own answer repeats the URL, which may hold a token.
  server.setNotFoundHandler((_request, reply) => reply.code(404).send({ error: 'not found' }));
  // A webhook is verified over its raw bytes, so the server parses nothing.
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  return server;
}

/** What a person can do if the server cannot listen. */
const LISTEN_FAULTS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'is already in use; stop the program that listens there, or set another http.listen',
  EADDRNOTAVAIL: 'is not an address of this machine; set another http.listen',
  EACCES: 'is not allowed to this user; set a port of 1024 or higher in http.listen',
};

/** Resolves with the address. Throws ERR_CONFIG with the remedy if the address cannot be used. */
export async function listen(server: FastifyInstance, { host, port }: HostPort): Promise<string> {
  try {
    return await server.listen({ host, port });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    const fault = LISTEN_FAULTS[code];
    if (fault === undefined) throw error;
    const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
    throw new SyncError('ERR_CONFIG', `http.listen ${address} ${fault}`, { retriable: false, cause: error });
  }
}

/** Whether a host name or address means this machine. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '').replace(/^::ffff:/, '');
  return bare === 'localhost' || bare === '::1' || /^127\.\d+\.\d+\.\d+$/.test(bare);
}
