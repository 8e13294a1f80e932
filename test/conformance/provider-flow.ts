import { afterEach, describe, expect, it } from 'vitest';
import { createRig, type Daemon, type Rig } from '../support/daemon.js';
import { BOTH, isClosed, isOpen, READ, WRITE } from '../support/orders-rig.js';

/** One request as the IdP would send it to the webhook. */
export interface Delivery {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** An IdP that can be changed as its administrator does, with what it would send meanwhile. */
export interface ProviderWorld {
  /** Keys of the provider in scopemesh.yaml, besides its name, `poll` and `fullRead`. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** An enabled client that uses client credentials and names the service. Returns its client id. */
  addClient(name: string, service: string, scopes: readonly string[]): Promise<string>;
  setScopes(clientId: string, scopes: readonly string[]): Promise<void>;
  setEnabled(clientId: string, enabled: boolean): Promise<void>;
  deleteClient(clientId: string): Promise<void>;
  /** What would have been sent since the last call, in order. Empty where no event can carry such changes. */
  takeDeliveries(): readonly Delivery[];
  /** The delivery under a proof that is none. */
  forge(delivery: Delivery): Delivery;
  /** How that is answered where the protocol prescribes it; 401 by default. */
  readonly forgedStatus?: number;
  stop(): Promise<void>;
}

/**
 * Too short for what is looked at again after five seconds, so that the event or the poll itself must be what acts. How
 * long that takes is measured elsewhere (test/e2e/latency.test.ts).
 */
const SOON_MS = 4_500;

export interface ProviderFlowOptions {
  /** False where the IdP's webhook carries nothing about clients and scopes, so that only the poll does. */
  readonly tellsOfClients: boolean;
}

/** What every kind of provider does from the IdP to Consul, by its events and without them. */
export function describeProviderFlow(
  name: string,
  start: () => Promise<ProviderWorld>,
  options: ProviderFlowOptions,
): void {
  let world: ProviderWorld;
  let rig: Rig;
  afterEach(async () => {
    await rig.close();
    await world.stop();
  });

  /** No removal may be inferred: what the events say must be enough. */
  const explicitOnly = { guards: { maxRevocations: { percent: 0, atLeast: 0 } } };
  async function running(
    poll: string,
    file: Readonly<Record<string, unknown>> = {},
  ): Promise<{ readonly daemon: Daemon; readonly web: string }> {
    world = await start();
    const web = await world.addClient('web-app', 'web', ['orders:read']);
    const other = await world.addClient('other-app', 'other', []);
    const none = { directory: undefined, directoryToken: undefined, webhook: undefined };
    rig = await createRig({
      file,
      provider: { ...none, ...world.settings, poll },
      prepare: async ({ mesh }) => {
        await mesh.speaks('orders', 'http');
        await mesh.register('orders');
        await mesh.register('web', { client: web });
        await mesh.register('other', { client: other });
      },
    });
    world.takeDeliveries();
    const daemon = await rig.start();
    await isOpen(rig, READ);
    await daemon.idle();
    return { daemon, web };
  }
  async function deliver(daemon: Daemon): Promise<void> {
    const deliveries = world.takeDeliveries();
    expect(deliveries.length).toBeGreaterThan(0);
    for (const { headers, body } of deliveries) {
      const answer = await fetch(`${daemon.address}/events/main`, { method: 'POST', headers, body });
      expect([await answer.text(), answer.ok]).toEqual([expect.anything(), true]);
    }
  }
  /** Every kind of change there is, each followed by what makes scopemesh notice it. */
  async function changeEverything(
    web: string,
    noticed: () => Promise<void>,
    withinMs: number,
  ): Promise<void> {
    const opens = (access: string) => isOpen(rig, access, 'web', withinMs);
    const closes = () => isClosed(rig, 'web', withinMs);
    await world.setScopes(web, ['orders:read', 'orders:write']);
    await noticed();
    await opens(BOTH);
    await world.setScopes(web, ['orders:write']);
    await noticed();
    await opens(WRITE);
    await world.setEnabled(web, false);
    await noticed();
    await closes();
    await world.setEnabled(web, true);
    await noticed();
    await opens(WRITE);
    await world.setScopes(web, []);
    await noticed();
    await closes();
    await world.setScopes(web, ['orders:read']);
    await noticed();
    await opens(READ);
    await world.deleteClient(web);
    await noticed();
    await closes();
  }

  describe(`${name}: from the identity provider to Consul`, () => {
    if (options.tellsOfClients)
      it('grants, narrows, revokes, disables and deletes by the event alone', async () => {
        const { daemon, web } = await running('1h', explicitOnly);
        await changeEverything(web, () => deliver(daemon), SOON_MS);
      });

    it('does the same by the poll alone', async () => {
      const { web } = await running('100ms');
      const noticed = async () => {
        world.takeDeliveries();
      };
      await changeEverything(web, noticed, SOON_MS);
    });

    if (options.tellsOfClients)
      it('refuses and records forged events, which have no effect', async () => {
        const { daemon, web } = await running('1h');
        await world.setScopes(web, []);
        for (const delivery of world.takeDeliveries()) {
          const { headers, body } = world.forge(delivery);
          const answer = await fetch(`${daemon.address}/events/main`, { method: 'POST', headers, body });
          await answer.text();
          expect(answer.status).toBe(world.forgedStatus ?? 401);
        }
        await rig.decided({ outcome: 'refused', reason: 'SignatureInvalid' });
        await daemon.idle();
        await isOpen(rig, READ);
      });
  });
}
