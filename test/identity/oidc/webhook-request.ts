import { createHmac } from 'node:crypto';
import type { Clock } from '../../../src/clock.js';
import type { RawRequest } from '../../../src/identity/source.js';
import { Secret } from '../../../src/model/secret.js';

/** A secret of 32 equal bytes. */
export function secretOf(byte: number): Secret {
  return new Secret(`whsec_${Buffer.alloc(32, byte).toString('base64')}`);
}

/** A clock that never moves. */
export function clockAt(ms: number): Clock {
  return { now: () => ms, sleep: () => Promise.reject(new Error('nothing here waits')) };
}

export interface SignedEvent {
  readonly id?: string;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  readonly secret: Secret;
  readonly body: string | Uint8Array;
}

/** A webhook signed by the letter of Standard Webhooks, with no code of scopemesh. */
export function signedRequest({ id = 'msg_1', atMs, secret, body }: SignedEvent): RawRequest {
  const timestamp = Math.floor(atMs / 1000);
  const key = Buffer.from(secret.reveal().slice('whsec_'.length), 'base64');
  const bytes = Buffer.from(body);
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(bytes).digest('base64');
  return {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'webhook-id': id,
      'webhook-timestamp': String(timestamp),
      'webhook-signature': `v1,${signature}`,
    },
    query: {},
    body: new Uint8Array(bytes),
    receivedAt: new Date(atMs).toISOString(),
  };
}
