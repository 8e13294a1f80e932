import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSigner } from '../../support/ssf/set-signer.js';
import { CAEP, JANE, type Receiver, startReceiver } from './receiver.js';

let receiver: Receiver;
beforeEach(async () => {
  receiver = await startReceiver();
});
afterEach(() => receiver.close());

const claims = () => receiver.transmitter.claims({ [`${CAEP}session-revoked`]: {} }, { sub_id: JANE });
const asked = () => receiver.transmitter.seen.filter((each) => each === 'GET /jwks').length;
const invalidKey = { answer: { err: 'invalid_key' } };

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

  it('are read anew for a key that is not known: a rotation needs nobody', async () => {
    await receiver.push(claims());
    receiver.transmitter.signers = [createSigner('key-2'), ...receiver.transmitter.signers];
    receiver.clock.advance(10_000);
    expect((await receiver.push(claims())).orders).toHaveLength(1);
    expect(asked()).toBe(2);
  });

  it('are asked for no more than every five seconds, whatever keys strangers name', async () => {
    await receiver.push(claims());
    receiver.clock.advance(10_000);
    for (let count = 0; count < 20; count++) {
      await expect(receiver.push(createSigner(`stranger-${count}`).sign(claims()))).rejects.toMatchObject(
        invalidKey,
      );
    }
    expect(asked()).toBe(2);
    expect((await receiver.push(claims())).orders).toHaveLength(1);
  });

  it('that cannot be read now say of no key that there is none, however soon its set comes again', async () => {
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

  it('that were withdrawn end within ten minutes', async () => {
    const old = receiver.transmitter.signers[0];
    await receiver.push(claims());
    receiver.transmitter.signers = [createSigner('key-2')];
    receiver.clock.advance(11 * 60_000);
    await expect(receiver.push(old?.sign(claims()) ?? '')).rejects.toMatchObject(invalidKey);
  });

  it('serve an hour while they cannot be read anew, and not longer', async () => {
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
  ])('are not believed where the answer is %s', async (_, json) => {
    receiver.transmitter.fault = ({ path }) => (path === '/jwks' ? { status: 200, json } : undefined);
    await expect(receiver.push(claims())).rejects.toMatchObject({ code: 'ERR_DIRECTORY_INCOMPLETE' });
  });

  it('among which one is no key of ours are used as far as they are', async () => {
    const keys = [
      { kty: 'oct', k: 'c2VjcmV0', kid: 'key-1', alg: 'HS256' },
      receiver.transmitter.signers[0]?.jwk,
    ];
    receiver.transmitter.fault = ({ path }) =>
      path === '/jwks' ? { status: 200, json: { keys } } : undefined;
    expect((await receiver.push(claims())).orders).toHaveLength(1);
  });
});
