import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { type Queue, unparkRefusal } from '../queue/queue.js';
import { addChange, ChangeBody, type ChangeDeps } from './api-change.js';

interface ParkedApiDeps extends ChangeDeps {
  readonly parked: Pick<Queue, 'unpark'>;
}

/** A client ID of 255 characters, each percent-encoded in twelve. */
export const MAX_KEY_LENGTH = 4_096;
const Body = ChangeBody.extend({ key: z.string().min(1).max(MAX_KEY_LENGTH) });

/** `POST /api/parked/retry` and `/api/parked/drop`. `/statusz` lists the parked keys. */
export function addParkedApi(server: FastifyInstance, deps: ParkedApiDeps): void {
  const route = (name: 'retry' | 'drop', how: 'run' | 'drop') =>
    addChange(
      server,
      `/api/parked/${name}`,
      `${name}Parked`,
      deps,
      Body,
      async ({ by, body: { key }, reply }) => {
        const unparked = await deps.parked.unpark(key, how);
        const error = unparkRefusal(unparked);
        if (error !== undefined) return reply.code(unparked === 'not-parked' ? 404 : 409).send({ error });
        deps.logger.info({ key, by: by.id, how }, 'a person unparked a key');
        return reply.send({ key });
      },
    );
  route('retry', 'run');
  route('drop', 'drop');
}
