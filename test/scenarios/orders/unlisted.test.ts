import { mkdirSync, rmSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { clientOf, type Daemon, type Rig } from '../../support/daemon.js';
import { HTTP, isClosed, isOpen, ordersRig, READ } from '../../support/orders-rig.js';
import { until } from '../../support/until.js';

const LIST = 'GET /v1/config/service-intentions?';

let rig: Rig;
let daemon: Daemon;
afterEach(() => rig.close());

/** `web` and `api` may read orders, `other` may not. */
async function running(): Promise<void> {
  rig = await ordersRig({
    file: { http: HTTP, guards: { breakGlass: { longest: '4h' } } },
    clients: [clientOf('web', 'orders:read'), clientOf('api', 'orders:read'), clientOf('other')],
    prepare: ({ mesh }) => mesh.register('api', { client: 'api-app' }),
  });
  daemon = await rig.start();
  for (const name of ['web', 'api']) await isOpen(rig, READ, name);
  await daemon.idle();
}

/** The list of intentions fails from the start, and each entry can be read. */
async function restarted(meanwhile: () => Promise<void> | void = () => {}): Promise<void> {
  await daemon.stop();
  await meanwhile();
  rig.proxy.interfere = ({ method, target }) =>
    `${method} ${target}`.startsWith(LIST) ? { status: 500 } : undefined;
  daemon = await rig.start();
}

const access = () => rig.mesh.access('orders');
const tries = () => rig.proxy.requests.filter((each) => each.startsWith(LIST)).length;
async function twoMoreTries(): Promise<void> {
  const before = tries();
  await until('two more tries', () => tries() >= before + 2);
}

/** The list can be read again, and the jobs that waited for it come again. */
async function becomes(expected: Readonly<Record<string, string>>): Promise<void> {
  rig.proxy.interfere = () => undefined;
  await until(JSON.stringify(expected), async () => {
    rig.clock.advance(1_000);
    return isDeepStrictEqual(await access(), expected);
  });
  await daemon.idle();
  expect(await access()).toEqual(expected);
}

describe('a leader that begins while the list of intentions cannot be read', () => {
  it('closes what is recorded before it, opens nothing, and carries out the rest after it', async () => {
    await running();
    await restarted();
    rig.idp.put('web-app');
    rig.idp.put('other-app', 'orders:read');
    await daemon.tell('client.updated', 'other-app');
    await daemon.tell('client.updated', 'web-app');
    await daemon.tell('client.secret-compromised', 'api-app');
    for (const name of ['web', 'api']) await isClosed(rig, name);
    await twoMoreTries();
    expect(await access()).toBeUndefined();
    await becomes({ other: READ });
  });

  it('denies where a wider intention would open, keeps what is foreign or unknown, and takes a deny of a person', async () => {
    await running();
    const edge = { user: 'ana', destination: 'orders', forSeconds: 3_600, reason: 'INC-1' };
    await daemon.post('/api/break-glass', { ...edge, source: 'other' });
    await isOpen(rig, 'allow', 'other');
    await restarted(async () => {
      const { Sources: all = [] } = (await rig.mesh.entry('orders')) ?? {};
      // The edge of the grant is gone.
      const sources = all.filter(({ Name }) => Name !== 'other');
      await rig.mesh.write('orders', [...sources, { Name: 'foreign', Action: 'allow' }]);
      await rig.mesh.write('*', [{ Name: '*', Action: 'allow' }]);
      // Its claim is known from its edge alone.
      await rig.mesh.deregister('api');
    });
    rig.idp.put('web-app');
    await daemon.tell('client.updated', 'web-app');
    await isOpen(rig, 'deny');
    expect(await access()).toEqual({ web: 'deny', api: READ, foreign: 'allow' });

    expect((await daemon.post('/api/denies', { ...edge, source: 'api' })).status).toBe(200);
    await isOpen(rig, 'deny', 'api');
    await twoMoreTries();
    expect(await access()).toEqual({ web: 'deny', api: 'deny', foreign: 'allow' });
    await becomes({ web: 'deny', api: 'deny', foreign: 'allow', other: 'allow' });
  });

  it('opens nothing for a client whose quarantine only Consul knows', async () => {
    await running();
    await daemon.tell('client.secret-compromised', 'api-app');
    await isClosed(rig, 'api');
    await daemon.idle();
    await restarted(() => {
      rmSync(rig.directory, { recursive: true });
      mkdirSync(rig.directory, { mode: 0o700 });
      rig.writeFile();
    });
    await daemon.tell('client.updated', 'api-app');
    await twoMoreTries();
    expect(await access()).toEqual({ web: READ });
    await expect
      .poll(async () => (await daemon.status()).closures)
      .toMatchObject([{ clientId: 'api-app', closure: 'ClientQuarantined' }]);
    expect(await access()).toEqual({ web: READ });
    await becomes({ web: READ });
  });
});
