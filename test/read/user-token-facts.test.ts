import { expect, it } from 'vitest';
import { Stopped, SyncError } from '../../src/errors.js';
import { silentLogger } from '../../src/observe.js';
import { readUserTokenFacts } from '../../src/read/user-token-facts.js';
import { WorldState } from '../../src/state/world-state.js';
import { settings } from '../acl/plan/acl-scene.js';
import { mapping, rule } from '../plan/scene.js';
import { depsOf } from '../reconcile/deps.js';

/** A world whose rules need user tokens. */
function needingUsers() {
  const rules = [rule('orders', 'orders', { userRequired: true })];
  const claims = { claimGraceMs: 0, clientMeta: 'oauth-client-id', clientTag: 'oauth-client=' };
  const world = new WorldState(mapping({ rules, acl: settings() }), claims);
  return { world, deps: depsOf(world, {}).deps };
}

it('knows the services behind terminating gateways, and no longer after a failed read', async () => {
  const { world, deps } = needingUsers();
  const { consul, jwksUris } = deps;
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

it('ends as a stop if that ended the read of the keys, and as a warning if the provider did not answer', async () => {
  const { world, deps } = needingUsers();
  const warned: unknown[] = [];
  const logger = { ...silentLogger, warn: (fields: object) => warned.push(fields) };
  const read = (error: Error) =>
    readUserTokenFacts(
      { ...deps, world, logger, jwksUris: new Map([['main', () => Promise.reject(error)]]) },
      new AbortController().signal,
    );
  const about = () => warned.filter((each) => JSON.stringify(each).includes('the keys of main'));
  await expect(read(new Stopped('the leader stops'))).rejects.toThrow(Stopped);
  expect(about()).toEqual([]);
  await read(new SyncError('ERR_TIMEOUT', 'no answer', { retriable: true }));
  expect(about()).toHaveLength(1);
});
