import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSigner } from '../../support/ssf/set-signer.js';
import { until } from '../../support/until.js';
import { CAEP, JANE, type Receiver, startReceiver } from './receiver.js';

let receiver: Receiver;
beforeEach(async () => {
  receiver = await startReceiver();
});
afterEach(() => receiver.close());

const claims = () => receiver.transmitter.claims({ [`${CAEP}session-revoked`]: {} }, { sub_id: JANE });
const asked = () => receiver.transmitter.seen.filter((each) => each === 'GET /jwks').length;
const invalidKey = { answer: { err: 'invalid_key' } };
/** Time goes on until it is settled. */
async function passing(outcome: Promise<unknown>): Promise<void> {
  let isOver = false;
  const over = () => {
    isOver = true;
  };
  outcome.then(over, over);
  await until('an answer', () => {
    if (!isOver) receiver.clock.advance(100);
    return isOver;
  });
}

describe('the keys of a transmitter', () => {
  it('are read once for many sets', async () => {
    for (let count = 0; count < 5; count++) await receiver.push(claims());
    expect(asked()).toBe(1);
    expect(receiver.transmitter.seen.filter((each) => each.includes('well-known'))).toHaveLength(1);
  });

  it('are read once for sets that come together', async () => {
    await Promise.all([...Array(10)].map(() => receiver.push(claims())));
    expect(asked()).toBe(1);
  });

  it('are read again for an unknown key: a rotation needs no intervention', async () => {
    await receiver.push(claims());
    receiver.transmitter.signers = [createSigner('key-2'), ...receiver.transmitter.signers];
    receiver.clock.advance(10_000);
    expect((await receiver.push(claims())).orders).toHaveLength(1);
    expect(asked()).toBe(2);
  });

  it('wait for the next read if a set with an unknown key comes moments after the last one', async () => {
    await receiver.push(claims());
    receiver.transmitter.signers = [createSigner('key-2'), ...receiver.transmitter.signers];
    // Not refused, for many a transmitter sends nothing again that was refused.
    const pushed = receiver.push(claims());
    await passing(pushed);
    expect((await pushed).orders).toHaveLength(1);
    expect(asked()).toBe(2);
  });

  it('are read again if a set names no key and no known key signed it', async () => {
    const unnamed = () => receiver.transmitter.signers[0]?.sign(claims(), { kid: undefined }) ?? '';
    await receiver.push(unnamed());
    receiver.transmitter.signers = [createSigner('key-2')];
    receiver.clock.advance(10_000);
    expect((await receiver.push(unnamed())).orders).toHaveLength(1);
    expect(asked()).toBe(2);
  });

  it('are read once for all waiting sets, whatever keys strangers name', async () => {
    await receiver.push(claims());
    const from = receiver.clock.now();
    for (let round = 1; round <= 3; round++) {
      const strangers = Array.from({ length: 20 }, (_, at) =>
        receiver.push(createSigner(`stranger-${at}`).sign(claims())),
      );
      await passing(Promise.allSettled(strangers));
      for (const stranger of strangers) await expect(stranger).rejects.toMatchObject(invalidKey);
    }
    expect(asked() - 1).toBeLessThanOrEqual((receiver.clock.now() - from) / 2_000);
    expect((await receiver.push(claims())).orders).toHaveLength(1);
  });

  it('that cannot be read now do not make a key unknown, however soon its set comes again', async () => {
    await receiver.push(claims());
    receiver.transmitter.signers = [createSigner('key-2')];
    receiver.transmitter.fault = ({ path }) => (path === '/jwks' ? { status: 500 } : undefined);
    receiver.clock.advance(10_000);
    for (let count = 0; count < 3; count++)
      await expect(receiver.push(claims())).rejects.toMatchObject({ code: 'ERR_DIRECTORY_UNREACHABLE' });
    expect(asked()).toBe(2);
    receiver.transmitter.fault = undefined;
    receiver.clock.advance(10_000);
    expect((await receiver.push(claims())).orders).toHaveLength(1);
  });

  it('that were withdrawn are dropped within ten minutes', async () => {
    const old = receiver.transmitter.signers[0];
    await receiver.push(claims());
    receiver.transmitter.signers = [createSigner('key-2')];
    receiver.clock.advance(11 * 60_000);
    await expect(receiver.push(old?.sign(claims()) ?? '')).rejects.toMatchObject(invalidKey);
  });

  it('are used for an hour while they cannot be read again, and not longer', async () => {
    await receiver.push(claims());
    receiver.transmitter.fault = ({ path }) => (path === '/jwks' ? { status: 500 } : undefined);
    receiver.clock.advance(11 * 60_000);
    expect((await receiver.push(claims())).orders).toHaveLength(1);
    const before = asked();
    for (let count = 0; count < 5; count++) await receiver.push(claims());
    expect(asked()).toBe(before);
    receiver.clock.advance(50 * 60_000);
    await expect(receiver.push(claims())).rejects.toMatchObject({ code: 'ERR_DIRECTORY_UNREACHABLE' });
  });

  it.each<[string, unknown]>([
    ['no set', { nothing: true }],
    ['a list', []],
    ['more keys than any transmitter has', { keys: [...Array(65)].map(() => ({ kty: 'EC' })) }],
    ['too much', { keys: [{ kty: 'EC', filler: 'x'.repeat(300_000) }] }],
  ])('are not accepted if the answer is %s', async (_, json) => {
    receiver.transmitter.fault = ({ path }) => (path === '/jwks' ? { status: 200, json } : undefined);
    await expect(receiver.push(claims())).rejects.toMatchObject({ code: 'ERR_DIRECTORY_INCOMPLETE' });
  });

  it('with one unsupported key are used without it', async () => {
    const keys = [
      { kty: 'oct', k: 'c2VjcmV0', kid: 'key-1', alg: 'HS256' },
      receiver.transmitter.signers[0]?.jwk,
    ];
    receiver.transmitter.fault = ({ path }) =>
      path === '/jwks' ? { status: 200, json: { keys } } : undefined;
    expect((await receiver.push(claims())).orders).toHaveLength(1);
  });
});
