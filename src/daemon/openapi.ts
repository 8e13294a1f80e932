import { readFile } from 'node:fs/promises';
import type { FastifyInstance } from 'fastify';
import { packageFile } from '../package-file.js';
import { type ApiAccess, onlyCallers } from './api-access.js';

/** `GET /api/openapi.yaml`, and one answer for every path under `/api` that does not exist: the access is checked first. */
export function addOpenapi(server: FastifyInstance, { access }: { readonly access: ApiAccess }): void {
  const preHandler = onlyCallers(access);
  server.addHook('onRequest', async (request, reply) => {
    if (request.is404 && /^\/api(?:[/?]|$)/.test(request.url)) return preHandler(request, reply);
  });
  server.get('/api/openapi.yaml', { preHandler }, async (_request, reply) => {
    return reply.type('application/yaml').send(await readFile(packageFile('docs/openapi.yaml'), 'utf8'));
  });
}
