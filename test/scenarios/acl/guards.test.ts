import { afterEach, describe, expect, it } from 'vitest';
import { type AclRig, createAclRig, loggedIn } from '../../support/acl-rig.js';
import { clientOf, type Daemon, type DaemonOptions } from '../../support/daemon.js';
import { until } from '../../support/until.js';

let rig: AclRig;
let daemon: Daemon;
afterEach(() => rig.close());

const NAMES = Array.from({ length: 30 }, (_, at) => `svc-${String(at).padStart(2, '0')}`);
const roleOf = (name: string) => `scopemesh-payments-main-${name}-app`;

async function start(count: number, options: DaemonOptions = {}): Promise<void> {
  rig = await createAclRig({
    clients: NAMES.slice(0, count).map((name) => clientOf(name, 'config:read')),
    ...options,
  });
  await rig.mesh.request('PUT', '/v1/kv/config/a', 'x');
  daemon = await rig.start();
}

const methods = async () => (await rig.objects('auth-methods')).length;
const holds = async (reason: string) =>
  (await daemon.status()).holds.filter((hold) => hold.reason === reason);
const deleted = async () =>
  (await rig.decisions()).filter(({ type }) => type === 'dev.scopemesh.acl-auth-method.deleted').length;

describe('the mass guard', () => {
  const all = { provider: { poll: '1s' }, file: { guards: { maxRevocations: { percent: 20, atLeast: 3 } } } };

  async function vanish(names: readonly string[]): Promise<void> {
    for (const name of names) rig.idp.clients.delete(`${name}-app`);
    rig.clock.advance(1_500);
  }

  async function running(): Promise<void> {
    await start(20, all);
    await until('twenty methods', async () => (await rig.objects('binding-rules')).length === 20);
    await daemon.idle();
  }

  it('holds each client that merely vanishes, and lets those pass that a person approves', async () => {
    await running();
    const token = loggedIn(await rig.login('svc-00-app'));
    await vanish(NAMES.slice(0, 10));
    await until('ten holds', async () => (await holds('RevocationLimit')).length === 10);
    await daemon.idle();
    expect(await methods()).toBe(20);
    expect(await rig.readKey(token, 'config/a')).toBe(200);

    const hold = (await holds('RevocationLimit')).find(
      ({ subject }) => subject === `acl-role/${roleOf('svc-00')}`,
    );
    const answer = await daemon.post(`/api/holds/${hold?.decisionId}/approve`, { user: 'alice' });
    expect(answer.status).toBe(200);
    const gone = await rig.decided(
      { subject: `acl-auth-method/${roleOf('svc-00')}`, outcome: 'applied' },
      40,
    );
    expect(gone).toMatchObject({ reason: 'ClientDeleted', principal: { id: 'local', note: 'alice' } });
    expect(await rig.readKey(token, 'config/a')).toBe(403);
    await until('nine holds', async () => (await holds('RevocationLimit')).length === 9);
    expect(await methods()).toBe(19);
  });

  it('lets a few losses pass, and counts them', async () => {
    await running();
    await vanish(NAMES.slice(0, 2));
    await until('eighteen methods', async () => (await methods()) === 18);
    await daemon.idle();
    expect(await holds('RevocationLimit')).toEqual([]);
    expect(await daemon.metric('scopemesh_inferred_removals')).toBe(2);
    await vanish(NAMES.slice(2, 5));
    await until('three holds', async () => (await holds('RevocationLimit')).length === 3);
    expect(await methods()).toBe(18);
  });

  it('lets losses pass that signed events report', async () => {
    await start(20, { file: all.file });
    await until('twenty methods', async () => (await rig.objects('binding-rules')).length === 20);
    for (const name of NAMES.slice(0, 10)) rig.idp.clients.delete(`${name}-app`);
    await Promise.all(NAMES.slice(0, 10).map((name) => daemon.tell('client.deleted', `${name}-app`)));
    await until('ten methods', async () => (await methods()) === 10);
    await until('ten deletions', async () => (await deleted()) === 10);
    expect(await holds('RevocationLimit')).toEqual([]);
  });
});

