import { RejectedEvent } from '../errors.js';
import type { Secret } from '../model/secret.js';
import { unprovenEvent } from './event-body.js';
import { verifyStaticSecret } from './signature.js';
import type { EventSource, RawRequest, Reception } from './source.js';

/** What the event source of every provider is given. */
export interface SourceOptions {
  readonly provider: string;
  /** What proves the sender; several during a rotation. */
  readonly secrets: readonly Secret[];
}

interface WebhookOptions<Proof> {
  readonly provider: string;
  /** 1 MiB by default. */
  readonly maxBytes?: number;
  readonly answersGet?: boolean;
  /** The answer to a request that carries no events; undefined for any other request. */
  readonly handshake?: (request: RawRequest) => Reception | undefined;
  /** Throws RejectedEvent unless the request proves its sender. The body is not parsed before. */
  readonly verify: (request: RawRequest) => Proof;
  readonly receive: (request: RawRequest, proof: Proof) => Omit<Reception & { kind: 'events' }, 'kind'>;
}

/** The steps that every webhook takes, in this order: handshake, length, proof, content. */
export function createWebhook<Proof>(options: WebhookOptions<Proof>): EventSource {
  const { provider, maxBytes = 1024 * 1024, answersGet = false, handshake, verify, receive } = options;
  return {
    provider,
    answersGet,
    async receive(request): Promise<Reception> {
      const reply = handshake?.(request);
      if (reply !== undefined) return reply;
      if (request.body.byteLength > maxBytes)
        throw new RejectedEvent(
          'ERR_EVENT_INVALID',
          `the request body is longer than ${maxBytes} bytes`,
          413,
        );
      return { kind: 'events', ...receive(request, verify(request)) };
    },
  };
}

/** For senders whose only proof is the complete `Authorization` header. Throws RejectedEvent. */
export function verifyAuthorization(secrets: readonly Secret[], { headers }: RawRequest): void {
  if (!verifyStaticSecret(secrets, headers.authorization))
    throw unprovenEvent('the Authorization header matches none of the secrets');
}

/** Ends the time in which a replayed event counts as evidence. Event IDs are remembered for longer. */
export const MAX_REPLAY_AGE_MS = 6 * 24 * 3600_000;
