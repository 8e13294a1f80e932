import { expect, it } from 'vitest';
import { silentLogger } from '../../src/observe.js';
import { readUserTokenFacts } from '../../src/read/user-token-facts.js';
import { WorldState } from '../../src/state/world-state.js';
import { settings } from '../plan/acl/acl-scene.js';
import { mapping, rule } from '../plan/scene.js';
import { depsOf } from '../reconcile/deps.js';

it('knows the services behind terminating gateways, and no longer after a failed read', async () => {
  const rules = [rule('orders', 'orders', { userRequired: true })];
  const claims = { claimGraceMs: 0, clientMeta: 'oauth-client-id', clientTag: 'oauth-client=' };
  const world = new WorldState(mapping({ rules, acl: settings() }), claims);
  const { consul, jwksUris } = depsOf(world, {}).deps;
  const read = (readGateways: typeof consul.reachability.readGateways) =>
    readUserTokenFacts(
      {
        consul: { ...consul, reachability: { ...consul.reachability, readGateways } },
        world,
        jwksUris,
        logger: silentLogger,
      },
      new AbortController().signal,
    );
  await read(async () => [
    { name: 'exit', routes: [{ service: 'Orders', protocol: '', place: 'terminating-gateway exit' }] },
  ]);
  expect(world.userTokens.facts.behindGateways).toEqual(new Set(['orders']));
  await read(() => Promise.reject(new Error('no answer')));
  expect(world.userTokens.facts.behindGateways).toBeUndefined();
});
