import { afterEach, describe, expect, it } from 'vitest';
import { type AclRig, createAclRig, loggedIn } from '../../support/acl-rig.js';
import { clientOf } from '../../support/daemon.js';
import { until } from '../../support/until.js';

let rig: AclRig;
afterEach(() => rig.close());

const LEAST =
  'service_prefix "" { policy = "read" intentions = "write" } node_prefix "" { policy = "read" } agent_prefix "" { policy = "read" } session_prefix "" { policy = "write" } key_prefix "scopemesh/payments/" { policy = "write" }';
const count = (kind: string) => `scopemesh_acl_tokens{kind="${kind}"}`;

describe('the number of ACL tokens', () => {
  it('is measured by kind at each comparison', async () => {
    rig = await createAclRig({ clients: [clientOf('web', 'config:read')], file: { resync: '1s' } });
    await rig.mesh.request('PUT', '/v1/acl/token', { Description: 'by hand' });
    const daemon = await rig.start();
    const is = (kind: string, value: number) =>
      until(`${kind} is ${value}`, async () => (await daemon.metric(count(kind))) === value);
    await is('static', 1);
    // The one that scopemesh has here is left out.
    await is('management', 0);
    await is('login', 0);
    await rig.decided({ type: 'dev.scopemesh.acl-binding-rule.created', outcome: 'applied' });
    loggedIn(await rig.login('web-app'));
    await is('login', 1);
  });

  it('counts no static token if scopemesh has the only one', async () => {
    rig = await createAclRig({ file: { resync: '1s' } });
    const token = await rig.mesh.tokenWith(`${LEAST} acl = "write"`);
    rig.writeFile({ consul: { address: rig.proxy.address, token } });
    const made = (await rig.mesh.request('PUT', '/v1/acl/token', { Description: 'by hand' })) as {
      AccessorID: string;
    };
    const daemon = await rig.start();
    const is = (value: number) =>
      until(`${value} static`, async () => (await daemon.metric(count('static'))) === value);
    await is(1);
    await rig.mesh.request('DELETE', `/v1/acl/token/${made.AccessorID}`);
    rig.clock.advance(1_000);
    await is(0);
  });

  it('that ended is counted by reason, for tokens that end alone and with their method', async () => {
    const lasting = { ...clientOf('web', 'config:read'), accessTokenLifetimeSeconds: 600 };
    rig = await createAclRig({ clients: [lasting] });
    const daemon = await rig.start();
    const ended = (reason: string) => daemon.metric(`scopemesh_acl_tokens_ended_total{reason="${reason}"}`);
    await rig.decided({ type: 'dev.scopemesh.acl-binding-rule.created', outcome: 'applied' });
    loggedIn(await rig.login('web-app'));
    rig.idp.change('web-app', { accessTokenLifetimeSeconds: 300 });
    await daemon.tell('client.updated', 'web-app');
    await rig.decided({ type: 'dev.scopemesh.acl-token.deleted' });
    expect(await ended('LifetimeChanged')).toBe(1);
    expect(await ended('ClientDisabled')).toBeUndefined();
    for (let logins = 0; logins < 2; logins++) loggedIn(await rig.login('web-app'));
    rig.idp.change('web-app', { enabled: false });
    await daemon.tell('client.disabled', 'web-app');
    await rig.decided({ type: 'dev.scopemesh.acl-auth-method.deleted' });
    expect(await ended('ClientDisabled')).toBe(2);
    expect(await ended('LifetimeChanged')).toBe(1);
  });

  it('is not read if no login is configured', async () => {
    rig = await createAclRig({ file: { scopes: { 'orders:call': { to: 'orders' } } } });
    const token = await rig.mesh.tokenWith(LEAST);
    rig.writeFile({ consul: { address: rig.proxy.address, token } });
    const daemon = await rig.start();
    await rig.decided({ type: 'dev.scopemesh.sweep.completed' });
    expect(await daemon.metric(count('static'))).toBeUndefined();
    expect(rig.logs.join('\n')).not.toContain('could not be counted');
  });
});
