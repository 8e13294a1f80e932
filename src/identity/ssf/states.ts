import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Secret } from '../../model/secret.js';

/**
 * The states of verification requests (SSF 1.0, section 8.1.4.2). One process sends the request and another may receive the
 * answer, so a state proves itself. `key` is a secret that both processes have.
 */
export type VerificationStates = ReturnType<typeof createVerificationStates>;

export function createVerificationStates(key: Secret) {
  const sealOf = (nonce: string) =>
    createHmac('sha256', key.reveal()).update(`scopemesh verification ${nonce}`).digest('base64url');
  return {
    create(): string {
      const nonce = randomBytes(16).toString('base64url');
      return `${nonce}.${sealOf(nonce)}`;
    },
    isOurs(state: string): boolean {
      const [nonce = '', seal = '', ...rest] = state.split('.');
      const [expected, given] = [Buffer.from(sealOf(nonce)), Buffer.from(seal)];
      return rest.length === 0 && expected.length === given.length && timingSafeEqual(expected, given);
    },
  };
}

/** The ID of the event that answers a request. The intake remembers it. */
export function verificationEventId(state: string): string {
  return `set/verification/${state}`;
}
