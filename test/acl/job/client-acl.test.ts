import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Consul } from '../../../src/consul/consul.js';
import { SyncError } from '../../../src/errors.js';
import { clientKey } from '../../../src/model/key.js';
import { aborted } from '../../support/aborted.js';
import { type AclRig, createAclRig, loggedIn } from '../../support/acl-rig.js';
import { clientOf, type DaemonOptions } from '../../support/daemon.js';
import { Death } from '../../support/death.js';
import { startWorker, type Worker, withAcl } from '../../support/reconcile-rig.js';
import { until } from '../../support/until.js';

let rig: AclRig;
let worker: Worker;
afterEach(async () => {
  await worker.stop();
  await rig.close();
});

const WEB = 'scopemesh-payments-main-web-app';

async function createWorld(options: DaemonOptions = {}): Promise<void> {
  rig = await createAclRig({
    clients: [{ ...clientOf('web', 'config:read', 'orders:keys'), accessTokenLifetimeSeconds: 600 }],
    ...options,
  });
  await rig.mesh.request('PUT', '/v1/kv/config/a', 'x');
  await rig.mesh.request('PUT', '/v1/kv/orders/a', 'x');
}

async function settled(): Promise<readonly string[]> {
  return (await worker.settled())
    .filter(({ subject }) => subject.startsWith('acl-'))
    .map(({ type, outcome, reason }) => `${type.replace('dev.scopemesh.', '')} ${outcome} ${reason}`);
}

async function running(wrap?: (consul: Consul) => Consul): Promise<void> {
  worker = await startWorker(rig, wrap);
  await until('the binding rule', async () => (await rig.objects('binding-rules')).length > 0);
  await worker.idle();
}

const changed = (kind: 'webhook' | 'poll' = 'webhook') =>
  worker.add(clientKey('main', 'web-app'), kind, {
    urgent: true,
    evidence: [{ provider: 'main', clients: ['web-app'] }],
  });

describe('a process that is killed', () => {
  beforeEach(() => createWorld());

  /** At the nth write of an ACL object. */
  async function killed(...how: ConstructorParameters<typeof Death>): Promise<void> {
    const death = new Death(...how);
    worker = await startWorker(rig, (consul) =>
      withAcl(consul, ({ write, delete: remove }) => ({ write: death.of(write), delete: death.of(remove) })),
    );
    await until('the death', () => death.hasCome);
    await death.bury(worker);
  }

  it('before a write leaves a decision that says so, and the write is made by the next', async () => {
    await killed(3, 'before');
    await running();
    expect(await settled()).toEqual([
      'acl-policy.created applied ScopeGranted',
      'acl-policy.created applied ScopeGranted',
      'acl-role.failed failed Interrupted',
      'acl-role.created applied ScopeGranted',
      'acl-auth-method.created applied ScopeGranted',
      'acl-binding-rule.created applied ScopeGranted',
    ]);
  });

  it('after the removal of a method leaves a decision that says that its tokens ended', async () => {
    await running();
    loggedIn(await rig.login('web-app'));
    await worker.stop();
    rig.idp.change('web-app', { enabled: false });
    await killed(1, 'after');
    worker = await startWorker(rig);
    await worker.idle();
    const removed = (await worker.settled()).filter(
      ({ type }) => type === 'dev.scopemesh.acl-auth-method.deleted',
    );
    expect(removed.map(({ outcome, detail }) => [outcome, detail])).toEqual([
      ['applied', expect.stringContaining('ended its live tokens')],
    ]);
  });

  it('after a write leaves a decision that the next one finds applied', async () => {
    await killed(4, 'after');
    await running();
    expect((await settled()).filter((each) => each.includes('auth-method'))).toEqual([
      'acl-auth-method.created applied ScopeGranted',
    ]);
  });

  it('leaves an unknown outcome if another writer changed the object before the next process', async () => {
    await killed(3, 'after', async () => {
      const role = (await rig.mesh.request('GET', `/v1/acl/role/name/${WEB}`)) as { ID: string };
      await rig.mesh.request('PUT', `/v1/acl/role/${role.ID}`, { ...role, Policies: [] });
    });
    await running();
    expect((await settled())[2]).toBe('acl-role.failed unknown Interrupted');
    expect(await rig.readKey(loggedIn(await rig.login('web-app')), 'config/a')).toBe(200);
  });

  it.each([1, 2, 3, 4, 5].flatMap((at) => (['before', 'after'] as const).map((when) => ({ at, when }))))(
    '$when write $at leaves no draft, and each object made by one decision',
    async ({ at, when }) => {
      await killed(at, when);
      await running();
      const { pendingKeys } = await worker.store.journal.overview();
      expect(pendingKeys).toEqual([]);
      const made = (await worker.settled())
        .filter(({ subject, outcome }) => subject.startsWith('acl-') && outcome === 'applied')
        .map(({ subject }) => subject);
      expect(made.toSorted()).toEqual([...new Set(made)].toSorted());
      expect(made).toHaveLength(5);
      expect(await rig.readKey(loggedIn(await rig.login('web-app')), 'orders/a')).toBe(200);
    },
  );

  it('with an answer that was lost, it is found out whether the write was made', async () => {
    let isCut = false;
    rig.proxy.interfere = ({ method, target }) => {
      if (isCut || method !== 'PUT' || !target.startsWith('/v1/acl/role')) return undefined;
      isCut = true;
      return 'cut';
    };
    await running();
    expect(isCut).toBe(true);
    expect((await settled()).filter((each) => each.startsWith('acl-role'))).toEqual([
      'acl-role.created applied ScopeGranted',
    ]);
  });

  it('while tokens end has the next one end them', async () => {
    await running();
    const token = loggedIn(await rig.login('web-app'));
    await worker.stop();
    rig.idp.change('web-app', { accessTokenLifetimeSeconds: 300 });
    const death = new Death(1, 'before');
    worker = await startWorker(rig, (consul) =>
      withAcl(consul, ({ deleteTokens }) => ({ deleteTokens: death.of(deleteTokens) })),
    );
    await until('the death', () => death.hasCome);
    await death.bury(worker);
    expect(await rig.readKey(token, 'config/a')).toBe(200);
    worker = await startWorker(rig);
    await until('the token gone', async () => (await rig.readKey(token, 'config/a')) === 403);
    await worker.idle();
    expect((await settled()).slice(5)).toEqual([
      'acl-auth-method.updated applied LifetimeChanged',
      'acl-token.deleted applied LifetimeChanged',
    ]);
  });
});

