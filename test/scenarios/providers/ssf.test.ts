import { createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { Daemon, Rig } from '../../support/daemon.js';
import { isClosed, isOpen, ordersRig, READ } from '../../support/orders-rig.js';
import { createSigner } from '../../support/ssf/set-signer.js';
import { type StandInTransmitter, startTransmitter } from '../../support/ssf/transmitter.js';
import { until } from '../../support/until.js';

const ISSUER = 'http://127.0.0.1/main';
const RISC = 'https://schemas.openid.net/secevent/risc/event-type/';
const CAEP = 'https://schemas.openid.net/secevent/caep/event-type/';
const WEB = { format: 'complex', application: { format: 'iss_sub', iss: ISSUER, sub: 'web-app' } };
const JANE = { format: 'iss_sub', iss: ISSUER, sub: 'jane' };

let transmitter: StandInTransmitter;
let rig: Rig;
let daemon: Daemon;
afterEach(async () => {
  await rig.close();
  await transmitter.close();
});

/** A daemon beside a directory document, with a stream of shared signals. */
async function running(
  delivery: 'push' | 'poll',
  provider: Record<string, unknown> = {},
  isSilent = false,
): Promise<void> {
  transmitter = await startTransmitter({ now: () => Date.now() });
  transmitter.isSilent = isSilent;
  const port = await freePort();
  const stream = {
    transmitter: transmitter.issuer,
    audience: transmitter.aud,
    token: transmitter.managementToken,
  };
  rig = await ordersRig({
    file: { http: { listen: `127.0.0.1:${port}` } },
    provider: {
      ssf:
        delivery === 'poll'
          ? { ...stream, delivery }
          : {
              ...stream,
              endpoint: `http://127.0.0.1:${port}/events/main`,
              pushTokens: ['push-token-0123456789'],
            },
      ...provider,
    },
  });
  daemon = await rig.start();
  await isOpen(rig, READ);
  await until('a stream', () => transmitter.streams.size === 1);
  await daemon.idle();
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const bound = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return typeof bound === 'object' && bound !== null ? bound.port : 0;
}

async function post(set: string, headers: Record<string, string> = {}) {
  const answer = await fetch(`${daemon.address}/events/main`, {
    method: 'POST',
    headers: {
      'content-type': 'application/secevent+jwt',
      authorization: 'Bearer push-token-0123456789',
      ...headers,
    },
    body: set,
  });
  const { status, headers: said } = answer;
  const [type, language] = ['content-type', 'content-language'].map((name) => said.get(name));
  return { status, body: await answer.text(), type, language };
}

/** The directory's word is waited for, for five seconds; here they pass faster. */
async function isClosedInTime(): Promise<void> {
  const from = rig.clock.now();
  await until('the client is closed', async () => {
    rig.clock.advance(100);
    return (await rig.mesh.access('orders'))?.web === undefined;
  });
  expect(rig.clock.now() - from).toBeGreaterThan(5_000);
}

const disabled = () => transmitter.claims({ [`${RISC}account-disabled`]: {} }, { sub_id: WEB });
const accepted = () => daemon.metric('scopemesh_events_total{provider="main",result="accepted"}');

describe('shared signals that are pushed', () => {
  it('come through a stream that scopemesh created and verified, and are answered as RFC 8935 says', async () => {
    await running('push');
    await until('the verification', () => transmitter.answered.length > 0);
    expect(transmitter.answered[0]).toEqual({ status: 202, body: '' });
    await transmitter.emit(disabled());
    expect(transmitter.answered.at(-1)).toEqual({ status: 202, body: '' });
  });

  it('appear in the status of their provider, with their stream', async () => {
    await running('push');
    await until('the verification', async () => (await accepted()) === 1);
    const [health] = (await daemon.status()).providers;
    expect(health?.signals).toMatchObject({ delivery: 'push', lastPollAt: null, isSilent: false });
    expect(Date.parse(health?.signals?.lastEventAt ?? '')).toBeGreaterThan(rig.clock.now() - 60_000);
    expect(health?.subscriptions).toMatchObject([{ name: 'signals/main', renewedAt: expect.any(String) }]);
    expect(health?.webhook?.lastEventAt).toBeNull();
  });

  it('close a client at once if its directory confirms it', async () => {
    await running('push');
    rig.idp.change('web-app', { enabled: false });
    await transmitter.emit(disabled());
    await isClosed(rig);
    await rig.decided(
      ({ resource, cause }) => resource.kind === 'intention' && cause.eventId?.startsWith('set/') === true,
    );
  });

  it('close a client whose directory cannot be read', async () => {
    await running('push');
    rig.idp.fault = () => ({ status: 503 });
    await transmitter.emit(disabled());
    await isClosedInTime();
    await rig.decided(({ reason }) => reason === 'RevocationUnconfirmed');
  });

  it('are refused with their error and recorded if they are forged', async () => {
    await running('push');
    const refused = [
      await post(createSigner('key-1').sign(disabled())),
      await post(transmitter.signers[0]?.sign(disabled()) ?? '', { authorization: 'Bearer guessed' }),
      await post(transmitter.signers[0]?.sign({ ...disabled(), aud: 'another' }) ?? ''),
    ];
    const json = 'application/json; charset=utf-8';
    expect(
      refused.map(({ status, type, language, body }) => [status, type, language, JSON.parse(body).err]),
    ).toEqual([
      [400, json, 'en', 'invalid_key'],
      [400, json, 'en', 'authentication_failed'],
      [400, json, 'en', 'invalid_audience'],
    ]);
    const rejected = async () =>
      (await rig.decisions()).filter(({ type }) => type === 'dev.scopemesh.event.rejected');
    await until('three decisions', async () => (await rejected()).length === 3);
    expect((await rejected()).map(({ reason }) => reason)).toEqual([
      'SignatureInvalid',
      'SignatureInvalid',
      'EventInvalid',
    ]);
    await daemon.idle();
    await isOpen(rig, READ);
  });

  it('count once, however often they are sent', async () => {
    await running('push');
    await until('the verification', async () => (await accepted()) === 1);
    const set = transmitter.signers[0]?.sign(
      transmitter.claims({ [`${CAEP}session-revoked`]: {} }, { sub_id: JANE }),
    );
    for (let count = 0; count < 3; count++) expect((await post(set ?? '')).status).toBe(202);
    expect(await accepted()).toBe(2);
    expect(await daemon.metric('scopemesh_events_total{provider="main",result="duplicate"}')).toBe(2);
  });

  it('are requested again while the keys cannot be read', async () => {
    await running('push');
    await until('the verification', async () => (await accepted()) === 1);
    transmitter.fault = ({ path }) => (path === '/jwks' ? { status: 503 } : undefined);
    transmitter.signers = [createSigner('key-2')];
    rig.clock.advance(2 * 3600_000);
    expect((await post(transmitter.signers[0]?.sign(disabled()) ?? '')).status).toBe(503);
  });

  it('share their address with the provider’s own events', async () => {
    await running('push');
    rig.idp.change('web-app', { enabled: false });
    await daemon.tell('client.disabled', 'web-app');
    await isClosed(rig);
  });
});

describe('a stream of shared signals that brings nothing', () => {
  const compared = () =>
    rig.logs.filter((line) => line.includes('a subscription had expired or was silent')).length;

  it('causes a complete comparison, and is asked again', async () => {
    await running('push', {}, true);
    const asked = () => transmitter.seen.filter((each) => each === 'POST /ssf/verify').length;
    await until('a request for verification', () => asked() === 1);
    await daemon.idle();
    expect(compared()).toBe(0);
    rig.clock.advance(130_000);
    await until('a comparison', () => compared() === 1);
    await until('another request', () => asked() === 2);
  });

  it('is enabled again after somebody disabled it', async () => {
    await running('push');
    await until('the verification', () => transmitter.answered.length > 0);
    for (const stream of transmitter.streams.values()) stream.status = 'disabled';
    rig.clock.advance(130_000);
    await until('a comparison', () => compared() === 1);
    expect([...transmitter.streams.values()].map(({ status }) => status)).toEqual(['enabled']);
  });
});

describe('shared signals that are polled', () => {
  it('act within a poll, and are acknowledged', async () => {
    await running('poll', { poll: '200ms' });
    rig.idp.fault = () => ({ status: 503 });
    await transmitter.emit(disabled());
    await isClosedInTime();
    await until('nothing waits at the transmitter', () => transmitter.waiting.size === 0);
    expect(transmitter.refused.size).toBe(0);
    const [health] = (await daemon.status()).providers;
    expect(health?.signals).toMatchObject({ delivery: 'poll', lastPollAt: expect.any(String) });
  });

  it('are refused, reported to the transmitter and recorded if they are forged', async () => {
    await running('poll', { poll: '200ms' });
    transmitter.signers = [createSigner('key-1')];
    await transmitter.emit(disabled());
    const decision = await rig.decided({ type: 'dev.scopemesh.event.rejected' });
    expect(decision).toMatchObject({
      outcome: 'refused',
      reason: 'SignatureInvalid',
      cause: { kind: 'poll' },
    });
    expect(decision.principal).toBeUndefined();
    await until('the transmitter knows', () => transmitter.refused.size === 1);
    expect(await daemon.metric('scopemesh_events_total{provider="main",result="rejected"}')).toBe(1);
    await daemon.idle();
    expect(
      (await rig.decisions()).filter(({ type }) => type === 'dev.scopemesh.event.rejected'),
    ).toHaveLength(1);
    await isOpen(rig, READ);
  });

  it('arrive completely although the transmitter gives few at a time', async () => {
    await running('poll', { poll: '1h' });
    await daemon.stop();
    transmitter.mostSets = 10;
    transmitter.waiting.clear();
    for (let count = 0; count < 45; count++)
      await transmitter.emit(
        transmitter.claims({ [`${CAEP}session-revoked`]: {} }, { sub_id: { ...JANE, sub: `p${count}` } }),
      );
    daemon = await rig.start();
    await until('all are in', async () => ((await accepted()) ?? 0) >= 45);
    await until('but the last are acknowledged', () => transmitter.waiting.size <= 5);
  });
});
