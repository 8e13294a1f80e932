import { afterEach, describe, expect, it } from 'vitest';
import { type AclRig, createAclRig, loggedIn } from '../../support/acl-rig.js';
import { clientOf, type Daemon, type DaemonOptions } from '../../support/daemon.js';
import { until } from '../../support/until.js';

let rig: AclRig;
let daemon: Daemon;
afterEach(() => rig.close());

const ROLE = 'scopemesh-payments-main-web-app';
const METHOD = `acl-auth-method/${ROLE}`;
/** A Description has no room for it. */
const LONG = `web"ü${'ß'.repeat(120)}`;

async function running(options: DaemonOptions = {}): Promise<void> {
  rig = await createAclRig({
    clients: [clientOf('web', 'config:read'), clientOf('api', 'config:read')],
    ...options,
  });
  await rig.mesh.request('PUT', '/v1/kv/config/a', 'x');
  daemon = await rig.start();
  const count = rig.idp.clients.size;
  await until('all rules', async () => (await rig.objects('binding-rules')).length === count);
  await daemon.idle();
}

const methods = async () => (await rig.objects('auth-methods')).length;

describe('ACL objects of a client that went while scopemesh was away', () => {
  it('are removed at the next start', async () => {
    await running();
    const token = loggedIn(await rig.login('web-app'));
    await daemon.stop();
    rig.idp.clients.delete('web-app');
    daemon = await rig.start();
    const gone = await rig.decided({ type: 'dev.scopemesh.acl-auth-method.deleted', subject: METHOD });
    expect(gone).toMatchObject({ reason: 'ClientDeleted', client: { clientId: 'web-app' } });
    expect(gone.detail).toContain('ended 1 live token;');
    expect(await rig.readKey(token, 'config/a')).toBe(403);
    await daemon.idle();
    expect(await methods()).toBe(1);
  });

  it('are removed although no Description says whose they are', async () => {
    const long = { ...clientOf('web', 'config:read'), clientId: LONG };
    await running({ clients: [long, clientOf('api', 'config:read')] });
    await daemon.stop();
    rig.idp.clients.delete(LONG);
    daemon = await rig.start();
    await until('one method', async () => (await methods()) === 1);
    await rig.decided({ type: 'dev.scopemesh.acl-role.deleted', reason: 'ClientDeleted' });
    expect(await rig.objects('roles')).toHaveLength(1);
  });

  it('stay while the directory does not answer, and are removed when it does, also without a Description', async () => {
    const long = { ...clientOf('web', 'config:read'), clientId: LONG };
    await running({ clients: [long, clientOf('api', 'config:read')] });
    await daemon.stop();
    rig.idp.clients.delete(LONG);
    const before = (await rig.decisions()).length;
    rig.idp.fault = () => ({ status: 503, json: {} });
    daemon = await rig.start();
    await rig.decided({ reason: 'SweepCompleted' }, before);
    expect([await methods(), (await rig.objects('roles')).length]).toEqual([2, 2]);
    rig.idp.fault = undefined;
    // Long enough for the read to be tried again; the next regular comparison is an hour away.
    rig.clock.advance(60_000);
    await until('one method', async () => (await methods()) === 1);
  });

  it('are removed if their provider is no longer configured', async () => {
    await running();
    await daemon.stop();
    rig.writeFile({}, { name: 'other', issuer: rig.keys.address, audience: 'consul' });
    daemon = await rig.start();
    const gone = await rig.decided({ type: 'dev.scopemesh.acl-auth-method.deleted', subject: METHOD });
    expect(gone.reason).toBe('MappingChanged');
    await until('the methods of the other one alone', async () =>
      (await rig.objects('auth-methods')).every(({ Name = '' }) => Name.includes('-other-')),
    );
  });
});

describe('a client whose secret is compromised', () => {
  it('loses its method and tokens at once while its directory does not answer', async () => {
    await running();
    const token = loggedIn(await rig.login('web-app'));
    rig.idp.fault = () => ({ status: 503, json: {} });
    await daemon.tell('client.secret-compromised', 'web-app');
    const gone = await rig.decided({ type: 'dev.scopemesh.acl-auth-method.deleted', subject: METHOD });
    expect(gone.reason).toBe('ClientQuarantined');
    expect(await rig.readKey(token, 'config/a')).toBe(403);
    expect(await rig.login('web-app')).toBe(403);
    rig.idp.fault = undefined;
  });

  it('loses them after a restart too, if a backup of Consul restored them and its directory does not answer', async () => {
    await running();
    const [role] = (await rig.objects('roles')).filter(({ Name }) => Name === ROLE);
    const [method] = (await rig.objects('auth-methods')).filter(({ Name }) => Name === ROLE);
    const whole = await rig.mesh.request('GET', `/v1/acl/auth-method/${ROLE}`);
    const [rule] = (await rig.objects('binding-rules')).filter(({ AuthMethod }) => AuthMethod === ROLE);
    expect([role, method, rule]).not.toContain(undefined);
    await daemon.tell('client.secret-compromised', 'web-app');
    await rig.decided({ type: 'dev.scopemesh.acl-auth-method.deleted', subject: METHOD });
    await daemon.idle();
    await daemon.stop();
    const { ID: _, ...roleContent } = Object(role);
    const { ID: __, ...ruleContent } = Object(rule);
    await rig.mesh.request('PUT', '/v1/acl/role', roleContent);
    await rig.mesh.request('PUT', '/v1/acl/auth-method', whole);
    await rig.mesh.request('PUT', '/v1/acl/binding-rule', ruleContent);
    const token = loggedIn(await rig.login('web-app'));
    expect(await rig.readKey(token, 'config/a')).toBe(200);
    rig.idp.fault = () => ({ status: 503, json: {} });
    daemon = await rig.start();
    await until('no way in', async () => (await rig.login('web-app')) === 403);
    expect(await rig.readKey(token, 'config/a')).toBe(403);
    await until('no role', async () => (await rig.objects('roles')).every(({ Name }) => Name !== ROLE));
    rig.idp.fault = undefined;
  });
});

describe('an ACL token that may not clean up what another one wrote', () => {
  it('is reported, and blocks nothing else', async () => {
    await running();
    await daemon.stop();
    const token = await rig.mesh.tokenWith(
      'service_prefix "" { policy = "read" intentions = "write" } node_prefix "" { policy = "read" } agent_prefix "" { policy = "read" } session_prefix "" { policy = "write" } key_prefix "scopemesh/payments/" { policy = "write" }',
    );
    rig.idp.put('web-app', 'orders:call');
    await rig.mesh.register('web', { client: 'web-app' });
    await rig.mesh.register('orders');
    rig.writeFile({
      scopes: { 'orders:call': { to: 'orders' } },
      consul: { address: rig.proxy.address, token },
    });
    daemon = await rig.start();
    await until('the intention', async () => (await rig.mesh.access('orders')) !== undefined);
    await rig.decided((each) => each.reason === 'SweepCompleted' && each.mappingRevision !== undefined);
    await until(
      'the denial',
      async () => ((await daemon.metric('scopemesh_acl_cleanup_denied_total')) ?? 0) > 0,
    );
    expect(await methods()).toBe(2);
  });
});
