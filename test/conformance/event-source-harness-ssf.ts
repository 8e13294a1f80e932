import { createPushSource } from '../../src/identity/ssf/push.js';
import { createSetVerifier } from '../../src/identity/ssf/set.js';
import { toKeySet } from '../../src/identity/ssf/signing-keys.js';
import { noMetrics, silentLogger } from '../../src/observe.js';
import { clockAt } from '../identity/oidc/webhook-request.js';
import { pushOf } from '../identity/ssf/receiver.js';
import { createSigner } from '../support/ssf/set-signer.js';
import type { EventSourceHarness } from './event-source.js';

const TRANSMITTER = 'https://idp.example.com';
const ISSUER = 'https://tokens.example.com';
const AUDIENCE = 'https://scopemesh.example.com';
const SIGNERS = {
  current: createSigner('current'),
  previous: createSigner('previous'),
  unknown: createSigner('unknown'),
};

/** A token's parts: the signature is the last. */
const partsOf = (body: Uint8Array) => Buffer.from(body).toString('latin1').split('.');

export const SSF_EVENTS: EventSourceHarness = {
  create(nowMs) {
    const keys = toKeySet({ keys: [SIGNERS.current.jwk, SIGNERS.previous.jwk] });
    const clock = clockAt(nowMs);
    return createPushSource({
      provider: 'main',
      issuer: ISSUER,
      logger: silentLogger,
      metrics: noMetrics,
      pushTokens: [],
      delivery: 'push',
      signal: new AbortController().signal,
      verify: createSetVerifier({
        transmitter: TRANSMITTER,
        audiences: [AUDIENCE],
        clock,
        keys: { current: async () => keys, readSince: async () => keys },
        criticalMembers: async () => [],
      }),
    });
  },
  request({ id, atMs, secret }) {
    const claims = {
      iss: TRANSMITTER,
      aud: AUDIENCE,
      jti: id,
      iat: Math.floor(atMs / 1000),
      sub_id: { format: 'complex', application: { format: 'iss_sub', iss: ISSUER, sub: 'web-app' } },
      // The instant is the event's own, so that it is the same however often it is sent.
      events: {
        'https://schemas.openid.net/secevent/risc/event-type/account-disabled': {
          event_timestamp: 1_700_000_000,
        },
      },
    };
    return pushOf(SIGNERS[secret].sign(claims), {}, atMs);
  },
  signed: (body, atMs) => pushOf(SIGNERS.current.sign(body), {}, atMs),
  signatureHeader: {
    read: (body) => partsOf(body)[2] ?? '',
    write(body, signature) {
      const [header, payload] = partsOf(body);
      const text = `${header}.${payload}`;
      return new Uint8Array(Buffer.from(signature === undefined ? text : `${text}.${signature}`));
    },
  },
  isSameSignature: (text, signature) => text === signature,
  forgedStatus: 400,
  // What is late was perhaps held back, and what is ahead may be so by our clock alone: both still end what they end.
  toleranceMs: undefined,
};
