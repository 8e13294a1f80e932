import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import { createSsf } from '../../../src/identity/ssf/ssf.js';
import { Secret } from '../../../src/model/secret.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { createSigner, signByHmac, unsecured } from '../../support/ssf/set-signer.js';
import { CAEP, JANE, pushOf, type Receiver, startReceiver } from './receiver.js';

let receiver: Receiver;
beforeEach(async () => {
  receiver = await startReceiver();
});
afterEach(() => receiver.close());

const REVOKED = { [`${CAEP}session-revoked`]: { event_timestamp: 1_700_000_000 } };
const revoked = (rest: Record<string, unknown> = {}) =>
  receiver.transmitter.claims(REVOKED, { sub_id: JANE, ...rest });
const sign = (claims: object, header: Record<string, unknown> = {}) =>
  receiver.transmitter.signers[0]?.sign(claims, header) ?? '';

/** The refusal as the transmitter gets it. */
async function refusalOf(set: Record<string, unknown> | string, headers?: Record<string, string>) {
  const outcome: unknown = await receiver.push(set, headers).catch((error: unknown) => error);
  expect(outcome).toHaveProperty('answer');
  return outcome;
}

const refused = (err: string, code: 'ERR_SIGNATURE' | 'ERR_EVENT_INVALID') => ({
  status: 400,
  code,
  answer: { err, description: expect.any(String) },
});

describe('a set that is pushed', () => {
  it('is an event once it verifies, and its answer has no body', async () => {
    const request = pushOf(sign(revoked({ jti: 'one' })), {}, receiver.clock.now());
    const reception = await receiver.ssf.source.receive(request);
    expect(reception).toMatchObject({
      kind: 'events',
      isSignal: true,
      events: [{ id: 'set/one', orders: [{ kind: 'session-revoked', subject: 'jane' }] }],
    });
  });

  test.each(['ES256', 'RS256', 'PS256'] as const)('may be signed by %s', async (alg) => {
    receiver.transmitter.signers = [createSigner('another', alg)];
    expect((await receiver.push(revoked())).orders).toHaveLength(1);
  });

  it('is discarded if its subject has a member that the transmitter calls critical and scopemesh does not know', async () => {
    const subjectOf = (member: string) => ({
      format: 'complex',
      user: JANE,
      [member]: { format: 'opaque', id: 'x' },
    });
    receiver.transmitter.metadata = { critical_subject_members: ['tenant', 'com_example_zone'] };
    await receiver.restart();
    expect(await refusalOf(revoked({ sub_id: subjectOf('com_example_zone') }))).toMatchObject(
      refused('invalid_request', 'ERR_EVENT_INVALID'),
    );
    const inside = { [`${CAEP}session-revoked`]: { subject: subjectOf('com_example_zone') } };
    expect(await refusalOf(receiver.transmitter.claims(inside))).toMatchObject(
      refused('invalid_request', 'ERR_EVENT_INVALID'),
    );
    for (const known of ['tenant', 'device', 'com_example_note'])
      expect((await receiver.push(revoked({ sub_id: subjectOf(known) }))).orders).toMatchObject([
        { kind: 'session-revoked', subject: 'jane' },
      ]);
  });

  it('may be for several audiences, one of which is ours', async () => {
    const event = await receiver.push(
      revoked({ aud: ['https://other.example.com', 'https://scopemesh.example.com'] }),
    );
    expect(event.orders).toHaveLength(1);
  });

  it('may have its type in full, in any case, and a content type with parameters', async () => {
    const set = sign(revoked(), { typ: 'application/SecEvent+JWT' });
    const headers = { 'content-type': 'Application/SecEvent+JWT; charset=utf-8' };
    expect((await receiver.push(set, headers)).orders).toHaveLength(1);
  });

  it('without a key ID is verified by each key that may have signed it', async () => {
    const signers = [createSigner('a'), createSigner('b')];
    receiver.transmitter.signers = signers;
    const set = signers[1]?.sign(revoked(), { kid: undefined }) ?? '';
    expect((await receiver.push(set)).orders).toHaveLength(1);
    receiver.clock.advance(2_000);
    expect(await refusalOf(createSigner('c').sign(revoked(), { kid: undefined }))).toMatchObject(
      refused('invalid_key', 'ERR_SIGNATURE'),
    );
  });
});

