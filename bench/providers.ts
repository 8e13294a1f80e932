import type { ProviderWorld } from '../test/conformance/provider-flow.js';
import { startAuth0World } from '../test/support/auth0/world.js';
import { createRig, type Daemon, type Rig } from '../test/support/daemon.js';
import { startNotifyingEntraWorld } from '../test/support/entra/world.js';
import { startOidcWorld } from '../test/support/oidc-world.js';
import { startOktaProviderWorld } from '../test/support/okta/world.js';
import { until } from '../test/support/until.js';

// How long a grant and a revocation take from each identity provider to the embedded Consul: by the event where one
// tells of clients, and by the poll alone.
// npx tsx bench/providers.ts [ROUNDS] [POLL]

const ROUNDS = Number(process.argv[2] ?? 20);
const POLL = process.argv[3] ?? '1s';

/** Graph notifies of users and groups alone. */
const WORLDS: readonly { name: string; start: () => Promise<ProviderWorld>; tellsOfClients: boolean }[] = [
  { name: 'oidc', start: startOidcWorld, tellsOfClients: true },
  { name: 'auth0', start: startAuth0World, tellsOfClients: true },
  { name: 'okta', start: startOktaProviderWorld, tellsOfClients: true },
  { name: 'entra', start: startNotifyingEntraWorld, tellsOfClients: false },
];

async function open(world: ProviderWorld, poll: string): Promise<{ rig: Rig; daemon: Daemon; web: string }> {
  const web = await world.addClient('web-app', 'web', []);
  await world.addClient('other-app', 'other', []);
  const none = { directory: undefined, directoryToken: undefined, webhook: undefined };
  const rig = await createRig({
    provider: { ...none, ...world.settings, poll },
    prepare: async ({ mesh }) => {
      await mesh.speaks('orders', 'http');
      await mesh.register('orders');
      await mesh.register('web', { client: web });
    },
  });
  world.takeDeliveries();
  const daemon = await rig.start();
  await until('the first complete read', async () =>
    (await daemon.status()).directories.every(({ ageSeconds }) => ageSeconds !== null),
  );
  await daemon.idle();
  return { rig, daemon, web };
}

/** Milliseconds from each change at the IdP until Consul has it. */
async function measure(world: ProviderWorld, poll: string, byEvent: boolean): Promise<readonly number[]> {
  const { rig, daemon, web } = await open(world, poll);
  const took: number[] = [];
  try {
    for (let round = 0; round < ROUNDS * 2; round++) {
      const isGrant = round % 2 === 0;
      await world.setScopes(web, isGrant ? ['orders:read'] : []);
      const begun = performance.now();
      for (const { headers, body } of world.takeDeliveries())
        if (byEvent)
          await fetch(`${daemon.address}/events/main`, { method: 'POST', headers, body }).then((answer) =>
            answer.text(),
          );
      await until(
        'the change in Consul',
        async () => ((await rig.mesh.access('orders'))?.web !== undefined) === isGrant,
      );
      took.push(performance.now() - begun);
    }
  } finally {
    await rig.close();
    await world.stop();
  }
  return took;
}

for (const { name, start, tellsOfClients } of WORLDS) {
  for (const byEvent of tellsOfClients ? [true, false] : [false]) {
    const took = [...(await measure(await start(), byEvent ? '1h' : POLL, byEvent))].sort((a, b) => a - b);
    const at = (share: number) => `${Math.round(took[Math.floor((took.length - 1) * share)] ?? 0)} ms`;
    console.log(
      `${name} by ${byEvent ? 'event' : `poll every ${POLL}`}: p50 ${at(0.5)}, p95 ${at(0.95)}, most ${at(1)}`,
    );
  }
}
