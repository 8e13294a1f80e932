import { expect, test } from 'vitest';
import { clientKey } from '../../../src/model/key.js';
import { reconcileClient } from '../../../src/reconcile/client.js';
import { client, NOW } from '../../plan/scene.js';
import { depsOf, worldWithTwo } from '../deps.js';

const KEY = { kind: 'client', provider: 'main', by: 'clientId', value: 'web' } as const;
const CAUSE = { kind: 'webhook', receivedAt: new Date(NOW).toISOString() } as const;

/** The keys that the job of `web` queues where its directory shows `found` under that client ID. */
async function queuedBy(found: 'nothing' | 'itself') {
  const world = worldWithTwo();
  const web = client('web', ['orders'], { internalId: 'internal-1' });
  world.putDirectory('main', [web, client('api', ['orders'])], world.beginRead(), NOW);
  const { deps, added } = depsOf(world, { read: async () => (found === 'itself' ? web : undefined) });
  const key = clientKey('main', 'web');
  await reconcileClient(
    KEY,
    { key, triggers: [{ key, cause: CAUSE, urgent: true }], attempts: 0 },
    deps,
    AbortSignal.timeout(5_000),
  );
  return added.filter(({ key }) => key.kind === 'client');
}

test('a client that is gone under its client ID is looked for by its internal ID, with the cause of the loss', async () => {
  expect(await queuedBy('nothing')).toEqual([
    { key: { ...KEY, by: 'internalId', value: 'internal-1' }, cause: CAUSE, urgent: true },
  ]);
});

test('a client that its directory still shows is not looked for', async () => {
  expect(await queuedBy('itself')).toEqual([]);
});
