import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { dropEvent, requestRetry } from '../decisions/webhook-requests.js';
import { WebhookStore } from '../decisions/webhook-state.js';
import type { KeyValueStore } from '../queue/key-value-store.js';
import { addChange, ChangeBody, type ChangeDeps } from './api-change.js';

export interface WebhookApiDeps extends Omit<ChangeDeps, 'standby'> {
  /** Of the configuration. */
  readonly names: readonly string[];
  /** Every replica may write it: the one that delivers reads there what was asked for. */
  readonly keyValues: KeyValueStore;
}

const ID = z.string().min(1).max(128);
const MAX_IDS = 1_000;
const RetryBody = ChangeBody.extend({ name: z.string(), ids: z.array(ID).max(MAX_IDS).exactOptional() });
const DropBody = ChangeBody.extend({ name: z.string(), id: ID });
const UNKNOWN = { error: 'the configuration of this daemon has no webhook of this name' };

/** `POST /api/webhooks/retry` and `/api/webhooks/drop`. `/statusz` lists the webhooks. */
export function addWebhookApi(server: FastifyInstance, deps: WebhookApiDeps): void {
  const { names, keyValues, logger } = deps;
  const change = { ...deps, standby: async () => undefined };
  addChange(server, '/api/webhooks/retry', change, RetryBody, async ({ by, body: { name, ids }, reply }) => {
    if (!names.includes(name)) return reply.code(404).send(UNKNOWN);
    const found = await requestRetry(new WebhookStore(keyValues, name), ids);
    logger.info({ webhook: name, by: by.id, count: found.length }, 'a person asked a webhook to try again');
    return reply.send({ name, ids: found });
  });
  addChange(server, '/api/webhooks/drop', change, DropBody, async ({ by, body: { name, id }, reply }) => {
    if (!names.includes(name)) return reply.code(404).send(UNKNOWN);
    if (!(await dropEvent(new WebhookStore(keyValues, name), id)))
      return reply.code(404).send({ error: 'this webhook neither gave this event up nor waits for it' });
    logger.warn({ webhook: name, by: by.id, eventId: id }, 'a person dropped an event of a webhook');
    return reply.send({ name, id });
  });
}
