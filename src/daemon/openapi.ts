import { readFile } from 'node:fs/promises';
import type { FastifyInstance } from 'fastify';
import { type Access, sendRefusal } from './access.js';

/** `GET /api/openapi.yaml`, and one answer for every path under `/api` that does not exist: the access is checked first. */
export function addOpenapi(server: FastifyInstance, { access }: { readonly access: Access }): void {
  server.addHook('onRequest', async (request, reply) => {
    if (!request.is404 || !/^\/api(?:[/?]|$)/.test(request.url)) return;
    const caller = access.callerOf(request);
    if ('status' in caller) return sendRefusal(reply, caller);
  });
  server.get('/api/openapi.yaml', async (request, reply) => {
    const caller = access.callerOf(request);
    if ('status' in caller) return sendRefusal(reply, caller);
    return reply.type('application/yaml').send(await readDescription());
  });
}

/** From the package, whose top is two folders above the sources and three above the built files. */
async function readDescription(): Promise<string> {
  const read = (top: string) => readFile(new URL(`${top}docs/openapi.yaml`, import.meta.url), 'utf8');
  return read('../../').catch(() => read('../../../'));
}