describe('a freeze', () => {
  it('lets a client lose ACL rules at once, and gives others theirs at its end', async () => {
    await start(2);
    await until('two methods', async () => (await rig.objects('binding-rules')).length === 2);
    rig.idp.clients.set('late-app', clientOf('late'));
    await daemon.idle();
    const freeze = (verb: string) => daemon.post(`/api/freeze/${verb}`, { user: 'alice', reason: 'release' });
    const change = async (name: string, ...scopes: readonly string[]) => {
      rig.idp.change(`${name}-app`, { scopes });
      await daemon.tell('client.updated', `${name}-app`);
    };
    const token = loggedIn(await rig.login('svc-00-app'));
    expect((await freeze('start')).status).toBe(200);
    await change('svc-00', 'orders:keys');
    await change('late', 'config:read');
    await until('the rules are gone', async () => (await rig.readKey(token, 'config/a')) === 403);
    await daemon.idle();
    expect(await rig.readKey(token, 'orders/a')).toBe(403);
    const roles = async () => (await rig.objects('roles')).map(({ Name }) => Name);
    expect(await roles()).not.toContain(roleOf('late'));
    expect((await holds('Frozen')).length).toBeGreaterThan(0);

    expect((await freeze('end')).status).toBe(200);
    await until(
      'both have theirs',
      async () => (await methods()) === 3 && (await holds('Frozen')).length === 0,
    );
    await daemon.idle();
    expect(await roles()).toContain(roleOf('late'));
    // A key that does not exist, which the token may now read.
    expect(await rig.readKey(loggedIn(await rig.login('svc-00-app')), 'orders/a')).toBe(404);
  });
});

describe('a read that lost the attributes that tell the kind of a client', () => {
  const provider = { poll: '1s' };
  const guards = { maxRevocations: { percent: 20, atLeast: 3 } };
  const people = ['authorization_code', 'client_credentials'];

  it.each([
    ['that must have a human behind them', { agent: { onBehalfOf: 'human' } }, ['client_credentials'], {}],
    ['that may not use their scopes', { agent: { never: ['config:*'] } }, ['client_credentials'], {}],
    ['whose people may not log in', {}, people, {}],
    [
      'that only act as a service',
      { agent: { onBehalfOf: 'human' } },
      ['client_credentials'],
      { login: 'on' },
    ],
  ])('is held as a whole where it would leave clients %s', async (_, actors, grantTypes, more) => {
    const names = NAMES.slice(0, 5);
    const scopes = 'login' in more ? [] : ['config:read'];
    await start(0, {
      clients: names.map((name) => ({ ...clientOf(name, ...scopes), grantTypes })),
      provider,
      file: { actors, guards, ...more },
    });
    if (scopes.length === 0)
      for (const name of names) await rig.mesh.register(name, { client: `${name}-app` });
    await until('five rules', async () => (await rig.objects('binding-rules')).length === 5);
    await daemon.idle();
    const before = [await rig.objects('roles'), await rig.objects('binding-rules')];
    const own = { sub: 'svc-00-app' };
    const token = loggedIn(await rig.login('svc-00-app', own));

    for (const name of names) rig.idp.change(`${name}-app`, { grantTypes: [] });
    rig.clock.advance(1_500);
    await until('five holds', async () => (await holds('RevocationLimit')).length === 5);
    await daemon.idle();
    expect([await rig.objects('roles'), await rig.objects('binding-rules')]).toEqual(before);
    const self = await fetch(`${rig.mesh.consul.address}/v1/acl/token/self`, {
      headers: { 'X-Consul-Token': token.secretId },
    });
    expect(self.status).toBe(200);

    await daemon.tell('client.updated', 'svc-00-app');
    await daemon.idle();
    expect(await holds('RevocationLimit')).toHaveLength(4);
    const gone = await rig.decided({ reason: 'ActorLimited', action: 'revoke', outcome: 'applied' });
    expect(gone.client).toMatchObject({ clientId: 'svc-00-app', actorKind: 'unknown' });
  });
});

