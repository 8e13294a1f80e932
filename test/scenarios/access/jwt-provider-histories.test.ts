import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { clientKey } from '../../../src/model/key.js';
import { planned, plannedFor } from '../../../src/reconcile/jwt-provider-plans.js';
import { sweep } from '../../../src/reconcile/sweep.js';
import { planFleet } from '../../../src/state/fleet.js';
import type { Rig } from '../../support/daemon.js';
import { startWorker, type Worker } from '../../support/reconcile-rig.js';
import { runsOf } from '../../support/soak.js';
import { JWT_PROVIDER, jwtProviders, usersRig } from '../../support/users-rig.js';

const never = new AbortController().signal;

/** What the identity provider, a person with curl and time may do, in any order. */
const ACTIONS = [
  'grant',
  'revoke',
  'sweep',
  'foreign names it',
  'foreign lets go',
  'entry drifts',
  'intention goes',
  'tcp',
  'http',
  'silent provider',
  'provider speaks',
] as const;

let rig: Rig;
let worker: Worker;
afterEach(async () => {
  await worker?.stop();
  await rig?.close();
});

async function act(action: (typeof ACTIONS)[number]): Promise<void> {
  const permission = {
    Action: 'allow',
    HTTP: { PathPrefix: '/' },
    JWT: { Providers: [{ Name: JWT_PROVIDER }] },
  };
  // Consul refuses some of them in some states, as it would a person.
  const byHand = (write: Promise<unknown>) => write.catch(() => undefined);
  const web = () => worker.add(clientKey('main', 'web-app'), 'webhook');
  switch (action) {
    case 'grant':
      rig.idp.put('web-app', 'orders:read');
      return web();
    case 'revoke':
      rig.idp.put('web-app');
      return web();
    case 'sweep':
      await sweep(worker.deps, never);
      return;
    case 'foreign names it':
      await byHand(rig.mesh.write('reports', [{ Name: 'other', Permissions: [permission] }]));
      return;
    case 'foreign lets go':
      return void (await byHand(rig.mesh.remove('reports')));
    case 'entry drifts': {
      const [entry] = await jwtProviders(rig);
      if (entry !== undefined)
        await byHand(rig.mesh.request('PUT', '/v1/config', { ...entry, Audiences: ['else'] }));
      return;
    }
    case 'intention goes':
      return void (await byHand(rig.mesh.remove('orders')));
    case 'tcp':
    case 'http':
      await byHand(rig.mesh.speaks('orders', action));
      // Here nothing watches the protocols, as the daemon does.
      await sweep(worker.deps, never);
      return;
    case 'silent provider':
      rig.idp.fault = (path) => (path.startsWith('/.well-known') ? { status: 503 } : undefined);
      return;
    case 'provider speaks':
      rig.idp.fault = undefined;
      return;
  }
}

/** The destinations whose intentions name a jwt-provider that is not there. */
async function broken(): Promise<readonly string[]> {
  const names = new Set((await jwtProviders(rig)).map(({ Name }) => Name));
  const entries = Object(await rig.mesh.request('GET', '/v1/config/service-intentions'));
  return [...entries].flatMap((entry: { Name: string }) =>
    [...JSON.stringify(entry).matchAll(/"JWT":\{"Providers":\[\{"Name":"([^"]+)"/g)].some(
      ([, name]) => name !== undefined && !names.has(name),
    )
      ? [entry.Name]
      : [],
  );
}

describe('over any history', () => {
  it('no write of ours is refused, no intention lacks its jwt-provider, and in the end there is nothing left to do', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom(...ACTIONS), { minLength: 4, maxLength: 10 }),
        async (history) => {
          rig = await usersRig();
          await rig.mesh.speaks('reports', 'http');
          worker = await startWorker(rig);
          try {
            for (const action of history) {
              await act(action);
              await worker.idle();
              expect(await broken()).toEqual([]);
            }
            for (const action of ['provider speaks', 'http', 'sweep', 'sweep'] as const) {
              await act(action);
              await worker.idle();
            }
            const { world, window, clock } = worker.deps;
            const plans = planFleet(world, window, clock.now(), { owned: 0, planned: 0, begun: 0 });
            expect(plans.flatMap(({ changes, awaits = [] }) => [...changes, ...awaits])).toEqual([]);
            expect(planned(plans, worker.deps)).toEqual([]);
            expect(await plannedFor('main', worker.deps, never)).toEqual([]);
            const isGranted = rig.idp.clients.get('web-app')?.scopes.includes('orders:read') === true;
            expect((await rig.mesh.access('orders'))?.web !== undefined).toBe(isGranted);
            const refused = (await worker.settled()).filter(({ reason }) => reason === 'ConsulRefused');
            expect(refused).toEqual([]);
          } finally {
            await worker.stop();
            await rig.close();
          }
        },
      ),
      { ...runsOf(10, 4), endOnFailure: true },
    );
  }, 120_000);
});
