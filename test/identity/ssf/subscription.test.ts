import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SubscriptionState } from '../../../src/identity/source.js';
import { EVENTS_REQUESTED } from '../../../src/identity/ssf/meaning.js';
import type { SsfOptions } from '../../../src/identity/ssf/options.js';
import { Secret } from '../../../src/model/secret.js';
import { until } from '../../support/until.js';
import { AUDIENCE, credentials, type Receiver, SSF, startReceiver } from './receiver.js';

let receiver: Receiver;
/** What the intake remembers. */
let seen: Set<string>;
const never = new AbortController().signal;
const PUSH_TOKENS = [new Secret('push-token-0123456789'), new Secret('older-push-token')];

async function start(options: Partial<SsfOptions> = {}): Promise<void> {
  receiver = await startReceiver({ credentials, pushTokens: PUSH_TOKENS, ...options });
}
beforeEach(async () => {
  seen = new Set();
  await start();
});
afterEach(() => receiver.close());

async function renew(stored?: string): Promise<SubscriptionState> {
  const state = await receiver.ssf.subscription?.renew(stored, never, async (id) => seen.has(id));
  if (state === undefined) throw new Error('there is no subscription');
  return state;
}

/** The state that the transmitter was last asked to echo. */
const askedState = ({ stored }: SubscriptionState): string => JSON.parse(stored).asked.state;
/** The verification event comes in, as a push, and is remembered as the intake does. */
async function verified(state: string): Promise<void> {
  const said = { [`${SSF}verification`]: { state } };
  const authorization = `Bearer ${PUSH_TOKENS[0]?.reveal()}`;
  const event = await receiver.push(receiver.transmitter.claims(said, { sub_id: {} }), { authorization });
  if (event.isProof) seen.add(event.id);
}
const streams = () => [...receiver.transmitter.streams.values()];
const messages = () => receiver.logs.map(({ message }) => message);

