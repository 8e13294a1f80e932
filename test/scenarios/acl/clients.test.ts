import { afterEach, describe, expect, it } from 'vitest';
import { ACL_SCOPES, type AclRig, createAclRig, loggedIn } from '../../support/acl-rig.js';
import { clientOf, type Daemon, type DaemonOptions, type Rig } from '../../support/daemon.js';
import { until } from '../../support/until.js';

let rig: AclRig;
let daemon: Daemon;
afterEach(() => rig.close());

const METHOD = 'scopemesh-payments-main-web-app';
const RULE = `acl-binding-rule/${METHOD}/${METHOD}`;

async function start(
  scopes: readonly string[],
  options: DaemonOptions = {},
  prepare: (keys: AclRig['keys']) => void = () => {},
) {
  rig = await createAclRig({ clients: [clientOf('web', ...scopes)], ...options });
  await rig.mesh.request('PUT', '/v1/kv/config/a', 'x');
  await rig.mesh.request('PUT', '/v1/kv/orders/a', 'x');
  prepare(rig.keys);
  daemon = await rig.start();
}

async function startGranted(scopes: readonly string[], options: DaemonOptions = {}) {
  await start(scopes, options);
  await rig.decided({ subject: RULE, outcome: 'applied' });
  await daemon.idle();
}

const method = () => rig.mesh.request('GET', `/v1/acl/auth-method/${METHOD}`);
const ourNames = async () =>
  [
    ...(await rig.objects('policies')),
    ...(await rig.objects('roles')),
    ...(await rig.objects('auth-methods')),
  ].flatMap(({ Name = '' }) => (Name.startsWith('scopemesh-payments-') ? [Name] : []));
const reported = async () =>
  (await rig.decisions())
    .filter(({ subject }) => subject.startsWith('acl-'))
    .map(({ type, outcome, reason }) => `${type.replace('dev.scopemesh.', '')} ${outcome} ${reason}`);