describe('invalid_request', () => {
  test.each<[string, () => string]>([
    ['nothing', () => ''],
    ['no token', () => '{"events":{}}'],
    ['two parts', () => sign(revoked()).split('.').slice(0, 2).join('.')],
    ['an encrypted token, which has five parts', () => `${sign(revoked())}.AAAA.AAAA`],
    ['a line break behind the token', () => `${sign(revoked())}\n`],
    ['a header that is no JSON', () => `AAAA.${sign(revoked()).split('.').slice(1).join('.')}`],
    ['another type: an ID token', () => sign(revoked(), { typ: 'JWT' })],
    ['another type: an access token', () => sign(revoked(), { typ: 'at+jwt' })],
    ['no type', () => sign(revoked(), { typ: undefined })],
    ['an extension that must be understood', () => sign(revoked(), { crit: ['b64'], b64: false })],
  ])('is the answer to %s', async (_, set) => {
    expect(await refusalOf(set())).toMatchObject(refused('invalid_request', 'ERR_SIGNATURE'));
  });

  test.each<[string, Record<string, unknown>]>([
    ['sub at the top', { sub: 'jane' }],
    ['exp at the top', { exp: 4_000_000_000 }],
    ['no jti', { jti: undefined }],
    ['a jti with a line break', { jti: 'a\nb' }],
    ['no iat', { iat: undefined }],
    ['an iat in words', { iat: '2026-01-01' }],
    ['no aud', { aud: undefined }],
    ['no events', { events: undefined }],
    ['no event', { events: {} }],
    ['events in a list', { events: [REVOKED] }],
    ['an event that is no object', { events: { [`${CAEP}session-revoked`]: true } }],
    ['many events', { events: Object.fromEntries([...Array(9)].map((_, index) => [`urn:${index}`, {}])) }],
  ])('is the answer to a set with %s', async (_, rest) => {
    expect(await refusalOf(revoked(rest))).toMatchObject(refused('invalid_request', 'ERR_EVENT_INVALID'));
  });

  it('is the answer to another content type', async () => {
    const set = sign(revoked());
    for (const type of ['application/jwt', 'application/json', '']) {
      expect(await refusalOf(set, { 'content-type': type })).toMatchObject(
        refused('invalid_request', 'ERR_EVENT_INVALID'),
      );
    }
  });

  it('is the answer, with 413, to a set that is too long', async () => {
    const refusal = await refusalOf(revoked({ filler: 'x'.repeat(70_000) }));
    expect(refusal).toMatchObject({ status: 413, answer: { err: 'invalid_request' } });
  });
});

describe('invalid_key', () => {
  test.each<[string, () => string]>([
    ['no algorithm', () => `${unsecured(revoked())}AAAA`],
    [
      'an HMAC under the public key',
      () => signByHmac(revoked(), receiver.transmitter.signers[0]?.pem ?? '', { kid: 'key-1' }),
    ],
    ['a stranger’s key under our transmitter’s key id', () => createSigner('key-1').sign(revoked())],
    ['a key that the transmitter never published', () => createSigner('key-9').sign(revoked())],
    [
      'a key that the token brings itself',
      () => {
        const stranger = createSigner('key-9');
        return stranger.sign(revoked(), { jwk: stranger.jwk });
      },
    ],
    [
      'a key at an address that the token brings',
      () =>
        createSigner('key-9').sign(revoked(), {
          jku: 'https://evil.example.com/jwks',
          x5u: 'https://evil.example.com',
        }),
    ],
    ['a certificate that the token brings', () => createSigner('key-9').sign(revoked(), { x5c: ['MIIB'] })],
    [
      'an algorithm that is not that of the key',
      () => receiver.transmitter.signers[0]?.sign(revoked(), { alg: 'RS256' }) ?? '',
    ],
    [
      'claims that were exchanged',
      () => {
        const [head, , seal] = sign(revoked()).split('.');
        return `${head}.${sign(revoked({ sub_id: { ...JANE, sub: 'john' } })).split('.')[1]}.${seal}`;
      },
    ],
  ])('is the answer to %s', async (_, set) => {
    expect(await refusalOf(set())).toMatchObject(refused('invalid_key', 'ERR_SIGNATURE'));
  });

  it('is the answer to a signature in another spelling, which a lenient reader would accept', async () => {
    const set = sign(revoked());
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const last = alphabet.indexOf(set.at(-1) ?? '');
    const twin = set.slice(0, -1) + alphabet[last ^ 1];
    expect(Buffer.from(twin.split('.')[2] ?? '', 'base64url')).toEqual(
      Buffer.from(set.split('.')[2] ?? '', 'base64url'),
    );
    expect(await refusalOf(twin)).toMatchObject(refused('invalid_request', 'ERR_SIGNATURE'));
    expect(await refusalOf(`${set}=`)).toMatchObject(refused('invalid_request', 'ERR_SIGNATURE'));
  });
});

