import { afterEach, expect, it } from 'vitest';
import type { Daemon, Rig } from '../../support/daemon.js';
import { isClosed, isOpen, ordersRig, READ } from '../../support/orders-rig.js';
import { until } from '../../support/until.js';

let rig: Rig;
let daemon: Daemon;
afterEach(() => rig.close());

it('a provider that limits the rate gets no request before the time that it named, except for orders', async () => {
  rig = await ordersRig({ provider: { poll: '1s', fullRead: '1s' } });
  daemon = await rig.start();
  await isOpen(rig, READ);
  await daemon.idle();

  let asked = 0;
  rig.idp.fault = () => {
    asked++;
    return { status: 429, headers: { 'retry-after': '60' }, json: {} };
  };
  rig.clock.advance(1_500);
  await until('the first 429', () => asked > 0);
  const paused = await until('a pause', async () => {
    const { providers } = await daemon.status();
    return providers.find(({ pausedSeconds }) => pausedSeconds > 50);
  });
  expect(paused.pausedSeconds).toBeLessThanOrEqual(60);
  expect(await daemon.metric('scopemesh_provider_paused_seconds{provider="main"}')).toBeGreaterThan(50);

  // What was under way when the first 429 came may still have asked.
  const before = asked;
  expect(before).toBeLessThanOrEqual(2);
  for (let second = 0; second < 20; second++) rig.clock.advance(1_000);
  await daemon.tell('client.updated', 'web-app');
  await until('refused jobs', async () => (await daemon.status()).queue.delayed > 0);
  expect(asked).toBe(before);

  // An order is carried out all the same: the client is asked for, and closed where it cannot be read.
  await daemon.tell('client.disabled', 'web-app');
  await until('the order asks', () => asked > before);
  rig.clock.advance(6_000);
  await isClosed(rig);

  rig.idp.fault = undefined;
  rig.clock.advance(70_000);
  await isOpen(rig, READ);
});