describe('a client with an acl rule', () => {
  it('logs in with its token and may do what its scopes say, and nothing else', async () => {
    await startGranted(['config:read']);
    const token = loggedIn(await rig.login('web-app'));
    expect(await rig.readKey(token, 'config/a')).toBe(200);
    expect(await rig.readKey(token, 'orders/a')).toBe(403);
    expect(await rig.login('other-app')).toBe(403);
    expect(await reported()).toEqual([
      'acl-policy.created applied ScopeGranted',
      'acl-role.created applied ScopeGranted',
      'acl-auth-method.created applied ScopeGranted',
      'acl-binding-rule.created applied ScopeGranted',
    ]);
    const made = await rig.decided({ type: 'dev.scopemesh.acl-role.created' });
    expect(made.client).toEqual({ provider: 'main', clientId: 'web-app', actorKind: 'workload' });
    expect(made.scopes).toEqual(['config:read']);
    expect(made.before).toBeNull();
  });

  it('loses what a scope gave at once, also with the token that it holds', async () => {
    await startGranted(['config:read', 'orders:keys']);
    const token = loggedIn(await rig.login('web-app'));
    rig.idp.put('web-app', 'orders:keys');
    await daemon.tell('client.updated', 'web-app');
    const revoked = await rig.decided({ type: 'dev.scopemesh.acl-role.updated', reason: 'ScopeRevoked' });
    expect(revoked).toMatchObject({ action: 'revoke', outcome: 'applied', scopes: ['config:read'] });
    expect(revoked.detail).toMatch(/^taken from its 1 live token too;.* up to 0 s \(acl\.role_ttl\)/);
    expect(await rig.readKey(token, 'config/a')).toBe(403);
    expect(await rig.readKey(token, 'orders/a')).toBe(200);
  });

  it('loses its method and its tokens when it is disabled, with one decision that counts them', async () => {
    await startGranted(['config:read']);
    const tokens = [loggedIn(await rig.login('web-app')), loggedIn(await rig.login('web-app'))];
    rig.idp.change('web-app', { enabled: false });
    await daemon.tell('client.disabled', 'web-app');
    const deleted = await rig.decided({ type: 'dev.scopemesh.acl-auth-method.deleted' });
    expect(deleted).toMatchObject({ reason: 'ClientDisabled', action: 'revoke' });
    expect(deleted.detail).toContain('ended 2 live tokens');
    expect(deleted.detail).toContain('up to 0 s (acl.role_ttl)');
    for (const token of tokens) expect(await rig.readKey(token, 'config/a')).toBe(403);
    await rig.decided({ type: 'dev.scopemesh.acl-role.deleted' });
    // The next plan is empty without another comparison.
    await rig.decided({ type: 'dev.scopemesh.acl-policy.deleted', reason: 'ClientDisabled' });
    expect(await ourNames()).toEqual([]);
    expect(await rig.login('web-app')).toBe(403);
    const kinds = (await rig.decisions())
      .filter(({ type }) => type.includes('.acl-'))
      .map(({ client }) => client?.actorKind);
    expect(new Set(kinds)).toEqual(new Set(['workload']));
  });

  it('gets a shorter lifetime at once, and tokens that live longer end', async () => {
    await startGranted(['config:read'], {
      clients: [{ ...clientOf('web', 'config:read'), accessTokenLifetimeSeconds: 600 }],
    });
    const token = loggedIn(await rig.login('web-app'));
    rig.idp.change('web-app', { accessTokenLifetimeSeconds: 300 });
    await daemon.tell('client.updated', 'web-app');
    const ended = await rig.decided({ type: 'dev.scopemesh.acl-token.deleted' });
    expect(ended).toMatchObject({ reason: 'LifetimeChanged', subject: `acl-token/${METHOD}` });
    expect(ended.detail).toContain('ended 1 live token;');
    expect(await rig.readKey(token, 'config/a')).toBe(403);
    expect(await method()).toMatchObject({ MaxTokenTTL: '5m0s' });
    expect(await rig.readKey(loggedIn(await rig.login('web-app')), 'config/a')).toBe(200);
  });
});

describe('a client with an intention and ACL rules', () => {
  const both = ['config:read', 'orders:call'];

  async function running(scopes: readonly string[], file: Readonly<Record<string, unknown>> = {}) {
    const prepare = async ({ mesh }: Rig) => {
      await mesh.register('web', { client: 'web-app' });
      await mesh.register('orders');
    };
    await start(scopes, { file, prepare });
  }

  it.each(['a complete read', 'an event'])('may log in before its intention opens, after %s', async (by) => {
    await running(by === 'an event' ? [] : both);
    await until('the directory read', () =>
      rig.logs.some((line) => line.includes('directory read completely')),
    );
    if (by === 'an event') {
      await daemon.idle();
      rig.idp.put('web-app', ...both);
      await daemon.tell('client.updated', 'web-app');
    }
    await until('the intention', async () => (await rig.mesh.access('orders')) !== undefined);
    const [rule] = await rig.objects('binding-rules');
    const entry = await rig.mesh.entry('orders');
    expect(Number(rule?.ModifyIndex)).toBeLessThan(Number(entry?.ModifyIndex));
  });

  it('loses its intention although Consul does not let its ACL objects be changed, and the other way round', async () => {
    await running(both);
    await until('both', async () => (await rig.mesh.access('orders')) !== undefined);
    await daemon.idle();
    const token = loggedIn(await rig.login('web-app'));
    rig.proxy.interfere = ({ method: verb, target }) =>
      verb !== 'GET' && target.startsWith('/v1/acl/') ? { status: 500, body: 'sick' } : undefined;
    rig.idp.put('web-app');
    await daemon.tell('client.updated', 'web-app');
    await until('no intention', async () => (await rig.mesh.access('orders')) === undefined);
    expect(await rig.readKey(token, 'config/a')).toBe(200);
    rig.proxy.interfere = () => undefined;
    await until('no login', async () => (await rig.readKey(token, 'config/a')) === 403);
    await daemon.idle();

    rig.idp.put('web-app', ...both);
    await daemon.tell('client.updated', 'web-app');
    await until('both again', async () => (await rig.mesh.access('orders')) !== undefined);
    const next = loggedIn(await rig.login('web-app'));
    rig.proxy.interfere = ({ method: verb, target }) =>
      verb !== 'GET' && target.startsWith('/v1/config') ? { status: 500, body: 'sick' } : undefined;
    rig.idp.put('web-app');
    await daemon.tell('client.updated', 'web-app');
    await until('no login', async () => (await rig.readKey(next, 'config/a')) === 403);
    rig.proxy.interfere = () => undefined;
    await until('no intention', async () => (await rig.mesh.access('orders')) === undefined);
  });

  it('logs in as the service that claims it, until the claim is gone', async () => {
    await running(['orders:call'], { login: true });
    await rig.decided({ subject: RULE, outcome: 'applied' });
    const token = loggedIn(await rig.login('web-app'));
    const registers = async () => {
      const answer = await fetch(`${rig.mesh.consul.address}/v1/agent/service/register`, {
        method: 'PUT',
        headers: { 'X-Consul-Token': token.secretId },
        body: JSON.stringify({ Name: 'web', ID: 'web-2' }),
      });
      await answer.text();
      return answer.status;
    };
    expect(await registers()).toBe(200);
    await rig.mesh.request('PUT', '/v1/catalog/deregister', { Node: 'embedded', ServiceID: 'web-2' });
    await rig.mesh.register('web', {});
    const gone = await rig.decided({ type: 'dev.scopemesh.acl-auth-method.deleted' });
    expect(gone).toMatchObject({ reason: 'ClaimRemoved', cause: { kind: 'consul-watch' } });
    expect(await registers()).toBe(403);
  });
});

