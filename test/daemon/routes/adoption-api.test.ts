import { expect, it } from 'vitest';
import { createApiAccess } from '../../../src/daemon/api-access.js';
import { createHttpServer } from '../../../src/daemon/http-server.js';
import { addAdoptionApi } from '../../../src/daemon/routes.js';
import { destinationKey, formatKey } from '../../../src/model/key.js';
import { Secret } from '../../../src/model/secret.js';
import { silentLogger } from '../../../src/observe.js';
import { WorldState } from '../../../src/state/world-state.js';
import { mapping, SETTINGS } from '../../plan/scene.js';
import { depsOf, worldWithTwo } from '../../reconcile/deps.js';

const TOKEN = 'local-token-of-the-state-directory';
const KEY = formatKey(destinationKey('orders', 'default', 'default'));

/** The status and body for one adoption by a daemon with this world, whose reconciler adopts what it is asked for. */
async function adoptIn(world: WorldState) {
  const { deps } = depsOf(world, {});
  const queue = {
    ...deps.queue,
    add: async () => {
      for (const { subjects, resolve } of deps.adoptions.take(KEY)) resolve(subjects.size);
    },
  };
  const server = createHttpServer();
  addAdoptionApi(server, {
    live: () => ({ ...deps, queue }),
    clock: deps.clock,
    standby: async () => undefined,
    access: createApiAccess({
      host: '127.0.0.1',
      local: { token: new Secret(TOKEN), path: '/var/lib/scopemesh/api-token-8080' },
      tokens: [],
    }),
    logger: silentLogger,
  });
  const answer = await server.inject({
    method: 'POST',
    url: '/api/adoptions',
    headers: {
      host: '127.0.0.1:8080',
      authorization: `Bearer ${TOKEN}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify({ user: 'alice', key: KEY, subjects: ['intention/default/default/orders/web'] }),
  });
  await server.close();
  return [answer.statusCode, answer.json()];
}

it('An adoption is refused, with what to do, by a daemon that has not read both sides', async () => {
  const unread = new WorldState(mapping({}), SETTINGS);
  const error = expect.stringMatching(/has not read Consul and every identity provider.*adopt again/);
  expect(await adoptIn(unread)).toEqual([503, { error }]);
  const withoutDirectory = worldWithTwo();
  withoutDirectory.forgetDirectory('main');
  expect(await adoptIn(withoutDirectory)).toEqual([503, { error }]);
});

it('An adoption is answered with the number of marks by a daemon that has read both sides', async () => {
  expect(await adoptIn(worldWithTwo())).toEqual([200, { adopted: 1 }]);
});
