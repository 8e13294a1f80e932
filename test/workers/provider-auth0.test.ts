import { afterEach, describe, expect, it } from 'vitest';
import { startAuth0World } from '../support/auth0/world.js';
import { createRig, type Rig } from '../support/daemon.js';
import { isClosed, isOpen, READ } from '../support/orders-rig.js';
import { until } from '../support/until.js';

let world: Awaited<ReturnType<typeof startAuth0World>>;
let rig: Rig;
afterEach(async () => {
  await rig.close();
  await world.stop();
});

describe('a log stream of Auth0 that loses an entry', () => {
  it('is found by the poll: the change acts, it counts as missed, and everything is compared', async () => {
    world = await startAuth0World();
    const web = await world.addClient('web-app', 'web', ['orders:read']);
    const none = { directory: undefined, directoryToken: undefined };
    rig = await createRig({
      provider: { ...none, ...world.settings, poll: '1s' },
      prepare: async ({ mesh }) => {
        await mesh.speaks('orders', 'http');
        await mesh.register('orders');
        await mesh.register('web', { client: web });
      },
    });
    const daemon = await rig.start();
    await isOpen(rig, READ);
    const gaps = () => daemon.metric('scopemesh_event_gaps_total{provider="main",reason="missed"}');
    await until('a poll', async () => (await daemon.status()).providers[0]?.poll?.lastPollAt ?? undefined);
    await world.setScopes(web, []);
    await isClosed(rig);
    expect(await gaps()).toBeUndefined();
    // The stream may be slower than the poll, for a minute.
    const missed = async () => (await daemon.status()).providers[0]?.poll?.missedSignals;
    await until('the missed signal', async () => {
      rig.clock.advance(10_000);
      return (await missed()) === 1;
    });
    expect(await daemon.metric('scopemesh_missed_signals_total{provider="main"}')).toBe(1);
    await until('the comparison', async () => (await gaps()) === 1);
  });
});