describe('the stream', () => {
  it('is created with the known event types, our address and the push token', async () => {
    receiver.transmitter.isSilent = true;
    await renew();
    expect(streams()).toMatchObject([
      {
        delivery: {
          method: 'urn:ietf:rfc:8935',
          endpoint_url: 'https://scopemesh.example.com/events/main',
          authorization_header: 'Bearer push-token-0123456789',
        },
        events_requested: EVENTS_REQUESTED,
      },
    ]);
  });

  it('is created once, and found and updated after a restart', async () => {
    receiver.transmitter.isSilent = true;
    const first = await renew();
    await renew(first.stored);
    const [stream] = streams();
    if (stream !== undefined) {
      stream.events_requested = ['urn:example:another'];
      stream.delivery.authorization_header = 'Bearer from-before';
    }
    await receiver.restart();
    await renew(first.stored);
    expect(streams()).toMatchObject([
      {
        stream_id: stream?.stream_id,
        delivery: { authorization_header: 'Bearer push-token-0123456789' },
        events_requested: EVENTS_REQUESTED,
      },
    ]);
  });

  it('of others is left alone, unless the transmitter allows only one', async () => {
    receiver.transmitter.isSilent = true;
    const other = {
      stream_id: 'theirs',
      iss: receiver.transmitter.issuer,
      aud: AUDIENCE,
      delivery: { method: 'urn:ietf:rfc:8935', endpoint_url: 'https://other.example.com' },
      events_requested: [],
      status: 'enabled' as const,
    };
    receiver.transmitter.streams.set('theirs', { ...other });
    await renew();
    expect(streams()).toHaveLength(2);
    expect(streams()[0]).toEqual(other);
    receiver.transmitter.streams.delete(streams()[1]?.stream_id ?? '');
    receiver.transmitter.isSingle = true;
    await receiver.restart();
    await renew();
    expect(streams()).toMatchObject([
      { stream_id: 'theirs', delivery: { endpoint_url: 'https://scopemesh.example.com/events/main' } },
    ]);
  });

  it('for another audience than ours is refused', async () => {
    receiver.transmitter.aud = 'another';
    await expect(renew()).rejects.toMatchObject({ code: 'ERR_CONFIG' });
  });

  it('that replaces another is a gap', async () => {
    receiver.transmitter.isSilent = true;
    const first = await renew();
    expect(first.gap).toBe(false);
    receiver.transmitter.streams.clear();
    const second = await renew(first.stored);
    expect(second.gap).toBe(true);
    expect((await renew(second.stored)).gap).toBe(false);
    expect(messages()).toContain('the stream of shared signals was created again');
  });

  it.each<[string, Record<string, unknown>]>([
    ['no status', { status_endpoint: undefined }],
    ['neither status nor verification', { status_endpoint: undefined, verification_endpoint: undefined }],
  ])('that was deleted at a transmitter without %s is created again, and is a gap', async (_, metadata) => {
    receiver.transmitter.isSilent = true;
    receiver.transmitter.metadata = metadata;
    const first = await renew();
    expect((await renew(first.stored)).gap).toBe(false);
    receiver.transmitter.streams.clear();
    receiver.clock.advance(900_000);
    const second = await renew(first.stored);
    expect(second.gap).toBe(true);
    expect(streams().map(({ stream_id }) => stream_id)).toEqual([JSON.parse(second.stored).streamId]);
    expect((await renew(second.stored)).gap).toBe(false);
    expect(messages()).toContain('the stream of shared signals was created again');
  });

  it.each([404, 410])(
    'with a verification that is answered %i is created again at once, and is a gap',
    async (status) => {
      const { transmitter } = receiver;
      transmitter.isSilent = true;
      const first = await renew();
      const { streamId } = JSON.parse(first.stored);
      receiver.clock.advance(900_000);
      seen.add(`set/verification/${askedState(first)}`);
      // It ends after it was asked how it is, and before its verification.
      transmitter.fault = ({ path }) => {
        if (path !== '/ssf/verify' || !transmitter.streams.delete(streamId)) return undefined;
        return { status };
      };
      const second = await renew(first.stored);
      expect(second).toMatchObject({ gap: true, renewAfterMs: 120_000 });
      expect(streams()).toMatchObject([{ stream_id: expect.any(String) }]);
      expect(JSON.parse(second.stored)).toEqual({
        streamId: streams()[0]?.stream_id,
        asked: { state: expect.any(String), atMs: expect.any(Number) },
      });
      expect((await renew(second.stored)).gap).toBe(false);
      expect(messages()).toEqual(['the stream of shared signals was created again']);
    },
  );

  it('that is listed and cannot be verified is not created again, and is a gap once it works', async () => {
    const { transmitter } = receiver;
    transmitter.isSilent = true;
    const first = await renew();
    receiver.clock.advance(900_000);
    seen.add(`set/verification/${askedState(first)}`);
    transmitter.fault = ({ path }) => (path === '/ssf/verify' ? { status: 404 } : undefined);
    await expect(renew(first.stored)).rejects.toMatchObject({ code: 'ERR_DIRECTORY_INCOMPLETE' });
    await expect(renew(first.stored)).rejects.toMatchObject({ retriable: true });
    expect(streams()).toHaveLength(1);
    transmitter.fault = undefined;
    const second = await renew(first.stored);
    expect(second.gap).toBe(true);
    expect((await renew(second.stored)).gap).toBe(false);
  });

  it.each(['paused', 'disabled'] as const)(
    'that is %s is a gap, is said and is asked to go on',
    async (status) => {
      receiver.transmitter.isSilent = true;
      const first = await renew();
      const [stream] = streams();
      if (stream !== undefined) stream.status = status;
      expect((await renew(first.stored)).gap).toBe(true);
      expect(streams()[0]?.status).toBe('enabled');
      expect((await renew(first.stored)).gap).toBe(false);
      expect(receiver.logs).toContainEqual({
        message: 'the transmitter has stopped the stream; scopemesh asks it to start the stream again',
        fields: expect.objectContaining({ status }),
      });
    },
  );

  it('that was stopped is a gap even if the renewal that enabled it failed later', async () => {
    receiver.transmitter.isSilent = true;
    const first = await renew();
    const [stream] = streams();
    if (stream !== undefined) stream.status = 'paused';
    receiver.clock.advance(900_000);
    receiver.transmitter.fault = ({ path }) => (path === '/ssf/verify' ? { status: 503 } : undefined);
    seen.add(`set/verification/${askedState(first)}`);
    await expect(renew(first.stored)).rejects.toMatchObject({ code: 'ERR_DIRECTORY_UNREACHABLE' });
    expect(streams()[0]?.status).toBe('enabled');
    receiver.transmitter.fault = undefined;
    const second = await renew(first.stored);
    expect(second.gap).toBe(true);
    expect((await renew(second.stored)).gap).toBe(false);
  });

  it('with subjects that must be added at the transmitter says so', async () => {
    receiver.transmitter.isSilent = true;
    receiver.transmitter.metadata = { default_subjects: 'NONE' };
    await renew();
    expect(receiver.logs).toHaveLength(1);
    expect(messages()).toContain(
      'the transmitter sends events only of subjects that were added to the stream: add them there',
    );
  });

  it('that has all subjects, although other streams have none, logs nothing', async () => {
    receiver.transmitter.isSilent = true;
    receiver.transmitter.metadata = { default_subjects: 'NONE' };
    receiver.transmitter.ofStreams = { default_subjects: 'ALL' };
    await renew();
    expect(receiver.logs).toEqual([]);
  });

  it('has the method name that the transmitter knows, and fails without one', async () => {
    const { transmitter } = receiver;
    transmitter.isSilent = true;
    transmitter.metadata = { delivery_methods_supported: ['urn:ietf:rfc:8936'] };
    await expect(renew()).rejects.toMatchObject({
      code: 'ERR_CONFIG',
      message: expect.stringContaining('delivery: poll'),
    });
    receiver.clock.advance(3_600_000);
    const old = 'https://schemas.openid.net/secevent/risc/delivery-method/push';
    transmitter.metadata = { delivery_methods_supported: [old] };
    await renew();
    expect(streams()).toMatchObject([{ delivery: { method: old } }]);
    await receiver.restart();
    await renew();
    expect(streams()).toHaveLength(1);
  });

  it('of a transmitter without management must be configured manually', async () => {
    receiver.transmitter.metadata = { configuration_endpoint: undefined };
    await expect(renew()).rejects.toMatchObject({ code: 'ERR_CONFIG' });
  });

  it('is not managed without credentials', async () => {
    await receiver.close();
    receiver = await startReceiver({});
    expect(receiver.ssf.subscription).toBeUndefined();
    expect(receiver.ssf.poll).toBeUndefined();
  });
});

