import { afterEach, expect, it } from 'vitest';
import type { Daemon, Rig } from '../../support/daemon.js';
import { BOB, EDGE, HTTP, isClosed, isOpen, ordersRig, READ } from '../../support/orders-rig.js';
import { until } from '../../support/until.js';

let rig: Rig;
let daemon: Daemon;
afterEach(() => rig.close());

async function running(): Promise<void> {
  const maxRevocations = { percent: 0, atLeast: 0 };
  rig = await ordersRig({
    provider: { poll: '1s' },
    file: { http: HTTP, guards: { approvers: 2, maxRevocations } },
  });
  daemon = await rig.start();
  await isOpen(rig, READ);
  await daemon.idle();
}

const approve = async (path: string, user: string) => (await daemon.post(path, { user })).status;
const approveAsBob = async (path: string) => (await daemon.post(path, {}, BOB)).status;

it('two persons release what the mass guard holds, and the trail has both', async () => {
  await running();
  rig.idp.change('web-app', { scopes: [] });
  rig.clock.advance(1_500);
  const hold = await until('a hold', async () =>
    (await daemon.status()).holds.find(({ reason }) => reason === 'RevocationLimit'),
  );
  const path = `/api/holds/${hold.decisionId}/approve`;
  expect(await approve(path, 'ana')).toBe(202);
  expect(await approve(path, 'ana')).toBe(409);
  expect(await approve(path, 'bob')).toBe(409);
  await daemon.idle();
  await isOpen(rig, READ);
  expect(await approveAsBob(path)).toBe(200);
  await isClosed(rig);
  await rig.decided({ subject: EDGE, reason: 'ScopeRevoked', outcome: 'applied' });
  const persons = (await rig.decisions())
    .filter(({ subject, principal }) => subject === EDGE && principal !== undefined)
    .map(({ reason, principal }) => [reason, principal]);
  expect(persons).toEqual([
    ['FirstApproval', { id: 'local', note: 'ana' }],
    ['ScopeRevoked', { id: 'token:bob' }],
  ]);
});

it('two persons end a quarantine', async () => {
  await running();
  await daemon.tell('client.secret-compromised', 'web-app');
  await isClosed(rig);
  const path = '/api/quarantines/main/web-app/release';
  expect(await approve(path, 'ana')).toBe(202);
  expect(await approve(path, 'carl')).toBe(409);
  await daemon.idle();
  await isClosed(rig);
  expect(await approveAsBob(path)).toBe(200);
  await isOpen(rig, READ);
});
