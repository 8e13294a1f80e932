import { Agent } from 'undici';
import type { Clock } from '../../clock.js';
import { codeOf, configError } from '../../errors.js';
import { withLinkedSignal } from '../../linked-signal.js';
import { definedFields } from '../../model/defined-fields.js';
import type { Secret } from '../../model/secret.js';
import { parseRetryAfter } from '../../retry-after.js';
import { parseWebhookSecret, signWebhook, WEBHOOK_SECRET_REMEDY } from '../../standard-webhooks.js';
import { CONTENT_TYPE } from '../envelope.js';
import type { Delivery, WebhookEvent, WebhookSender } from '../webhook.js';

interface WebhookSenderOptions {
  readonly name: string;
  /** https, or http to this machine; without credentials. */
  readonly url: string;
  /** `whsec_<base64>`; each signs, so that the receiver may know either during a rotation. */
  readonly secrets: readonly Secret[];
  /** For one request, the answer included. */
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/** An answer means nothing but its status. What is longer costs the connection. */
const MAX_ANSWER_BYTES = 16 * 1024;

/**
 * Standard Webhooks 1.0: one CloudEvent in structured mode for each request, signed at the time of the attempt. Follows no
 * redirect. Throws SyncError ERR_CONFIG at once for a secret that cannot be valid.
 */
export function createWebhookSender(options: WebhookSenderOptions): WebhookSender {
  const { name, timeoutMs, clock } = options;
  const url = new URL(options.url);
  const keys = options.secrets.map((secret) => keyOf(secret, name));
  const agent = new Agent({
    connections: 2,
    connect: { timeout: timeoutMs },
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    maxHeaderSize: 16 * 1024,
  });

  const post = async ({ id, text }: WebhookEvent, signal: AbortSignal): Promise<Delivery> => {
    const { statusCode, headers, body } = await agent.request({
      origin: url.origin,
      path: url.pathname + url.search,
      method: 'POST',
      headers: {
        'content-type': CONTENT_TYPE,
        'user-agent': 'scopemesh',
        ...signWebhook(keys, id, clock.now(), text),
      },
      body: text,
      signal,
    });
    await body.dump({ limit: MAX_ANSWER_BYTES, signal }).catch(() => {});
    const retryAfter = headers['retry-after'];
    return toDelivery(statusCode, typeof retryAfter === 'string' ? retryAfter : undefined, clock.now());
  };

  return {
    send: (event, signal) =>
      withLinkedSignal(
        [signal],
        (deadline) =>
          post(event, deadline).catch((error: unknown) => ({
            kind: 'failed',
            error: deadline.aborted ? `no answer within ${timeoutMs} ms` : codeOf(error),
          })),
        timeoutMs,
      ),
    close: () => agent.destroy(),
  };
}

function toDelivery(status: number, retryAfter: string | undefined, now: number): Delivery {
  if (status >= 200 && status < 300) return { kind: 'delivered' };
  const isRedirect = status >= 300 && status < 400;
  const error = `answered ${status}${isRedirect ? ', a redirect, which is not followed' : ''}`;
  const retryAfterMs = [429, 503].includes(status) ? parseRetryAfter(retryAfter, now) : undefined;
  return { kind: 'failed', error, ...definedFields({ retryAfterMs }) };
}

function keyOf(secret: Secret, name: string): Uint8Array {
  const parsed = parseWebhookSecret(secret);
  if ('key' in parsed) return parsed.key;
  throw configError(`webhook ${name} has a secret that ${parsed.fault}; ${WEBHOOK_SECRET_REMEDY}`);
}
