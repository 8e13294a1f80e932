import { afterEach, describe, expect, it } from 'vitest';
import type { ScriptedAnswer } from '../../identity/oidc/directory-server.js';
import { clientOf, type Daemon, type Rig } from '../../support/daemon.js';
import { isOpen, ordersRig, READ } from '../../support/orders-rig.js';
import { until } from '../../support/until.js';

let rig: Rig;
let daemon: Daemon;
afterEach(() => rig.close());

const failures = async (code: string) =>
  (await daemon.metric(`scopemesh_directory_failures_total{provider="main",code="${code}"}`)) ?? 0;

describe('a directory that answers incompletely', () => {
  const page: ScriptedAnswer = {
    json: { clients: [clientOf('other')], next: '/directory?page=2', single: true },
  };
  it.each<[string, string, (path: string) => ScriptedAnswer]>([
    ['answers 500', 'ERR_DIRECTORY_UNREACHABLE', () => ({ status: 500 })],
    ['answers 401', 'ERR_DIRECTORY_DENIED', () => ({ status: 401 })],
    ['is empty', 'ERR_DIRECTORY_INCOMPLETE', () => ({ json: { clients: [], single: true } })],
    [
      'loses its second page',
      'ERR_DIRECTORY_UNREACHABLE',
      (path) => (path === '/directory' ? page : { status: 502 }),
    ],
    [
      'is cut off',
      'ERR_DIRECTORY_INCOMPLETE',
      () => ({ json: { clients: [clientOf('other')] }, cutOff: true }),
    ],
  ])('takes nothing away while it %s, which is counted and reported', async (_, code, answer) => {
    rig = await ordersRig({ provider: { poll: '100ms' } });
    daemon = await rig.start();
    await isOpen(rig, READ);
    await daemon.idle();
    rig.idp.fault = answer;
    await daemon.tell('client.updated', 'web-app');
    rig.clock.advance(3_700_000);
    await until('two failed reads', async () => (await failures(code)) > 1);
    await until(
      'a failed poll',
      async () =>
        ((await daemon.metric(`scopemesh_poll_failures_total{provider="main",code="${code}"}`)) ?? 0) > 0,
    );
    expect(rig.logs.some((line) => line.includes('polling the identity provider failed'))).toBe(true);
    expect((await rig.mesh.access('orders'))?.web).toBe(READ);
    expect(rig.proxy.writes).toHaveLength(1);
    // The last good directory is kept, and how old it is can be seen.
    const { directories, providers } = await daemon.status();
    expect(directories).toMatchObject([{ clients: 2, ageSeconds: expect.closeTo(3_700, -2) }]);
    expect(providers[0]?.directory).toMatchObject({ clients: 2, ageSeconds: expect.closeTo(3_700, -2) });
    const age = await daemon.metric('scopemesh_directory_age_seconds{provider="main"}');
    expect(age).toBeGreaterThan(3_600);
    rig.idp.fault = undefined;
    await until('an idle daemon', async () => {
      rig.clock.advance(61_000);
      const { queue } = await daemon.status();
      return queue.waiting + queue.delayed + queue.active === 0;
    });
    expect(rig.proxy.writes).toHaveLength(1);
  });
});

describe('a directory that refuses for long', () => {
  it('is asked again by the next sweep for what was given up', async () => {
    rig = await ordersRig({ file: { resync: '10m' } });
    daemon = await rig.start();
    await isOpen(rig, READ);
    await daemon.idle();
    rig.idp.fault = () => ({ status: 400 });
    await daemon.tell('client.updated', 'web-app');
    await until('a parked key', async () => {
      rig.clock.advance(30_000);
      return (await daemon.status()).parked.length > 0;
    });
    rig.idp.fault = undefined;
    rig.idp.put('web-app');
    rig.clock.advance(11 * 60_000);
    expect(await rig.decided({ action: 'revoke', outcome: 'applied' })).toMatchObject({
      reason: 'ScopeRevoked',
      cause: { kind: 'webhook' },
    });
  });
});

describe('a Consul that answers incompletely', () => {
  const sweepFailed = () =>
    until('a failed sweep', () => rig.logs.some((line) => line.includes('comparison with Consul failed')));

  it('loses no intention while it filters its lists', async () => {
    rig = await ordersRig({ file: { resync: '1s' } });
    daemon = await rig.start();
    await isOpen(rig, READ);
    await daemon.idle();
    const filtered = { 'X-Consul-Results-Filtered-By-ACLs': 'true', 'X-Consul-Index': '99' };
    rig.proxy.interfere = ({ method, target }) =>
      method === 'GET' &&
      /^\/v1\/(catalog\/services|config\/service-intentions)\?/.test(target) &&
      !target.includes('index=')
        ? { status: 200, body: target.includes('catalog') ? '{}' : '[]', headers: filtered }
        : undefined;
    rig.clock.advance(2_000);
    await sweepFailed();
    await daemon.tell('client.updated', 'web-app');
    await daemon.idle();
    expect((await rig.mesh.access('orders'))?.web).toBe(READ);
    expect(rig.proxy.writes).toHaveLength(1);
  });

  it('loses no intention with an ACL token that may read nothing, and scopemesh does not start with it', async () => {
    rig = await ordersRig();
    daemon = await rig.start();
    await isOpen(rig, READ);
    await daemon.idle();
    await daemon.stop();
    const token = await rig.mesh.tokenWith('');
    rig.writeFile({ consul: { address: rig.proxy.address, token }, resync: '1s' });
    daemon = await rig.start();
    await until('the wait to be logged', () =>
      rig.logs.some((line) => line.includes('this replica cannot try to lead')),
    );
    rig.idp.put('web-app');
    await daemon.tell('client.updated', 'web-app');
    expect((await rig.mesh.access('orders'))?.web).toBe(READ);
    expect(rig.proxy.writes).toHaveLength(1);
  });

  it('loses no intention while it answers 500, and scopemesh catches up afterwards', async () => {
    rig = await ordersRig({ file: { resync: '1s' } });
    daemon = await rig.start();
    await isOpen(rig, READ);
    await daemon.idle();
    rig.proxy.interfere = () => ({ status: 500, body: 'rpc error: No cluster leader' });
    rig.clock.advance(2_000);
    await sweepFailed();
    rig.idp.put('web-app');
    await daemon.tell('client.updated', 'web-app');
    expect((await rig.mesh.access('orders'))?.web).toBe(READ);
    rig.proxy.interfere = () => undefined;
    await until('the revocation', async () => {
      rig.clock.advance(1_000);
      return (await rig.mesh.access('orders'))?.web === undefined;
    });
    await rig.decided({ action: 'revoke' });
    const revoked = (await rig.decisions()).filter(({ action }) => action === 'revoke');
    expect(revoked.map(({ outcome }) => outcome)).toEqual(['applied']);
  });
});