describe('a loss that only a recheck finds', () => {
  beforeEach(() => createWorld());

  it.each(['ERR_CONSUL_UNREACHABLE', 'ERR_CONSUL_DENIED'] as const)(
    'closes the client also if the first try fails with %s',
    async (code) => {
      let failures = 0;
      await running((consul) =>
        withAcl(consul, ({ delete: remove }) => ({
          delete: (...args) => {
            if (failures++ === 0) throw new SyncError(code, 'not now', { retriable: true });
            return remove(...args);
          },
        })),
      );
      rig.idp.change('web-app', { enabled: false });
      await worker.add(clientKey('main', 'web-app'), 'webhook', { isRecheck: true });
      await worker.idle();
      expect(failures).toBeGreaterThan(1);
      expect(await rig.objects('auth-methods')).toEqual([]);
    },
  );
});

describe('a mode that ends nothing', () => {
  beforeEach(() => createWorld());

  it.each(['observe', 'extend'])('%s ends no tokens that a crash left either, and says so', async (mode) => {
    await running();
    const token = loggedIn(await rig.login('web-app'));
    await worker.stop();
    rig.idp.change('web-app', { accessTokenLifetimeSeconds: 300 });
    worker = await startWorker(rig, (consul) =>
      withAcl(consul, () => ({ deleteTokens: () => Promise.reject(new Error('killed')) })),
    );
    await until('a draft', async () => (await worker.store.journal.overview()).pendingKeys.length > 0);
    await worker.stop();
    rig.writeFile({ mode });
    worker = await startWorker(rig);
    await worker.add(clientKey('main', 'web-app'));
    await until('no draft', async () => (await worker.store.journal.overview()).pendingKeys.length === 0);
    await worker.idle();
    expect(await rig.readKey(token, 'config/a')).toBe(200);
    expect(await settled()).toContain('acl-token.failed failed Interrupted');
  });
});

describe('while the identity provider answers no keys', () => {
  beforeEach(() => createWorld());

  it('what narrows is done all the same, and a lifetime is shortened by deleting the method', async () => {
    await running();
    const token = loggedIn(await rig.login('web-app'));
    rig.keys.setHealth('failing');
    rig.idp.change('web-app', { accessTokenLifetimeSeconds: 300, scopes: ['orders:keys'] });
    await changed();
    await until('no method', async () => (await rig.objects('auth-methods')).length === 0);
    expect(await rig.readKey(token, 'config/a')).toBe(403);
    expect(await rig.readKey(token, 'orders/a')).toBe(403);
    rig.keys.setHealth('well');
    await until('the method again', async () => (await rig.objects('binding-rules')).length === 1);
    await worker.idle();
    const fresh = loggedIn(await rig.login('web-app'));
    expect(await rig.readKey(fresh, 'orders/a')).toBe(200);
    expect(await rig.readKey(fresh, 'config/a')).toBe(403);
    const decisions = (await settled()).slice(5);
    expect(decisions).toContain('acl-auth-method.failed failed ConsulRefused');
    expect(decisions).toContain('acl-auth-method.deleted applied LifetimeChanged');
  });

  it('a scope that is gained waits, and opens nothing halfway', async () => {
    rig.keys.setHealth('failing');
    worker = await startWorker(rig);
    await until('a refusal', async () =>
      (await settled()).includes('acl-auth-method.failed failed ConsulRefused'),
    );
    expect(await rig.objects('binding-rules')).toEqual([]);
    rig.keys.setHealth('well');
    await changed();
    await until('the rule', async () => (await rig.objects('binding-rules')).length === 1);
    await worker.idle();
  });
});

