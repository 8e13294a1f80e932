import { afterEach, describe, expect, it } from 'vitest';
import type { LogEntry } from '../../support/auth0/tenant.js';
import { startAuth0World } from '../../support/auth0/world.js';
import { createRig, type Rig } from '../../support/daemon.js';
import { isClosed, isOpen, READ } from '../../support/orders-rig.js';
import { until } from '../../support/until.js';

let world: Awaited<ReturnType<typeof startAuth0World>>;
let rig: Rig;
afterEach(async () => {
  await rig.close();
  await world.stop();
});

const running = async () => {
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
  await until('a poll', async () => (await daemon.status()).providers[0]?.poll?.lastPollAt ?? undefined);
  return { daemon, web };
};

describe('a log stream of Auth0 that loses an entry', () => {
  it('is replaced by the poll: the change acts, counts as missed, and everything is compared', async () => {
    const { daemon, web } = await running();
    const gaps = () => daemon.metric('scopemesh_event_gaps_total{provider="main",reason="missed"}');
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

describe('an entry in the log of Auth0 that cannot be read', () => {
  it('is refused with a log line, causes a complete comparison, and does not stop what follows it', async () => {
    const { daemon, web } = await running();
    const last = world.tenant.log.at(-1) as LogEntry;
    world.tenant.log.push({ ...last, log_id: `${last.log_id}a`, date: 'yesterday' });
    const refused = () => daemon.metric('scopemesh_events_total{provider="main",result="rejected"}');
    await until('the refusal', async () => (await refused()) === 1);
    const gaps = () => daemon.metric('scopemesh_event_gaps_total{provider="main",reason="log"}');
    await until('the comparison', async () => (await gaps()) === 1);
    await world.setScopes(web, []);
    await isClosed(rig);
  });
});
