import { afterEach, describe, expect, it } from 'vitest';
import type { DoctorFinding } from '../../support/command-line.js';
import { clientOf, type Daemon, type DaemonOptions, type Rig } from '../../support/daemon.js';
import { startMesh } from '../../support/mesh.js';
import { isOpen, ordersRig, READ } from '../../support/orders-rig.js';
import { neverMention, startTeams } from './teams.js';

let close: () => void | Promise<void> = () => {};
afterEach(() => close());

async function running(options: DaemonOptions): Promise<{ readonly rig: Rig; readonly daemon: Daemon }> {
  const rig = await ordersRig(options);
  close = () => rig.close();
  return { rig, daemon: await rig.start() };
}

/** All that a daemon says. */
async function said(rig: Rig, daemon: Daemon): Promise<string> {
  const pages = await Promise.all(
    ['/statusz', '/metrics'].map(async (path) => (await daemon.get(path)).text),
  );
  return [...pages, ...rig.logs, JSON.stringify(await rig.decisions())].join('\n');
}

describe('an instance with a selection', () => {
  it('says nothing of what is outside, and leaves it as it is', async () => {
    const left = [
      { Name: 'shop', Action: 'allow', Description: 'scopemesh:payments client=main/shop-app' },
      { Name: 'basket', Action: 'allow', Description: 'scopemesh:shops client=main/basket-app' },
    ];
    const { rig, daemon } = await running({
      file: { select: { services: ['orders'], clients: ['web-*'] } },
      clients: [
        clientOf('web', 'orders:read', 'shelves:connect'),
        clientOf('shop', 'orders:read', 'shelves:connect'),
      ],
      prepare: async ({ mesh }) => {
        await mesh.register('shelves');
        await mesh.register('shop', { client: 'shop-app' });
        await mesh.register('basket', { client: 'basket-app', tags: ['oauth-provider=shops'] });
        await mesh.write('shelves', left);
        await mesh.write('orders', [{ ...left[0], Name: 'shop' }]);
      },
    });
    await isOpen(rig, READ);
    await daemon.tell('client.updated', 'shop-app');
    await daemon.tell('client.secret-compromised', 'shop-app');
    await daemon.idle();
    expect(await rig.mesh.access('shelves')).toEqual({ shop: 'allow', basket: 'allow' });
    expect(await rig.mesh.access('orders')).toEqual({ shop: 'allow', web: READ });
    expect(await said(rig, daemon)).not.toMatch(/shop|shelves|basket/);
    expect((await daemon.status()).ownedEdges).toBe(1);
  });

  it('keeps what a narrower selection leaves out, also when its scope is gone', async () => {
    const { rig, daemon } = await running({
      clients: [clientOf('web', 'orders:read', 'shelves:connect'), clientOf('other')],
    });
    await isOpen(rig, READ);
    await rig.decided({ subject: 'intention/default/default/shelves/web', outcome: 'applied' });
    rig.writeFile({ select: { services: ['orders'] } });
    daemon.reload();
    const { detail } = await rig.decided({ reason: 'ConfigReloaded' });
    expect(detail).toContain('select.services');
    expect(detail).toContain('keeps its access');
    await daemon.stop();
    rig.idp.put('web-app', 'orders:read', 'orders:write');
    const next = await rig.start();
    await rig.decided({
      subject: 'intention/default/default/orders/web',
      scopes: ['orders:read', 'orders:write'],
    });
    await next.idle();
    expect(await rig.mesh.access('shelves')).toEqual({ web: 'allow' });
    expect((await next.status()).ownedEdges).toBe(1);
  });
});

describe('two instances on one Consul', () => {
  async function teams() {
    const mesh = await startMesh();
    return { mesh, team: await startTeams(mesh, mesh.register) };
  }

  it('with selections without overlap never mention each other', async () => {
    const { mesh, team } = await teams();
    const [red, blue] = [team('red', ['red-*'], ['red-*']), team('blue', ['blue-*'], ['blue-*'])];
    close = async () => {
      for (const cli of [red, blue]) cli.close();
      await mesh.consul.close();
    };
    await neverMention(red, blue, mesh.access);
  });

  it('that select the same destination are found by doctor', async () => {
    const { mesh, team } = await teams();
    const [red, blue] = [
      team('red', ['red-*', 'shared'], ['red-*']),
      team('blue', ['blue-*', 'shared'], ['blue-*']),
    ];
    close = async () => {
      for (const cli of [red, blue]) cli.close();
      await mesh.consul.close();
    };
    await red.run(['apply', '--yes']);
    await blue.run(['apply', '--yes']);
    const { findings } = (await red.run(['doctor', '--json'])).json() as { findings: DoctorFinding[] };
    expect(findings.filter(({ id }) => id === 'select.overlap')).toMatchObject([
      { severity: 'warning', message: expect.stringMatching(/owner blue also writes intentions to shared:/) },
    ]);
    // What a narrower selection leaves behind is the one thing outside that doctor mentions.
    const narrow = team('red', ['red-*'], ['red-*']);
    const found = (await narrow.run(['doctor', '--json'])).json() as { findings: DoctorFinding[] };
    narrow.close();
    expect(found.findings.filter(({ id }) => id.startsWith('select.'))).toMatchObject([
      { id: 'select.left', message: expect.stringContaining('red-web -> shared') },
    ]);
  });
});