describe('invalid_issuer', () => {
  it('is the answer to a set of another issuer, without a request for keys', async () => {
    const set = createSigner('key-1').sign(revoked({ iss: 'https://other.example.com' }));
    expect(await refusalOf(set)).toMatchObject(refused('invalid_issuer', 'ERR_SIGNATURE'));
    expect(receiver.transmitter.seen).toEqual([]);
  });

  it('is the answer to a set without an issuer, even with the right key', async () => {
    expect(await refusalOf(revoked({ iss: undefined }))).toMatchObject(
      refused('invalid_request', 'ERR_EVENT_INVALID'),
    );
  });
});

describe('invalid_audience', () => {
  it('is the answer to a set for other audiences', async () => {
    for (const aud of ['https://other.example.com', [], ['https://scopemesh.example.com/']]) {
      expect(await refusalOf(revoked({ aud }))).toMatchObject(
        refused('invalid_audience', 'ERR_EVENT_INVALID'),
      );
    }
  });
});

describe('authentication_failed', () => {
  it('is the answer to a missing or wrong Authorization header, before the set is read', async () => {
    await receiver.close();
    receiver = await startReceiver({ pushTokens: [new Secret('new-token'), new Secret('old-token')] });
    const set = sign(revoked());
    for (const authorization of [
      undefined,
      'Bearer',
      'Bearer wrong',
      'new-token',
      'Basic new-token',
      'Bearer new-token2',
    ]) {
      const headers = authorization === undefined ? {} : { authorization };
      expect(await refusalOf(set, headers)).toMatchObject(refused('authentication_failed', 'ERR_SIGNATURE'));
    }
    expect(receiver.transmitter.seen).toEqual([]);
    for (const authorization of ['Bearer new-token', 'bearer old-token'])
      expect((await receiver.push(set, { authorization })).orders).toHaveLength(1);
  });
});

describe('access_denied', () => {
  it('is the answer to a push of a transmitter that must be polled', async () => {
    await receiver.close();
    receiver = await startReceiver({ delivery: 'poll' });
    expect(await refusalOf(revoked())).toMatchObject(refused('access_denied', 'ERR_EVENT_INVALID'));
    receiver.clock.advance(2_000);
    expect(await refusalOf(createSigner('key-9').sign(revoked()))).toMatchObject(
      refused('invalid_key', 'ERR_SIGNATURE'),
    );
  });
});

describe('while the keys cannot be read', () => {
  it('nothing is refused: the transmitter must send it again', async () => {
    receiver.transmitter.fault = ({ path }) => (path === '/jwks' ? { status: 503 } : undefined);
    const set = sign(revoked());
    await expect(receiver.push(set)).rejects.toMatchObject({
      code: 'ERR_DIRECTORY_UNREACHABLE',
      retriable: true,
    });
    receiver.transmitter.fault = undefined;
    receiver.clock.advance(6_000);
    expect((await receiver.push(set)).orders).toHaveLength(1);
  });
});

test('a transmitter over plain http on another machine is refused', () => {
  const open = () =>
    createSsf({
      ...{ provider: 'main', issuer: 'https://tokens.example.com', insecure: false, audiences: ['a'] },
      ...{ delivery: 'push', pushTokens: [], verifyMs: 60_000, pollMs: 1_000 },
      transmitter: 'http://idp.example.com',
      clock: receiver.clock,
      logger: silentLogger,
      metrics: noMetrics,
    });
  expect(open).toThrow(expect.objectContaining({ code: 'ERR_CONFIG' }));
});
