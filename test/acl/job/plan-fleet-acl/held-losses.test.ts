import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { planAclFleet } from '../../../../src/acl/job/plan-fleet-acl.js';
import { clientKey, providerKey } from '../../../../src/model/key.js';
import { type AclRig, createAclRig, loggedIn } from '../../../support/acl-rig.js';
import { clientOf } from '../../../support/daemon.js';
import { startWorker, type Worker } from '../../../support/reconcile-rig.js';
import { until } from '../../../support/until.js';

let rig: AclRig;
let worker: Worker;

const WEB = 'scopemesh-payments-main-web-app';

beforeEach(async () => {
  rig = await createAclRig({
    clients: [{ ...clientOf('web', 'config:read', 'orders:keys'), accessTokenLifetimeSeconds: 600 }],
    file: {
      scopes: {
        'config:read': { acl: 'key_prefix "config/" { policy = "read" }' },
        'orders:keys': { acl: 'key_prefix "orders/" { policy = "write" }' },
        'stock:keys': { acl: 'key_prefix "stock/" { policy = "write" }' },
      },
      guards: { maxRevocations: { percent: 0, atLeast: 0 } },
    },
  });
  for (const key of ['config/a', 'orders/a', 'stock/a']) await rig.mesh.request('PUT', `/v1/kv/${key}`, 'x');
  worker = await startWorker(rig);
  await until('the binding rule', async () => (await rig.objects('binding-rules')).length > 0);
  await worker.idle();
});
afterEach(async () => {
  await worker.stop();
  await rig.close();
});

const readAll = async () => {
  await worker.add(providerKey('main'), 'full-read', { fullRead: true });
  await worker.idle();
};
const held = async () =>
  (await worker.store.journal.overview()).holds.filter(({ reason }) => reason === 'RevocationLimit');
const ttl = async () =>
  ((await rig.mesh.request('GET', `/v1/acl/auth-method/${WEB}`)) as { MaxTokenTTL: string }).MaxTokenTTL;

describe('a client whose loss the mass guard holds', () => {
  it('keeps it also after it gained something else', async () => {
    const token = loggedIn(await rig.login('web-app'));
    rig.idp.change('web-app', { scopes: ['config:read', 'stock:keys'] });
    await readAll();
    expect(await rig.readKey(token, 'stock/a')).toBe(200);
    expect(await rig.readKey(token, 'orders/a')).toBe(200);
    expect(await held()).toHaveLength(1);
    await worker.add(clientKey('main', 'web-app'), 'resync');
    await worker.idle();
    expect(await rig.readKey(token, 'orders/a')).toBe(200);
    expect(await held()).toHaveLength(1);
    expect((await planAclFleet(worker.deps)).changes).toEqual([]);
  });

  it('has its lifetime shortened all the same', async () => {
    const token = loggedIn(await rig.login('web-app'));
    rig.idp.change('web-app', { scopes: ['config:read'], accessTokenLifetimeSeconds: 300 });
    await readAll();
    expect(await ttl()).toBe('5m0s');
    expect(await rig.readKey(token, 'config/a')).toBe(403);
    const fresh = loggedIn(await rig.login('web-app'));
    expect(await rig.readKey(fresh, 'orders/a')).toBe(200);
    expect(await held()).toHaveLength(1);
  });

  it('still loses the scope that the identity provider reported', async () => {
    const token = loggedIn(await rig.login('web-app'));
    rig.idp.change('web-app', { scopes: [] });
    await worker.add(providerKey('main'), 'webhook', {
      fullRead: true,
      evidence: [{ provider: 'main', scopes: ['orders:keys'] }],
    });
    await worker.idle();
    expect(await rig.readKey(token, 'orders/a')).toBe(403);
    expect(await rig.readKey(token, 'config/a')).toBe(200);
    expect(await held()).toHaveLength(1);
  });

  it('keeps what its kind may not use any more, for the kind is of the same read, until the configuration says so', async () => {
    await worker.stop();
    rig.idp.change('web-app', { scopes: ['config:read'], attributes: { actor: 'agent' } });
    rig.writeFile({
      actors: {
        classify: [{ attribute: 'actor', equals: 'agent', kind: 'agent' }],
        agent: { maxTokenTtl: '15m', never: ['config:read'] },
      },
    });
    worker = await startWorker(rig);
    await worker.idle();
    const token = loggedIn(await rig.login('web-app'));
    expect(await rig.readKey(token, 'config/a')).toBe(200);
    expect(await held()).toHaveLength(1);
    await worker.add(clientKey('main', 'web-app'), 'config');
    await worker.idle();
    expect(await rig.readKey(token, 'config/a')).toBe(403);
    expect(await rig.readKey(token, 'orders/a')).toBe(200);
  });
});
