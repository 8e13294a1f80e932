import { afterEach, expect, it } from 'vitest';
import { readApiToken } from '../../../src/app/api-token.js';
import { Fault, ROUTES } from '../../../src/console/answers.js';
import type { Daemon, Rig } from '../../support/daemon.js';
import { isOpen, ordersRig, READ } from '../../support/orders-rig.js';

let rig: Rig;
afterEach(() => rig.close());

type Route = (typeof ROUTES)[keyof typeof ROUTES];

/** Asks as a command on this machine does. */
async function createAsker(daemon: Daemon) {
  const token = await readApiToken(await rig.load());
  const headers = { authorization: `Bearer ${token.reveal()}` };
  return async ({ answer }: Route, path: string) => {
    const response = await fetch(daemon.admin + path, { headers });
    const body: unknown = await response.json();
    return response.ok ? answer.parse(body) : { status: response.status, ...Fault.parse(body) };
  };
}

it('a daemon answers each question of the console as the schemas say', async () => {
  rig = await ordersRig();
  const daemon = await rig.start();
  await isOpen(rig, READ);
  await rig.decided({ outcome: 'applied' });
  await daemon.idle();
  const ask = await createAsker(daemon);
  const known = { complete: true, unknown: [] };

  expect(await ask(ROUTES.status, '/api/status')).toMatchObject({
    ...known,
    mode: 'enforce',
    frozen: null,
    findings: [],
    waiting: { holds: 0, approvals: 0, quarantines: 0, breakGlass: 0 },
    ownedEdges: 1,
    directories: [{ provider: 'main', clients: 2 }],
    defaultAllow: false,
    leader: { address: daemon.admin },
  });
  expect(await ask(ROUTES.services, '/api/services')).toMatchObject({
    ...known,
    asOf: { decision: expect.any(String) },
    total: 4,
    rows: [
      { name: 'consul', callers: 0, calls: 0 },
      { name: 'orders', callers: 1, calls: 0, held: 0, protocol: 'http' },
      { name: 'other', callers: 0, calls: 0 },
      { name: 'web', callers: 0, calls: 1 },
    ],
    next: null,
  });
  expect(await ask(ROUTES.services, '/api/services?q=OR&sort=-callers&limit=1')).toMatchObject({
    total: 1,
    rows: [{ name: 'orders' }],
  });
  expect(await ask(ROUTES.services, '/api/services?limit=501')).toMatchObject({
    status: 400,
    code: 'BadQuestion',
  });
});

it('a replica that does not lead, and one that does not reconcile, say so instead of showing nothing', async () => {
  rig = await ordersRig();
  const intake = await rig.start(['intake']);
  const ask = await createAsker(intake);
  expect(await ask(ROUTES.services, '/api/services')).toMatchObject({ status: 503 });
});