describe('the modes', () => {
  it('observe writes nothing and reports what it would write', async () => {
    await start(1, { file: { mode: 'observe' } });
    const planned = await rig.decided({ type: 'dev.scopemesh.acl-auth-method.planned' });
    expect(planned).toMatchObject({ reason: 'ModeForbids', outcome: 'observed', action: 'grant' });
    await daemon.idle();
    expect(await methods()).toBe(0);
    expect(await rig.objects('policies')).toHaveLength(1);
  });

  it('extend adds, and holds what would narrow', async () => {
    await start(1, { file: { mode: 'extend' } });
    await until('the rule', async () => (await rig.objects('binding-rules')).length === 1);
    const token = loggedIn(await rig.login('svc-00-app'));
    rig.idp.put('svc-00-app', 'orders:keys');
    await daemon.tell('client.updated', 'svc-00-app');
    await rig.decided({ type: 'dev.scopemesh.acl-role.updated', action: 'grant' });
    await until('a hold', async () => (await holds('ModeForbids')).length === 1);
    expect(await rig.readKey(token, 'config/a')).toBe(200);
  });
});

describe('somebody who undoes a change again and again', () => {
  it('is reported, and scopemesh stops correcting it', async () => {
    await start(1);
    await until('the rule', async () => (await rig.objects('binding-rules')).length === 1);
    await daemon.idle();
    const name = roleOf('svc-00');
    for (let round = 1; round <= 5; round++) {
      const role = (await rig.mesh.request('GET', `/v1/acl/role/name/${name}`)) as { ID: string };
      await rig.mesh.request('PUT', `/v1/acl/role/${role.ID}`, { ...role, Policies: [] });
      await rig.decided(
        (each) =>
          each.subject === `acl-role/${name}` && each.revision === round + 1 && each.outcome === 'applied',
      );
    }
    const role = (await rig.mesh.request('GET', `/v1/acl/role/name/${name}`)) as { ID: string };
    await rig.mesh.request('PUT', `/v1/acl/role/${role.ID}`, { ...role, Policies: [] });
    const hold = await rig.decided({ reason: 'Contended', subject: `acl-role/${name}` });
    expect(hold.outcome).toBe('held');
  });
});

describe('a hold', () => {
  it('ends when no ACL object is wanted any more', async () => {
    rig = await createAclRig({
      clients: [{ ...clientOf('svc-00', 'config:read'), accessTokenLifetimeSeconds: 30 }],
    });
    daemon = await rig.start();
    const held = await rig.decided({ reason: 'LifetimeTooShort', outcome: 'held' });
    expect(held.subject).toBe(`acl-auth-method/${roleOf('svc-00')}`);
    rig.writeFile({ scopes: { 'orders:call': { to: 'orders' } } });
    daemon.reload();
    await rig.decided({ reason: 'HoldEnded', subject: held.subject });
    expect(await holds('LifetimeTooShort')).toEqual([]);
  });

  it('for a foreign object ends when the object is removed, and the client gets its access', async () => {
    rig = await createAclRig({ clients: [clientOf('svc-00', 'config:read')] });
    await rig.mesh.request('PUT', '/v1/acl/role', { Name: roleOf('svc-00'), Description: 'mine' });
    daemon = await rig.start();
    await rig.decided({ reason: 'ForeignObject', subject: `acl-role/${roleOf('svc-00')}`, outcome: 'held' });
    await daemon.idle();
    expect(await methods()).toBe(0);
    const role = (await rig.mesh.request('GET', `/v1/acl/role/name/${roleOf('svc-00')}`)) as { ID: string };
    await rig.mesh.request('DELETE', `/v1/acl/role/${role.ID}`);
    await rig.decided({ reason: 'HoldEnded', subject: `acl-role/${roleOf('svc-00')}` });
    await until('the rule', async () => (await rig.objects('binding-rules')).length === 1);
  });
});