describe('a step that fails', () => {
  beforeEach(() => createWorld());

  it('stops what widens, and no other step that narrows', async () => {
    let refuses = false;
    await running((consul) =>
      withAcl(consul, ({ write }) => ({
        write: (id, object, signal) =>
          refuses && object.kind === 'acl-role'
            ? Promise.reject(new SyncError('ERR_CONSUL_REJECTED', 'no', { retriable: false }))
            : write(id, object, signal),
      })),
    );
    refuses = true;
    rig.idp.change('web-app', { accessTokenLifetimeSeconds: 300, scopes: ['orders:keys'] });
    await changed();
    await until('the shorter lifetime', async () =>
      (await settled()).includes('acl-auth-method.updated applied LifetimeChanged'),
    );
    expect((await settled())[5]).toBe('acl-role.failed failed ConsulRefused');
    refuses = false;
  });

  it('lets no token live longer than a lifetime that was shortened while tokens could not be listed', async () => {
    let isSick = false;
    await running((consul) =>
      withAcl(consul, ({ tokens }) => ({
        tokens: (...args) =>
          isSick
            ? Promise.reject(new SyncError('ERR_CONSUL_UNREACHABLE', 'sick', { retriable: true }))
            : tokens(...args),
      })),
    );
    const token = loggedIn(await rig.login('web-app'));
    isSick = true;
    rig.idp.change('web-app', { accessTokenLifetimeSeconds: 300 });
    await changed();
    await until('the shorter lifetime', async () =>
      (await settled()).includes('acl-auth-method.updated applied LifetimeChanged'),
    );
    isSick = false;
    await until('the longer token gone', async () => (await rig.readKey(token, 'config/a')) === 403);
    await worker.idle();
    expect((await settled()).slice(5)).toEqual([
      'acl-auth-method.updated applied LifetimeChanged',
      'acl-token.deleted applied LifetimeChanged',
    ]);
  });

  it('takes a scope away although Consul does not say from how many tokens', async () => {
    let hangs = false;
    await running((consul) =>
      withAcl(consul, ({ tokens }) => ({
        tokens: (by, signal) => (hangs ? aborted(signal) : tokens(by, signal)),
      })),
    );
    const token = loggedIn(await rig.login('web-app'));
    hangs = true;
    rig.idp.change('web-app', { scopes: ['orders:keys'] });
    await changed();
    await until('the loss', async () => (await settled()).includes('acl-role.updated applied ScopeRevoked'));
    expect(await rig.readKey(token, 'config/a')).toBe(403);
    const [revoked] = (await worker.settled()).filter(({ reason }) => reason === 'ScopeRevoked');
    expect(revoked?.detail).toMatch(/^taken from its live tokens too;/);
    hangs = false;
  });

  it('keeps no intention from being narrowed', async () => {
    rig.idp.change('web-app', { scopes: ['config:read', 'orders:call'] });
    await rig.mesh.register('web', { client: 'web-app' });
    await rig.mesh.register('orders');
    let refuses = false;
    await running((consul) =>
      withAcl(consul, ({ readNamed }) => ({
        readNamed: (...args) =>
          refuses
            ? Promise.reject(new SyncError('ERR_CONSUL_INCOMPLETE', 'filtered', { retriable: false }))
            : readNamed(...args),
      })),
    );
    await until('the intention', async () => (await rig.mesh.access('orders')) !== undefined);
    refuses = true;
    rig.idp.put('web-app', 'config:read');
    await changed();
    await until('no intention', async () => (await rig.mesh.access('orders')) === undefined);
    refuses = false;
  });

  it('that hangs keeps no intention from being narrowed, also where the client gains another', async () => {
    rig.idp.change('web-app', { scopes: ['config:read', 'orders:call'] });
    await rig.mesh.register('web', { client: 'web-app' });
    await rig.mesh.register('orders');
    let hangs = false;
    let release = () => {};
    await running((consul) =>
      withAcl(consul, ({ write, readNamed }) => {
        const gate = new Promise<void>((resolve) => {
          release = resolve;
        });
        const held = async () => (hangs ? gate : undefined);
        return {
          write: (...args) => held().then(() => write(...args)),
          readNamed: (...args) => held().then(() => readNamed(...args)),
        };
      }),
    );
    await until('the intention', async () => (await rig.mesh.access('orders')) !== undefined);
    await worker.idle();
    hangs = true;
    rig.idp.put('web-app', 'orders:keys');
    await changed();
    await until('no intention', async () => (await rig.mesh.access('orders')) === undefined);
    hangs = false;
    release();
    await worker.idle();
  });
});
