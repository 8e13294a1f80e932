import { afterEach, expect, it } from 'vitest';
import { readApiToken } from '../../../src/app/api-token.js';
import { DecisionBatch, Fault, ROUTES, Status } from '../../../src/console/answers.js';
import { clientOf, type Daemon, type Rig } from '../../support/daemon.js';
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

/** The events of a stream, as they come. */
async function openStream(daemon: Daemon, path: string) {
  const token = await readApiToken(await rig.load());
  const headers = { authorization: `Bearer ${token.reveal()}` };
  const { body } = await fetch(daemon.admin + path, { headers });
  async function* read() {
    let rest = '';
    const decoder = new TextDecoder();
    for await (const chunk of body ?? []) {
      const blocks = (rest + decoder.decode(chunk, { stream: true })).split('\n\n');
      rest = blocks.pop() ?? '';
      for (const block of blocks) {
        const [, event = '', data = ''] = /event: (\w+)\ndata: (.+)$/.exec(block) ?? [];
        if (event !== '') yield { event, body: JSON.parse(data) as unknown };
      }
    }
  }
  return read();
}

it('a daemon answers each question of the console as the schemas say', async () => {
  rig = await ordersRig();
  const daemon = await rig.start();
  await isOpen(rig, READ);
  const { id } = await rig.decided({ outcome: 'applied' });
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
    directories: [{ provider: 'main', clients: 2, isLate: false }],
    defaultAllow: false,
    leader: { address: daemon.admin },
  });
  expect(await ask(ROUTES.health, '/api/health')).toMatchObject({
    ...known,
    findings: [],
    leading: { address: daemon.admin, isAlive: true },
    replicas: [{ address: daemon.admin, mode: 'enforce', leads: true }],
    reads: expect.arrayContaining([
      { name: 'comparison with Consul', ageSeconds: expect.any(Number), isLate: false },
      { name: 'directory of main', ageSeconds: expect.any(Number), isLate: false },
    ]),
    queue: { waiting: 0, parked: 0, oldestSeconds: 0 },
    providers: [{ name: 'main', state: 'answers', clients: 2, pause: null, error: null }],
  });
  expect(await ask(ROUTES.tokens, '/api/tokens')).toMatchObject({ ...known, days: [], givesTokens: false });
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
  expect(
    await ask(ROUTES.decisions, '/api/decisions?service=orders&client=main/web-app&limit=1'),
  ).toMatchObject({
    rows: [{ id, kind: 'intention', from: 'web', to: 'orders', client: { provider: 'main', id: 'web-app' } }],
  });
  expect(await ask(ROUTES.decision, `/api/decisions/${id}`)).toMatchObject({
    id,
    before: null,
    after: { access: 'http' },
    event: { specversion: '1.0', id },
  });
  expect(await ask(ROUTES.decision, '/api/decisions/GONE')).toMatchObject({ status: 404, code: 'NotFound' });
  const edge = {
    from: 'web',
    to: 'orders',
    scopes: ['orders:read'],
    rules: ['scopes."orders:read"'],
    state: 'open',
  };
  const here = { ...edge, client: { provider: 'main', id: 'web-app' }, access: 'http' };
  expect(await ask(ROUTES.service, '/api/services/orders')).toMatchObject({ ...known, in: [here], out: [] });
  expect(await ask(ROUTES.service, '/api/services/gone')).toMatchObject({ status: 404, code: 'NotFound' });
  expect(await ask(ROUTES.clients, '/api/clients?q=web')).toMatchObject({
    ...known,
    rows: [{ provider: 'main', id: 'web-app', enabled: true, services: ['web'], scopes: 1, edges: 1 }],
  });
  expect(await ask(ROUTES.client, '/api/clients/main/web-app')).toMatchObject({
    ...known,
    claims: [{ service: 'web', kind: 'claimed' }],
    scopes: [{ name: 'orders:read', edges: [here] }],
    others: [],
  });
  expect(await ask(ROUTES.client, '/api/clients/main/gone')).toMatchObject({ status: 404 });
  expect(await ask(ROUTES.search, '/api/search?q=w')).toEqual([
    { kind: 'service', name: 'web', url: '/services/web' },
    { kind: 'client', name: 'main/web-app', url: '/clients/main/web-app' },
  ]);
  expect(await ask(ROUTES.services, '/api/services?limit=501')).toMatchObject({
    status: 400,
    code: 'BadQuestion',
  });
});

it('the stream goes on after the decision of a snapshot, and ends with the daemon', async () => {
  rig = await ordersRig();
  const daemon = await rig.start();
  await isOpen(rig, READ);
  await daemon.idle();
  const ask = await createAsker(daemon);
  const { asOf } = ROUTES.services.answer.parse(await ask(ROUTES.services, '/api/services'));
  const events = await openStream(daemon, `/api/stream?after=${asOf.decision}`);
  rig.idp.clients.set('web-app', clientOf('web'));
  await daemon.tell('client.updated', 'web-app');
  const seen = new Map<string, unknown>();
  for await (const { event, body } of events) {
    if (event === 'decisions') seen.set(event, DecisionBatch.parse(body));
    if (event === 'status') seen.set(event, Status.parse(body));
    if (seen.size === 2) break;
  }
  expect(seen.get('decisions')).toMatchObject({ rows: [{ action: 'revoke', from: 'web', to: 'orders' }] });
  const gone = await openStream(daemon, '/api/stream?after=GONE');
  for await (const { event } of gone) {
    expect(event).toBe('resync');
    break;
  }
  const last = await openStream(daemon, '/api/stream');
  await daemon.stop();
  for await (const { event } of last) expect(event).toBe('status');
});

it('a replica that does not lead, and one that does not reconcile, say so instead of showing nothing', async () => {
  rig = await ordersRig();
  const intake = await rig.start(['intake']);
  const ask = await createAsker(intake);
  expect(await ask(ROUTES.services, '/api/services')).toMatchObject({ status: 503 });
  expect(await ask(ROUTES.health, '/api/health')).toMatchObject({
    complete: false,
    unknown: [expect.stringContaining('no replica leads')],
    queue: { oldestSeconds: null },
    providers: [{ name: 'main', state: 'unknown' }],
  });
});
