import { readFile } from 'node:fs/promises';
import type { FastifyInstance } from 'fastify';
import { packageFile } from '../package-file.js';
import { type ApiAccess, sendRefusal } from './api-access.js';

/** `GET /api/openapi.yaml`, and one answer for every path under `/api` that does not exist: the access is checked first. */
export function addOpenapi(server: FastifyInstance, { access }: { readonly access: ApiAccess }): void {
  server.addHook('onRequest', async (request, reply) => {
    if (!request.is404 || !/^\/api(?:[/?]|$)/.test(request.url)) return;
    const caller = access.callerOf(request);
    if ('status' in caller) return sendRefusal(reply, caller);
  });
  server.get('/api/openapi.yaml', async (request, reply) => {
    const caller = access.callerOf(request);
    if ('status' in caller) return sendRefusal(reply, caller);
    return reply.type('application/yaml').send(await readFile(packageFile('docs/openapi.yaml'), 'utf8'));
  });
}
