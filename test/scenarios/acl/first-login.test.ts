import { afterEach, describe, expect, it } from 'vitest';
import { type AclRig, createAclRig, type Login, loggedIn } from '../../support/acl-rig.js';
import { clientOf, type Daemon, type DaemonOptions } from '../../support/daemon.js';
import type { IdpClient } from '../../support/idp.js';
import { until } from '../../support/until.js';

let rig: AclRig;
let daemon: Daemon;
afterEach(() => rig.close());

const METHOD = 'scopemesh-payments-main-web-app';
const RULE = `acl-binding-rule/${METHOD}/${METHOD}`;
const file = { login: true, services: { claimGrace: '5m' } };

async function start(options: DaemonOptions = {}, ...clients: readonly IdpClient[]): Promise<void> {
  const prepare = async ({ mesh }: { readonly mesh: AclRig['mesh'] }) => {
    await mesh.register('orders');
    await mesh.speaks('orders', 'http');
  };
  rig = await createAclRig({
    clients: [clientOf('web', 'orders:call'), ...clients],
    file,
    prepare,
    ...options,
  });
  daemon = await rig.start();
}

const loginIsMade = () => rig.decided({ subject: RULE, outcome: 'applied' });
const reasonsOf = async (kind: string) =>
  (await rig.decisions()).filter(({ type }) => type.includes(`.${kind}.`)).map(({ reason }) => reason);

/** Registers an instance on the agent with a token, as a sidecar that logged in does; resolves with the status. */
async function register({ secretId }: Login, service: string): Promise<number> {
  const answer = await fetch(`${rig.mesh.consul.address}/v1/agent/service/register`, {
    method: 'PUT',
    headers: { 'X-Consul-Token': secretId },
    body: JSON.stringify({ Name: service, Meta: { 'oauth-client-id': 'web-app' } }),
  });
  await answer.text();
  return answer.status;
}

const leave = () => rig.mesh.request('PUT', '/v1/catalog/deregister', { Node: 'embedded', ServiceID: 'web' });
const isOpen = async () => (await rig.mesh.access('orders')) !== undefined;

describe('a new service', () => {
  it('comes back after any time without an instance, and has no edge in between', async () => {
    await start({ file: { ...file, services: { claimGrace: '100ms' } } });
    await loginIsMade();
    await daemon.idle();
    expect(await isOpen()).toBe(false);
    const first = loggedIn(await rig.login('web-app'));
    expect(await register(first, 'api')).toBe(403);
    expect(await register(first, 'web')).toBe(200);
    await until('the edge', isOpen);
    await leave();
    await rig.decided({ type: 'dev.scopemesh.intention.deleted', reason: 'ClaimRemoved' });
    rig.clock.advance(24 * 3_600_000);
    await daemon.tell('client.updated', 'web-app');
    await daemon.idle();
    const token = loggedIn(await rig.login('web-app'));
    expect(await isOpen()).toBe(false);
    expect(await register(token, 'web')).toBe(200);
    await until('the edge again', isOpen);
    expect(await reasonsOf('acl-role')).toEqual(['ServiceNamed']);
  });

  it('has no edge after a restart either, although its role has the identity', async () => {
    await start();
    await loginIsMade();
    await daemon.stop();
    const before = (await rig.decisions()).length;
    daemon = await rig.start();
    await rig.decided({ reason: 'SweepCompleted' }, before);
    await daemon.tell('client.updated', 'web-app');
    await daemon.idle();
    expect(await isOpen()).toBe(false);
    expect((await rig.decisions()).slice(before).filter(({ type }) => type.includes('.acl-'))).toEqual([]);
    loggedIn(await rig.login('web-app'));
  });
});

describe('the login of a client before the registration', () => {
  it('ends at once, with its tokens, when the client names the service no longer', async () => {
    await start();
    await loginIsMade();
    loggedIn(await rig.login('web-app'));
    rig.idp.change('web-app', { attributes: {} });
    await daemon.tell('client.updated', 'web-app');
    const gone = await rig.decided({ type: 'dev.scopemesh.acl-auth-method.deleted' });
    expect(gone).toMatchObject({
      reason: 'ClaimRemoved',
      detail: expect.stringContaining('ended 1 live token'),
    });
    expect(await rig.login('web-app')).toBe(403);
  });

  it('ends for all clients when a new configuration says so, however few the mass guard lets pass', async () => {
    const guards = { maxRevocations: { percent: 1, atLeast: 1 } };
    const others = ['a', 'b', 'c'].map((name) => clientOf(name));
    await start({ file: { ...file, guards } }, ...others);
    const methods = async () => (await rig.objects('auth-methods')).length;
    await until('four logins', async () => (await rig.objects('binding-rules')).length === 4);
    await daemon.idle();
    rig.writeFile({ login: 'registered' });
    daemon.reload();
    await until('no login', async () => (await methods()) === 0);
  });

  it('is refused to both of two clients that name the service, until one of them alone does, and stays with that one', async () => {
    await start({}, { ...clientOf('rival'), attributes: { 'consul-services': 'web' } });
    const held = await rig.decided({ reason: 'ClaimAmbiguous', subject: `acl-auth-method/${METHOD}` });
    expect(held).toMatchObject({ outcome: 'held', detail: expect.stringContaining('"main/rival-app"') });
    await rig.decided({
      reason: 'ClaimAmbiguous',
      subject: 'acl-auth-method/scopemesh-payments-main-rival-app',
    });
    await daemon.idle();
    expect([await rig.login('web-app'), await rig.login('rival-app')]).toEqual([403, 403]);
    rig.idp.change('rival-app', { attributes: {} });
    await daemon.tell('client.updated', 'rival-app');
    await loginIsMade();
    loggedIn(await rig.login('web-app'));

    // One that has the login keeps it.
    const before = (await rig.decisions()).length;
    rig.idp.change('rival-app', { attributes: { 'consul-services': 'web' } });
    await daemon.tell('client.updated', 'rival-app');
    await rig.decided({ reason: 'ClaimAmbiguous', subject: `acl-auth-method/${METHOD}` }, before);
    await daemon.idle();
    loggedIn(await rig.login('web-app'));
    expect(await rig.login('rival-app')).toBe(403);
  });
});
