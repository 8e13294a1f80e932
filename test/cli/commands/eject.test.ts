import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createCommandLine } from '../../support/command-line.js';
import { clientOf } from '../../support/daemon.js';
import { startMesh } from '../../support/mesh.js';
import { openCommandLine } from '../../support/open-command-line.js';
import { startOrdersCommandLine, web } from '../../support/orders-command-line.js';
import { isOpen, ordersRig, READ } from '../../support/orders-rig.js';
import { ejectAndComeBack, startEjectScene } from './eject-scene.js';

describe('scopemesh eject', () => {
  it('removes every mark of the owner, also outside select, and nothing else', async () => {
    const mesh = await startMesh();
    await mesh.register('web', { client: 'web-app' });
    await mesh.register('orders');
    const scene = await startEjectScene(mesh, mesh.request);
    onTestFinished(async () => {
      await scene.close();
      await mesh.consul.close();
    });
    await ejectAndComeBack(scene);
  });

  it('is refused while a daemon of the owner leads', async () => {
    const rig = await ordersRig({ clients: [clientOf('web', 'orders:read')] });
    await rig.start();
    await isOpen(rig, READ);
    const cli = createCommandLine(rig.mesh);
    cli.idp(web);
    onTestFinished(async () => {
      cli.close();
      await rig.close();
    });
    const { status, err } = await cli.run(['eject', '--yes']);
    expect(status).toBe(1);
    expect(err).toMatch(/leads|another store/);
    expect(JSON.stringify(await rig.mesh.entry('orders'))).toContain('scopemesh:payments');
  });

  it('leaves the marks of what a write would damage, and says so', async () => {
    const { mesh, cli } = await openCommandLine();
    cli.idp(web);
    const Sources = [{ Name: 'web', Action: 'allow', Description: 'scopemesh:payments' }];
    const Meta = { 'external-source': 'kubernetes' };
    await mesh.request('PUT', '/v1/config', { Kind: 'service-intentions', Name: 'orders', Sources, Meta });
    const { status, err } = await cli.run(['eject', '--yes']);
    expect([status, err]).toEqual([1, expect.stringContaining('orders: another tool manages this entry')]);
    const directory = join(cli.directory, 'clients.json');
    cli.configure({
      scopes: { 'config:read': { acl: 'key_prefix "config/" { policy = "read" }' } },
      providers: [
        { name: 'main', kind: 'oidc', issuer: 'http://127.0.0.1:9', directory, audience: 'consul' },
      ],
    });
    const role = {
      Name: 'scopemesh-payments-main-web-app',
      Description: 'scopemesh:payments client=main/web-app',
      NodeIdentities: [{ NodeName: 'machine-1', Datacenter: 'dc1' }],
    };
    await mesh.request('PUT', '/v1/acl/role', role);
    expect((await cli.run(['eject', '--yes'])).err).toContain(
      `${role.Name}: somebody gave the object content`,
    );
    expect(await mesh.request('GET', `/v1/acl/role/name/${role.Name}`)).toMatchObject(role);
    cli.configure({ mode: 'observe' });
    expect((await cli.run(['eject', '--yes'])).err).toContain('mode observe');
  });

  it('is refused while a person denies an edge, with what to do first', async () => {
    const { mesh, cli } = await startOrdersCommandLine();
    const deny = 'scopemesh:payments deny=2999-01-01T00:00:00.000Z client=main/web-app';
    await mesh.write('orders', [{ Name: 'web', Action: 'deny', Description: deny }]);
    const { status, err } = await cli.run(['eject', '--yes']);
    expect(status).toBe(1);
    expect(err).toMatch(/denied these edges.* web -> orders; start the daemon.*--end/);
    expect(JSON.stringify(await mesh.entry('orders'))).toContain(deny);
  });

  it('asks before it forgets what has no mark, and keeps the record of what Consul does not show', async () => {
    const { mesh, cli } = await startOrdersCommandLine();
    await cli.run(['apply', '--yes']);
    await mesh.remove('billing');
    await mesh.write('orders', [{ Name: 'web', Action: 'allow', Description: 'mine' }]);
    const refused = await cli.run(['eject'], { typed: 'no\n' });
    expect(refused.status).toBe(1);
    expect(refused.err).toContain('recorded as written: 2;');
    expect((await cli.run(['eject', '--yes'])).status).toBe(0);
    expect((await cli.run(['eject', '--yes'])).err).toContain('recorded as written: 1;');
  });

  it('needs no directory, and names a jwt-provider that keeps its mark', async () => {
    const { mesh, cli } = await openCommandLine('1.16.1');
    cli.brokenIdp('{');
    await mesh.write('orders', [{ Name: 'web', Action: 'allow', Description: 'scopemesh:payments' }]);
    await mesh.request('PUT', '/v1/config', {
      Kind: 'jwt-provider',
      Name: 'scopemesh-payments-main-_users',
      Issuer: 'http://127.0.0.1:9',
      JSONWebKeySet: { Remote: { URI: 'http://127.0.0.1:9/keys', RequestTimeoutMs: 900 } },
      Meta: { scopemesh: 'scopemesh:payments', 'scopemesh-provider': 'main' },
    });
    const { status, out, err } = await cli.run(['eject', '--yes']);
    expect([status, out]).toEqual([1, expect.stringContaining('Marks removed: 1 of 1.')]);
    expect(err).toContain('scopemesh-payments-main-_users: somebody gave the jwt-provider content');
  });
});
