import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PollResult } from '../../../src/identity/source.js';
import { Secret } from '../../../src/model/secret.js';
import { createSigner } from '../../support/ssf/set-signer.js';
import { CAEP, credentials, JANE, type Receiver, startReceiver } from './receiver.js';

let receiver: Receiver;
const never = new AbortController().signal;
beforeEach(async () => {
  receiver = await startReceiver({ delivery: 'poll', credentials });
  await receiver.ssf.subscription?.renew(undefined, never, async () => false);
  receiver.transmitter.waiting.clear();
});
afterEach(() => receiver.close());

async function poll(cursor?: string): Promise<PollResult> {
  const result = await receiver.ssf.poll?.poll(cursor, never);
  if (result === undefined) throw new Error('there is no poll');
  return result;
}

const REVOKED = { [`${CAEP}session-revoked`]: {} };
const emit = (jti: string, rest: Record<string, unknown> = {}) =>
  receiver.transmitter.emit(receiver.transmitter.claims(REVOKED, { jti, sub_id: JANE, ...rest }));
const waiting = () => [...receiver.transmitter.waiting.keys()];

describe('events by poll', () => {
  it('are requested at once and in a limited number', async () => {
    await poll();
    expect(receiver.transmitter.polled).toEqual([{ maxEvents: 100, returnImmediately: true }]);
  });

  it('are acknowledged by the next poll, after they are durable', async () => {
    await emit('a');
    await emit('b');
    const first = await poll();
    expect(first.events.map(({ id }) => id)).toEqual(['set/a', 'set/b']);
    expect(first.events[0]?.orders).toMatchObject([
      { subject: 'jane', cause: { kind: 'poll', eventId: 'set/a' } },
    ]);
    expect(waiting()).toEqual(['a', 'b']);
    await emit('c');
    const second = await poll(first.cursor);
    expect(receiver.transmitter.polled.at(-1)).toMatchObject({ ack: ['a', 'b'] });
    expect(second.events.map(({ id }) => id)).toEqual(['set/c']);
    expect(waiting()).toEqual(['c']);
  });

  it('come again under the same ID if nothing was acknowledged', async () => {
    await emit('a');
    const first = await poll();
    // The process ended before the cursor was stored.
    expect((await poll()).events.map(({ id }) => id)).toEqual(first.events.map(({ id }) => id));
    await poll('a cursor of another version');
    expect(waiting()).toEqual(['a']);
  });

  it('say whether there are more', async () => {
    receiver.transmitter.mostSets = 2;
    for (const jti of ['a', 'b', 'c']) await emit(jti);
    const first = await poll();
    expect(first).toMatchObject({ isMore: true, gap: false });
    const second = await poll(first.cursor);
    expect(second.events.map(({ id }) => id)).toEqual(['set/c']);
    expect(second.isMore).toBe(false);
    expect((await poll(second.cursor)).events).toEqual([]);
    expect(waiting()).toEqual([]);
  });

  it('that are forged or for others are refused with their errors and stop no other', async () => {
    await emit('good');
    await emit('other', { aud: 'https://other.example.com' });
    const { transmitter } = receiver;
    transmitter.waiting.set(
      'forged',
      createSigner('key-1').sign(transmitter.claims(REVOKED, { jti: 'forged' })),
    );
    transmitter.waiting.set(
      'swapped',
      transmitter.signers[0]?.sign(transmitter.claims(REVOKED, { jti: 'x' })) ?? '',
    );
    transmitter.waiting.set('nonsense', 'nonsense');
    const first = await poll();
    expect(first.events.map(({ id }) => id)).toEqual(['set/good']);
    expect(first.rejected?.map(({ code }) => code)).toEqual([
      'ERR_EVENT_INVALID',
      'ERR_SIGNATURE',
      'ERR_EVENT_INVALID',
      'ERR_SIGNATURE',
    ]);
    await poll(first.cursor);
    const refused = [...transmitter.refused].map(([jti, error]) => [jti, error]);
    expect(refused).toEqual([
      ['other', { err: 'invalid_audience', description: expect.any(String) }],
      ['forged', { err: 'invalid_key', description: expect.any(String) }],
      ['swapped', { err: 'invalid_request', description: expect.any(String) }],
      ['nonsense', { err: 'invalid_request', description: expect.any(String) }],
    ]);
    expect(waiting()).toEqual([]);
  });

  it('are acknowledged if they are from the future, and not refused forever', async () => {
    await emit('ahead', { iat: Math.floor(receiver.clock.now() / 1000) + 3_600 });
    const first = await poll();
    expect(first).toMatchObject({
      events: [{ id: 'set/ahead', orders: [{ subject: 'jane' }] }],
      rejected: [],
    });
    await poll(first.cursor);
    expect(receiver.transmitter.refused.size).toBe(0);
    expect(waiting()).toEqual([]);
  });

  /** The next poll returns these, signed where they are claims; afterwards the transmitter knows what was acknowledged. */
  const answerOnce = (sets: Readonly<Record<string, unknown>>) => {
    receiver.transmitter.fault = ({ path }) => {
      if (!path.startsWith('/ssf/poll/')) return undefined;
      receiver.transmitter.fault = undefined;
      return { status: 200, json: { sets } };
    };
  };
  const signed = (jti: string) =>
    receiver.transmitter.signers[0]?.sign(receiver.transmitter.claims(REVOKED, { jti, sub_id: JANE }));

  it('that are no text, too long, or under a name that is too long are refused, and stop no other', async () => {
    const name = 'j'.repeat(600);
    answerOnce({ a: {}, b: null, c: 'x'.repeat(70_000), [name]: signed(name), good: signed('good') });
    const first = await poll();
    expect(first.events.map(({ id }) => id)).toEqual(['set/good']);
    expect(first.rejected).toHaveLength(4);
    await poll(first.cursor);
    const err = { err: 'invalid_request', description: expect.any(String) };
    expect(receiver.transmitter.polled.at(-1)).toMatchObject({
      ack: ['good'],
      setErrs: { a: err, b: err, c: err, [name]: err },
    });
  });

  it('beyond the requested number stay with the transmitter, and are requested at once', async () => {
    const jtis = Array.from({ length: 101 }, (_, at) => `set-${at}`);
    answerOnce(Object.fromEntries(jtis.map((jti) => [jti, signed(jti)])));
    const first = await poll();
    expect(first.events).toHaveLength(100);
    expect(first.isMore).toBe(true);
    expect(JSON.parse(first.cursor).ack).toEqual(jtis.slice(0, 100));
  });

  it('that are all refused are not requested again and again at once', async () => {
    receiver.transmitter.mostSets = 1;
    for (const jti of ['a', 'b']) receiver.transmitter.waiting.set(jti, 'nonsense');
    expect(await poll()).toMatchObject({ events: [], isMore: false });
  });

  it('stay with the transmitter while the keys cannot be read', async () => {
    await emit('a');
    receiver.transmitter.fault = ({ path }) => (path === '/jwks' ? { status: 503 } : undefined);
    await expect(poll()).rejects.toMatchObject({ code: 'ERR_DIRECTORY_UNREACHABLE' });
    expect(waiting()).toEqual(['a']);
  });

  it.each<[string, number, unknown, string]>([
    ['an error', 500, {}, 'ERR_DIRECTORY_UNREACHABLE'],
    ['too many requests', 429, {}, 'ERR_DIRECTORY_RATE_LIMITED'],
    ['that it is not allowed', 403, {}, 'ERR_DIRECTORY_DENIED'],
    ['no sets', 200, { moreAvailable: false }, 'ERR_DIRECTORY_INCOMPLETE'],
    ['sets in a list', 200, { sets: [] }, 'ERR_DIRECTORY_INCOMPLETE'],
  ])('fail as a whole if the answer is %s', async (_, status, json, code) => {
    receiver.transmitter.fault = ({ path }) => (path.startsWith('/ssf/poll/') ? { status, json } : undefined);
    await expect(poll()).rejects.toMatchObject({ code });
  });

  it('are found again if the stream was deleted and another created', async () => {
    await poll();
    receiver.transmitter.streams.clear();
    await expect(poll()).rejects.toMatchObject({ code: 'ERR_DIRECTORY_INCOMPLETE' });
    await poll();
    await emit('a');
    expect((await poll()).events).toHaveLength(1);
    expect(receiver.transmitter.streams.size).toBe(1);
  });
});

describe('the credentials', () => {
  it('may be a client’s, with a new access token when one is refused', async () => {
    const { transmitter } = receiver;
    const client = {
      clientId: 'scopemesh',
      clientSecret: new Secret('client-secret-0123456789'),
      tokenIssuer: transmitter.issuer,
      scope: 'ssf.read ssf.manage',
    };
    await receiver.restart({ credentials: client });
    await emit('a');
    expect((await poll()).events).toHaveLength(1);
    transmitter.issued.clear();
    expect((await poll()).events).toHaveLength(1);
    expect(transmitter.seen.filter((each) => each === 'POST /token')).toHaveLength(2);
  });

  it('that are constant and refused are reported as refused', async () => {
    receiver.transmitter.fault = ({ path }) => (path.startsWith('/ssf/poll/') ? { status: 401 } : undefined);
    await expect(poll()).rejects.toMatchObject({ code: 'ERR_DIRECTORY_DENIED', retriable: false });
  });
});