describe('silence', () => {
  beforeEach(() => {
    // The stand-in would push to an address that is not there: the test delivers.
    receiver.transmitter.isSilent = true;
  });

  it('is no gap if the verification arrives', async () => {
    const first = await renew();
    expect(first).toMatchObject({ gap: false, renewAfterMs: 120_000 });
    await verified(askedState(first));
    receiver.clock.advance(120_000);
    const second = await renew(first.stored);
    expect(second.gap).toBe(false);
    expect(askedState(second)).toBe(askedState(first));
    // Not before the next is due.
    expect(second.renewAfterMs).toBeGreaterThan(770_000);
    receiver.clock.advance(780_000);
    const third = await renew(second.stored);
    expect(third.gap).toBe(false);
    expect(askedState(third)).not.toBe(askedState(first));
  });

  it('is a gap each time that it does not', async () => {
    const first = await renew();
    receiver.clock.advance(119_000);
    const early = await renew(first.stored);
    expect(early.gap).toBe(false);
    expect(early.renewAfterMs).toBeLessThanOrEqual(1_000);
    receiver.clock.advance(1_500);
    const second = await renew(early.stored);
    expect(second.gap).toBe(true);
    expect(messages()).toContain('a requested verification of the stream did not arrive');
    receiver.clock.advance(121_000);
    const third = await renew(second.stored);
    expect(third.gap).toBe(true);
    await verified(askedState(third));
    receiver.clock.advance(121_000);
    expect((await renew(third.stored)).gap).toBe(false);
  });

  it('is not ended by an older verification, nor by one that was not requested', async () => {
    const first = await renew();
    receiver.clock.advance(121_000);
    const second = await renew(first.stored);
    await verified(askedState(first));
    await expect(verified('a state of somebody else')).rejects.toMatchObject({
      status: 400,
      answer: { err: 'invalid_state' },
    });
    await expect(verified(`${askedState(second)}x`)).rejects.toMatchObject({
      answer: { err: 'invalid_state' },
    });
    receiver.clock.advance(121_000);
    expect((await renew(second.stored)).gap).toBe(true);
  });

  it('is found after a restart too: the caller keeps the pending request', async () => {
    const first = await renew();
    await receiver.restart();
    receiver.clock.advance(121_000);
    expect((await renew(first.stored)).gap).toBe(true);
  });

  it('is not checked if no verification can be requested now', async () => {
    receiver.transmitter.fault = ({ path }) => (path === '/ssf/verify' ? { status: 429 } : undefined);
    const first = await renew();
    expect(first).toMatchObject({ gap: false, renewAfterMs: 900_000 });
    receiver.transmitter.fault = undefined;
    expect(JSON.parse((await renew(first.stored)).stored)).toHaveProperty('asked');
  });

  it('ends with a verification of the real transmitter, which returns the state', async () => {
    await receiver.close();
    await start({ delivery: 'poll', pushTokens: [] });
    const first = await renew();
    const waiting = await until('the verification event', () => receiver.transmitter.waiting.size === 1);
    expect(waiting).toBe(true);
    const polled = await receiver.ssf.poll?.poll(undefined, never);
    expect(polled?.events).toMatchObject([
      { id: `set/verification/${askedState(first)}`, isProof: true, triggers: [], orders: [] },
    ]);
  });

  it.each(['', 'nonsense', '{}', '{"streamId":7}'])(
    'starts again from the stored text %j',
    async (stored) => {
      expect((await renew(stored)).gap).toBe(false);
    },
  );
});