describe('a service that has no instance while scopemesh starts', () => {
  const withLogin = { file: { login: 'registered', services: { claimGrace: '5m' } } };

  it('keeps its identity until the grace ends, as it would have without the restart, and then loses it', async () => {
    await start([], { ...withLogin, prepare: ({ mesh }) => mesh.register('web', { client: 'web-app' }) });
    await rig.decided({ subject: RULE, outcome: 'applied' });
    await daemon.idle();
    await daemon.stop();
    await rig.mesh.deregister('web');
    const before = (await rig.decisions()).length;

    daemon = await rig.start();
    await rig.decided({ reason: 'SweepCompleted' }, before);
    await daemon.tell('client.updated', 'web-app');
    await daemon.idle();
    loggedIn(await rig.login('web-app'));
    expect((await reported()).filter((each) => each.endsWith('ClaimRemoved'))).toEqual([]);

    rig.clock.advance(4 * 60_000);
    await daemon.tell('client.updated', 'web-app');
    await daemon.idle();
    loggedIn(await rig.login('web-app'));

    rig.clock.advance(60_000);
    await rig.decided({ type: 'dev.scopemesh.acl-auth-method.deleted', reason: 'ClaimRemoved' });
    expect(await rig.login('web-app')).toBe(403);
  });

  it('has no grace if its instances withdrew the claim', async () => {
    await start([], { ...withLogin, prepare: ({ mesh }) => mesh.register('web', { client: 'web-app' }) });
    await rig.decided({ subject: RULE, outcome: 'applied' });
    await daemon.idle();
    await daemon.stop();
    await rig.mesh.register('web', {});
    daemon = await rig.start();
    await rig.decided({ type: 'dev.scopemesh.acl-auth-method.deleted', reason: 'ClaimRemoved' });
    expect(await rig.login('web-app')).toBe(403);
  });
});

