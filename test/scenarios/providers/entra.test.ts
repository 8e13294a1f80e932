import { afterEach, describe, expect, it } from 'vitest';
import { createRig, type Rig } from '../../support/daemon.js';
import { type Relay, startRelay } from '../../support/entra/relay.js';
import { guidOf } from '../../support/entra/tenant.js';
import { startEntraWorld } from '../../support/entra/world.js';
import { isClosed, isOpen, READ } from '../../support/orders-rig.js';
import { until } from '../../support/until.js';

type World = Awaited<ReturnType<typeof startEntraWorld>>;

let world: World;
let rig: Rig;
let relay: Relay | undefined;
afterEach(async () => {
  await rig.close();
  await relay?.close();
  relay = undefined;
  await world.stop();
});

async function running(provider: Record<string, unknown> = {}) {
  world = await startEntraWorld();
  const web = await world.addClient('web-app', 'web', ['orders:read']);
  const other = await world.addClient('other-app', 'other', []);
  const none = { directory: undefined, directoryToken: undefined, webhook: undefined };
  rig = await createRig({
    provider: { ...none, ...world.settings, poll: '100ms', ...provider },
    prepare: async ({ mesh }) => {
      await mesh.speaks('orders', 'http');
      await mesh.register('orders');
      await mesh.register('web', { client: web });
      await mesh.register('other', { client: other });
    },
  });
  const daemon = await rig.start();
  await isOpen(rig, READ);
  await daemon.idle();
  return { daemon, web };
}

/** Resolves when a whole poll that began after this call has ended. */
async function polledAgain(): Promise<void> {
  const { requests } = world.entra;
  const polls = () => requests.filter((request) => request.endsWith('/oauth2PermissionGrants/delta')).length;
  const before = polls();
  await until('two polls', () => polls() >= before + 2);
}

describe('A tenant whose replicas lag', () => {
  it('is read again after an event until it shows what the event said', async () => {
    const { daemon, web } = await running();
    world.entra.tenant.freezeReads();
    await world.setEnabled(web, false);
    await polledAgain();
    await daemon.idle();
    await isOpen(rig, READ);
    world.entra.tenant.thawReads();
    await polledAgain();
    rig.clock.advance(5_000);
    await isClosed(rig);
  });
});

describe('A webhook at Graph', () => {
  it('is subscribed to by the daemon, which answers the validation and takes notifications', async () => {
    relay = await startRelay();
    const secret = 'client-state-0123456789';
    const { daemon } = await running({ webhook: { url: relay.url, secrets: [secret] } });
    relay.target = daemon.address;
    const { subscriptions, tenant } = world.entra;
    // The first attempt found nobody at the address yet; it is made again.
    await until('both subscriptions', () => {
      rig.clock.advance(10_000);
      return subscriptions.active.size === 2;
    });
    expect(subscriptions.lastValidation).toMatchObject({
      status: 200,
      contentType: expect.stringMatching(/^text\/plain/),
    });
    // Until when they last is kept and shown, in the status and by a metric.
    const shown = async () => (await daemon.status()).providers[0]?.subscriptions[0];
    const { name, expiresAt } = await until('the end', async () =>
      (await shown())?.expiresAt === null ? undefined : shown(),
    );
    const [end] = [...subscriptions.active.values()]
      .map(({ expirationDateTime }) => expirationDateTime)
      .sort();
    expect({ name, expiresAt }).toEqual({ name: 'main', expiresAt: end });
    const seconds = await daemon.metric('scopemesh_subscription_expires_seconds{provider="main"}');
    expect(seconds).toBeGreaterThan(28 * 24 * 3_600);

    tenant.put('users', { id: guidOf('ann'), accountEnabled: true });
    const [entry] = tenant.changes.slice(-1);
    if (entry === undefined) throw new Error('nothing changed');
    expect(await subscriptions.notifyOf(entry)).toEqual([202]);

    const [subscription] = subscriptions.active.values();
    if (subscription === undefined) throw new Error('no subscription');
    const forged = subscriptions.bodyOf(
      { ...subscription, clientState: 'guessed' },
      { changeType: 'updated' },
    );
    const answer = await fetch(relay.url, { method: 'POST', body: forged });
    await answer.text();
    expect(answer.status).toBe(401);
    await rig.decided({ outcome: 'refused', reason: 'SignatureInvalid' });

    // Beside a proven one it is refused all the same, and keeps nobody from hearing that one.
    const notifications = [subscription, { ...subscription, clientState: 'guessed' }].flatMap(
      (each) => JSON.parse(subscriptions.bodyOf(each, { changeType: 'updated' })).value,
    );
    const both = await fetch(relay.url, { method: 'POST', body: JSON.stringify({ value: notifications }) });
    expect([both.status, await both.json()]).toEqual([202, { accepted: 1 }]);
    await until(
      'another refusal',
      async () => (await daemon.metric('scopemesh_events_total{provider="main",result="rejected"}')) === 2,
    );
    await rig.decided(({ detail }) => detail?.startsWith('1 of 2 notifications') === true);
  });
});
