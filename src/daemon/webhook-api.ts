import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { WebhookCursor } from '../decisions/webhook-cursor.js';
import type { KeyValueStore } from '../queue/key-value-store.js';
import { addChange, ChangeBody, type ChangeDeps } from './api-change.js';

interface WebhookApiDeps extends Omit<ChangeDeps, 'standby'> {
  /** Of the configuration. */
  readonly names: readonly string[];
  /** Every replica may write it: the one that delivers looks there for its cursor. */
  readonly keyValues: KeyValueStore;
}

const SkipBody = ChangeBody.extend({ name: z.string(), id: z.string().min(1).max(128) });

/** `POST /api/webhooks/skip`. `/statusz` lists the webhooks. */
export function addWebhookApi(server: FastifyInstance, deps: WebhookApiDeps): void {
  const { names, keyValues, logger } = deps;
  const change = { ...deps, standby: async () => undefined };
  addChange(
    server,
    '/api/webhooks/skip',
    'skipWebhook',
    change,
    SkipBody,
    async ({ by, body: { name, id }, reply }) => {
      if (!names.includes(name))
        return reply
          .code(404)
          .send({ error: 'the configuration of this daemon has no webhook of this name' });
      if (!(await new WebhookCursor(keyValues, name).skip(id)))
        return reply.code(404).send({ error: 'this webhook does not wait for this event' });
      logger.warn({ webhook: name, by: by.id, eventId: id }, 'a person skipped an event of a webhook');
      return reply.send({ name, id });
    },
  );
}
