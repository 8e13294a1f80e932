import { afterEach, expect, it } from 'vitest';
import type { Daemon, Rig } from '../../support/daemon.js';
import { isClosed, isOpen, ordersRig, READ } from '../../support/orders-rig.js';
import { until } from '../../support/until.js';

let rig: Rig;
let daemon: Daemon;
afterEach(() => rig.close());

const paused = () =>
  until('a pause', async () => {
    const { providers } = await daemon.status();
    return providers.find(({ pause }) => pause !== null)?.pause ?? undefined;
  });

it('a provider that limits the rate gets no request for a poll interval, except for orders and proven changes', async () => {
  rig = await ordersRig({ provider: { poll: '30s', fullRead: '30s' } });
  daemon = await rig.start();
  await isOpen(rig, READ);
  await daemon.idle();

  let asked = 0;
  rig.idp.fault = () => {
    asked++;
    return { status: 429, headers: { 'retry-after': '3600' }, json: {} };
  };
  rig.clock.advance(40_000);
  await until('the first 429', () => asked > 0);
  expect(await paused()).toMatchObject({ why: 'rate-limit' });
  expect((await paused()).remainingSeconds).toBeLessThanOrEqual(30);

  // What was under way when the first 429 came may still have asked.
  const before = asked;
  expect(before).toBeLessThanOrEqual(3);
  for (let second = 0; second < 20; second++) rig.clock.advance(1_000);
  await until(
    'a pause of 20 s',
    async () => ((await daemon.metric('scopemesh_provider_paused_seconds{provider="main"}')) ?? 0) >= 20,
  );
  expect(asked).toBe(before);

  // An order is carried out all the same: the client is asked for, and closed where it cannot be read.
  await daemon.tell('client.disabled', 'web-app');
  await until('the order asks', () => asked > before);
  rig.clock.advance(6_000);
  await isClosed(rig);

  rig.idp.fault = undefined;
  rig.clock.advance(40_000);
  await isOpen(rig, READ);
  expect((await daemon.status()).providers[0]?.pause).toBeNull();
});

it('after one 429 that asks for an hour, a signed event about a removed scope closes at once', async () => {
  rig = await ordersRig({ provider: { poll: '30s', fullRead: '30s' } });
  daemon = await rig.start();
  await isOpen(rig, READ);
  await daemon.idle();
  let refused = 0;
  rig.idp.fault = () => {
    if (refused > 0) return undefined;
    refused++;
    return { status: 429, headers: { 'retry-after': '3600' }, json: {} };
  };
  rig.clock.advance(40_000);
  await paused();
  rig.idp.put('web-app');
  await daemon.tell('client.updated', 'web-app');
  await isClosed(rig);
});
