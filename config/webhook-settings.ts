import { z } from 'zod';
import { WEBHOOK_SECRET_REMEDY } from '../src/standard-webhooks.js';
import { duration, name, pattern, secret, url } from './fields.js';

const MAX_WEBHOOKS = 16;

export const WEBHOOKS = z
  .array(
    z.strictObject({
      name: name().describe('Names the webhook; its position in the log is kept under this name.'),
      url: url('https:', 'http:').describe('The receiver: https, or http to this machine.'),
      secrets: z
        .array(secret())
        .min(1, `must have a secret; ${WEBHOOK_SECRET_REMEDY}`)
        .max(4, 'are more than 4 secrets')
        .describe('Standard Webhooks secrets (whsec_…), several during a rotation: each signs.'),
      types: z
        .array(pattern())
        .min(1, 'must have a pattern; leave the key out to send all')
        .prefault(['*'])
        .describe('Patterns of the event types to send.'),
      timeout: duration('1s', '60s').prefault('15s').describe('How long a request may take.'),
    }),
  )
  .max(MAX_WEBHOOKS, `are more than ${MAX_WEBHOOKS} webhooks`)
  .prefault([])
  .describe('Receivers of signed HTTP requests, one for each event of the log.');

/** A receiver of the events of the log. */
export type WebhookSettings = Readonly<Omit<z.output<typeof WEBHOOKS>[number], 'timeout'>> & {
  readonly timeoutMs: number;
};

export function toWebhooks(webhooks: z.output<typeof WEBHOOKS>): readonly WebhookSettings[] {
  return webhooks.map(({ timeout, ...webhook }) => ({ ...webhook, timeoutMs: timeout }));
}
