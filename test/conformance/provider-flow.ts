import { afterEach, describe, expect, it } from 'vitest';
import type { CauseKind } from '../../src/model/cause.js';
import { createRig, type Daemon, type Rig } from '../support/daemon.js';
import { BOTH, EDGE, isClosed, isOpen, READ, WRITE } from '../support/orders-rig.js';

/** One request as the identity provider would send it to the webhook. */
export interface Delivery {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** An identity provider that can be changed as its administrator does, with what it would send meanwhile. */
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
  /** The delivery with an invalid proof. */
  forge(delivery: Delivery): Delivery;
  /** How that is answered where the protocol prescribes it; 401 by default. */
  readonly forgedStatus?: number;
  stop(): Promise<void>;
}

export interface ProviderFlowOptions {
  /** False where the identity provider's webhook carries nothing about clients and scopes, so that only the poll does. */
  readonly tellsOfClients: boolean;
}

/** What every kind of provider does from the identity provider to Consul, by its events and without them. */
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
    await rig.decided({ subject: EDGE, outcome: 'applied' });
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
  /** Every kind of change there is, each followed by what makes scopemesh notice it, which must be the cause. */
  async function changeEverything(
    web: string,
    noticed: () => Promise<void>,
    causes: readonly CauseKind[],
  ): Promise<void> {
    const after = async (change: () => Promise<void>, isShown: () => Promise<true>) => {
      const earlier = (await rig.decisions()).length;
      await change();
      await noticed();
      await isShown();
      const { cause } = await rig.decided({ subject: EDGE, outcome: 'applied' }, earlier);
      expect(causes).toContain(cause.kind);
    };
    const opens = (access: string) => () => isOpen(rig, access);
    const closes = () => isClosed(rig);
    await after(() => world.setScopes(web, ['orders:read', 'orders:write']), opens(BOTH));
    await after(() => world.setScopes(web, ['orders:write']), opens(WRITE));
    await after(() => world.setEnabled(web, false), closes);
    await after(() => world.setEnabled(web, true), opens(WRITE));
    await after(() => world.setScopes(web, []), closes);
    await after(() => world.setScopes(web, ['orders:read']), opens(READ));
    await after(() => world.deleteClient(web), closes);
  }

  describe(`${name}: from the identity provider to Consul`, () => {
    if (options.tellsOfClients)
      it('grants, narrows, revokes, disables and deletes by the event alone', async () => {
        const { daemon, web } = await running('1h', explicitOnly);
        // An event may also have the identity provider's log read at once; without an event its next poll is an hour away.
        await changeEverything(web, () => deliver(daemon), ['webhook', 'poll']);
      });

    it('does the same by the poll alone', async () => {
      const { web } = await running('100ms');
      const noticed = async () => {
        world.takeDeliveries();
      };
      await changeEverything(web, noticed, ['poll']);
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