describe('drift', () => {
  it('in a role is repaired', async () => {
    await startGranted(['config:read']);
    const token = loggedIn(await rig.login('web-app'));
    const role = (await rig.mesh.request('GET', `/v1/acl/role/name/${METHOD}`)) as { ID: string };
    await rig.mesh.request('PUT', `/v1/acl/role/${role.ID}`, { ...role, Policies: [] });
    const mended = await rig.decided({ type: 'dev.scopemesh.acl-role.updated' });
    expect(mended).toMatchObject({ reason: 'DriftCorrected', cause: { kind: 'consul-watch' } });
    expect(await rig.readKey(token, 'config/a')).toBe(200);
  });

  it('in an auth method also ends the tokens that it may have admitted', async () => {
    await startGranted(['config:read']);
    const token = loggedIn(await rig.login('web-app'));
    const raw = (await method()) as { Config: object };
    await rig.mesh.request('PUT', `/v1/acl/auth-method/${METHOD}`, {
      ...raw,
      Config: { ...raw.Config, BoundAudiences: ['consul', 'anything'] },
    });
    await rig.decided((each) => each.type.endsWith('acl-auth-method.created') && each.revision > 1);
    await daemon.idle();
    expect(await method()).toMatchObject({ Config: { BoundAudiences: ['consul'] } });
    expect(await rig.readKey(token, 'config/a')).toBe(403);
    expect(await rig.readKey(loggedIn(await rig.login('web-app')), 'config/a')).toBe(200);
    expect((await reported()).slice(4)).toEqual([
      'acl-auth-method.deleted applied DriftCorrected',
      'acl-binding-rule.deleted applied RemovedWithParent',
      'acl-auth-method.created applied DriftCorrected',
      'acl-binding-rule.created applied DriftCorrected',
    ]);
  });

  it('in a deleted policy is repaired for every client that shares it, and the policy is removed with the last one', async () => {
    await startGranted(['config:read'], {
      clients: [clientOf('web', 'config:read'), clientOf('api', 'config:read')],
      file: { resync: '1s' },
    });
    await until('both roles', async () => (await rig.objects('roles')).length === 2);
    await daemon.idle();
    expect((await ourNames()).filter((name) => name.includes('_rules-'))).toHaveLength(1);
    const policy = (await rig.objects('policies')).find(({ Name = '' }) => Name.includes('_rules-'));
    await rig.mesh.request('DELETE', `/v1/acl/policy/${policy?.ID}`);
    await until('both roles linked again', async () =>
      (await rig.objects('roles')).every(({ Policies }) => Array.isArray(Policies) && Policies.length === 1),
    );
    await daemon.idle();
    for (const client of ['web-app', 'api-app']) {
      rig.idp.put(client);
      await daemon.tell('client.updated', client);
    }
    await until('nothing of ours', async () => (await ourNames()).length === 0);
    await rig.decided({ type: 'dev.scopemesh.acl-policy.deleted', outcome: 'applied' });
  });
});

describe('a write that Consul completes late', () => {
  it('is undone if it is no longer wanted', async () => {
    await start(['config:read'], {}, (keys) => keys.setHealth('hanging'));
    await rig.keys.isAwaited();
    await until('the write given up', () => rig.logs.some((line) => line.includes('has no answer yet')));
    rig.idp.change('web-app', { enabled: false });
    await daemon.tell('client.disabled', 'web-app');
    await rig.decided({ type: 'dev.scopemesh.acl-role.deleted', reason: 'ClientDisabled' });
    expect(await ourNames()).not.toContain(METHOD);
    rig.keys.setHealth('well');
    await rig.decided({ type: 'dev.scopemesh.acl-auth-method.deleted', reason: 'ClientDisabled' });
    await daemon.idle();
    expect(await method()).toBeUndefined();
  });
});

describe('a reload', () => {
  it('removes what the mapping no longer grants although Consul fails at that moment', async () => {
    await startGranted(['config:read']);
    const token = loggedIn(await rig.login('web-app'));
    let failures = 0;
    rig.proxy.interfere = ({ target }) => {
      const isList = /^\/v1\/acl\/(policies|roles|auth-methods|binding-rules)\?(?!.*index=)/.test(target);
      return isList && failures++ < 4 ? { status: 500, body: 'No cluster leader' } : undefined;
    };
    rig.writeFile({ scopes: {} });
    daemon.reload();
    await until('nothing left to read', async () => (await rig.readKey(token, 'config/a')) === 403);
    expect(failures).toBeGreaterThan(0);
  });

  it('creates and removes ACL objects, and stops reading them when none is left', async () => {
    const plain = { 'orders:call': { to: 'orders' } };
    await start(['config:read', 'orders:call'], { file: { scopes: plain, resync: '1s' } });
    await rig.decided({ reason: 'SweepCompleted' });
    rig.writeFile({ scopes: ACL_SCOPES });
    daemon.reload();
    await rig.decided({ subject: RULE, outcome: 'applied', reason: 'MappingChanged' });
    const token = loggedIn(await rig.login('web-app'));
    rig.writeFile({ scopes: plain });
    daemon.reload();
    await rig.decided({ type: 'dev.scopemesh.acl-auth-method.deleted', reason: 'MappingChanged' });
    expect(await rig.readKey(token, 'config/a')).toBe(403);
    await until('nothing of ours', async () => (await ourNames()).length === 0);
    await until('no look any more', async () => {
      const before = await rig.decisions();
      rig.proxy.requests.length = 0;
      rig.clock.advance(1_000);
      await rig.decided({ reason: 'SweepCompleted' }, before.length);
      return !rig.proxy.requests.some((request) => request.includes('/v1/acl/'));
    });
  });
});

describe('nothing to do', () => {
  it('costs no write and no decision but the sweep summary, which counts the objects', async () => {
    await startGranted(['config:read'], { file: { resync: '1s' } });
    const before = await rig.decisions();
    rig.proxy.requests.length = 0;
    const summaries = async () =>
      (await rig.decisions()).slice(before.length).filter(({ reason }) => reason === 'SweepCompleted');
    for (const sweeps of [1, 2]) {
      rig.clock.advance(1_000);
      await until('a sweep', async () => (await summaries()).length >= sweeps);
    }
    await daemon.idle();
    expect((await rig.decisions()).slice(before.length)).toEqual(await summaries());
    expect((await summaries())[0]?.after).toMatchObject({ changes: 0, holds: 0, aclObjects: 2 });
    expect(rig.proxy.requests.filter((request) => !request.startsWith('GET'))).toEqual([]);
  });

  it('makes a complete read of the directory read no auth methods', async () => {
    await startGranted(['config:read'], { provider: { fullRead: '1s' } });
    const reads = () => rig.logs.filter((line) => line.includes('directory read completely')).length;
    // The last look of the watch at what was just written may come between.
    await until('a complete read beside which no method is read', async () => {
      const before = reads();
      rig.proxy.requests.length = 0;
      rig.clock.advance(1_500);
      await until('another complete read', () => reads() > before);
      await daemon.idle();
      return !rig.proxy.requests.some((request) => request.includes('/v1/acl/auth-method/'));
    });
  });

  it('costs nothing after a restart but the sweep summary', async () => {
    await startGranted(['config:read']);
    await daemon.stop();
    const before = await rig.decisions();
    rig.proxy.requests.length = 0;
    daemon = await rig.start();
    await rig.decided({ reason: 'SweepCompleted' }, before.length);
    await daemon.idle();
    expect((await rig.decisions()).slice(before.length).map(({ reason }) => reason)).toEqual([
      'SweepCompleted',
    ]);
    expect(rig.proxy.requests.filter((request) => !request.startsWith('GET'))).toEqual([]);
  });
});

describe('without an ACL rule, group or login', () => {
  it('no ACL object is read', async () => {
    await start(['orders:call'], { file: { scopes: { 'orders:call': { to: 'orders' } } } });
    await rig.decided({ reason: 'SweepCompleted' });
    await daemon.idle();
    expect(rig.proxy.requests.filter((path) => path.includes('/v1/acl/'))).toEqual([]);
  });
});
