import { afterEach, describe, expect, it } from 'vitest';
import { readApiToken } from '../../../src/app/api-token.js';
import { Reach, ROUTES } from '../../../src/console/answers.js';
import type { Decision } from '../../../src/model/decision.js';
import { type Daemon, type Rig, SCOPES } from '../../support/daemon.js';
import { BOTH, isOpen, ordersRig, READ } from '../../support/orders-rig.js';

let rig: Rig;
let daemon: Daemon;
let mode = 'enforce';
afterEach(async () => {
  mode = 'enforce';
  await rig.close();
});

async function ask(path: string): Promise<unknown> {
  const token = await readApiToken(await rig.load());
  const response = await fetch(daemon.admin + path, {
    headers: { authorization: `Bearer ${token.reveal()}` },
  });
  return response.json();
}

const reach = async () => Reach.parse(await ask('/api/trail/blast-radius?name=main/web-app'));
const namesOf = (reached: readonly { readonly service: string }[]) =>
  reached.map(({ service }) => service).toSorted();

const whatIf = async (query: Readonly<Record<string, string>>) =>
  ROUTES.whatIf.answer.parse(await ask(`/api/what-if?${new URLSearchParams(query)}`));

type Facts = Pick<Decision, 'subject'> & { readonly before?: unknown; readonly after?: unknown };
const factsOf = (rows: readonly Facts[]) =>
  rows
    .map(({ subject, before = null, after = null }) => ({ subject, before, after }))
    .toSorted((a, b) => (a.subject < b.subject ? -1 : 1));

async function tellOf(...scopes: string[]): Promise<void> {
  rig.idp.put('web-app', ...scopes);
  await daemon.tell('client.updated', 'web-app');
}

async function post(path: string, body: object): Promise<void> {
  expect((await daemon.post(path, { user: 'ana', reason: 'INC-1', ...body })).status).toBe(200);
}

/** Each simulation, and how it is done then. `web-app` may read and write orders. */
const STEPS: readonly (readonly [string, Readonly<Record<string, string>>, () => void | Promise<void>])[] = [
  [
    'a scope more',
    { client: 'web-app', add: 'shipping:connect' },
    () => tellOf('orders:read', 'orders:write', 'shipping:connect'),
  ],
  ['a scope less', { client: 'main/web-app', remove: 'orders:write' }, () => tellOf('orders:read')],
  [
    'one scope instead of another',
    { client: 'web-app', add: 'shipping:connect', remove: 'orders:read orders:write' },
    () => tellOf('shipping:connect'),
  ],
  [
    'a further rule',
    { rule: "'orders:read': { to: billing }" },
    () => {
      const { 'orders:read': read } = SCOPES;
      rig.writeFile({ mode, scopes: { ...SCOPES, 'orders:read': [read, { to: 'billing' }] } });
      daemon.reload();
    },
  ],
  [
    'a disabled client',
    { client: 'web-app', state: 'disabled' },
    () => {
      const known = rig.idp.clients.get('web-app');
      if (known !== undefined) rig.idp.clients.set('web-app', { ...known, enabled: false });
      return daemon.tell('client.updated', 'web-app');
    },
  ],
  [
    'a client in quarantine',
    { client: 'web-app', state: 'quarantined' },
    () => post('/api/quarantines/main/web-app', {}),
  ],
];

/** `web` also has an edge of somebody else, to ledger, and behind orders lies stock. */
async function start(): Promise<void> {
  rig = await ordersRig({
    async prepare({ idp, mesh }) {
      idp.put('web-app', 'orders:read', 'orders:write');
      await mesh.register('shipping');
      for (const [source, destination] of [
        ['web', 'ledger'],
        ['orders', 'stock'],
      ] as const)
        await mesh.write(destination, [{ Name: source, Action: 'allow' }]);
    },
  });
  daemon = await rig.start();
  await isOpen(rig, BOTH);
  await daemon.idle();
}

/** Asks twice, and nothing is written or decided by it. */
async function simulated(query: Readonly<Record<string, string>>) {
  const decided = (await rig.decisions()).length;
  const [writes, first] = [rig.proxy.writes.length, await whatIf(query)];
  expect(await whatIf(query)).toMatchObject({ changes: first.changes, holds: first.holds });
  expect(ROUTES.plan.answer.parse(await ask('/api/plan'))).toMatchObject({ changes: [], holds: [] });
  expect([rig.proxy.writes.length, (await rig.decisions()).length]).toEqual([writes, decided]);
  return { ...first, decided };
}

/** What was decided about intentions with this outcome, once all of these subjects are. */
async function made(outcome: Decision['outcome'], planned: readonly Facts[], decided: number) {
  for (const { subject } of planned) await rig.decided({ subject, outcome }, decided);
  await daemon.idle();
  const later = (await rig.decisions()).slice(decided);
  return factsOf(later.filter((each) => each.outcome === outcome && each.resource.kind === 'intention'));
}

describe('what is done after a simulation that wrote nothing', () => {
  it.each(STEPS)('is decided exactly as simulated, and reaches as much: %s', async (_, query, act) => {
    await start();
    const before = namesOf((await reach()).reached);
    const { changes, holds, decided, ...plan } = await simulated(query);
    await act();
    expect(changes.length).toBeGreaterThan(0);
    expect(await made('applied', changes, decided)).toEqual(factsOf(changes));
    expect(await made('held', holds, decided)).toEqual(factsOf(holds));
    if (plan.reach === null) return;
    const { gained, lost } = plan.reach;
    const after = [...before.filter((name) => !lost.includes(name)), ...gained].toSorted();
    expect(namesOf((await reach()).reached)).toEqual(after);
    expect([plan.reach.before, plan.reach.after]).toEqual([before.length, after.length]);
  });

  it.each(STEPS)('is only noted in mode observe, exactly as simulated: %s', async (_, query, act) => {
    await start();
    await daemon.stop();
    mode = 'observe';
    rig.writeFile({ mode });
    daemon = await rig.start();
    await daemon.idle();
    const { changes, decided, isWritten } = await simulated(query);
    expect(isWritten).toBe(false);
    await act();
    expect(changes.length).toBeGreaterThan(0);
    expect(await made('observed', changes, decided)).toEqual(factsOf(changes));
    expect((await rig.mesh.access('orders'))?.web).toBe(BOTH);
  });

  it('is held exactly as simulated during a freeze, and what closes is not', async () => {
    await start();
    await post('/api/freeze/start', {});
    await daemon.idle();
    const { changes, holds, decided } = await simulated({
      client: 'web-app',
      add: 'shipping:connect',
      remove: 'orders:write',
    });
    await tellOf('orders:read', 'shipping:connect');
    expect(holds).toMatchObject([{ reason: 'Frozen' }]);
    expect(await made('held', holds, decided)).toEqual(factsOf(holds));
    expect(await made('applied', changes, decided)).toEqual(factsOf(changes));
    await isOpen(rig, READ);
  });
});

it('a quarantine leaves in reach exactly what the reach before it said', async () => {
  await start();
  const before = await reach();
  const stays = before.reached.filter(({ staysReachable }) => staysReachable);
  expect([namesOf(before.reached), namesOf(stays)]).toEqual([['ledger', 'orders', 'stock'], ['ledger']]);
  const { changes } = await whatIf({ client: 'web-app', state: 'quarantined' });
  const ends = before.endsAtQuarantine.map(({ source, destination }) => ({ source, destination }));
  expect(changes).toMatchObject(ends.map((resource) => ({ resource })));
  const decided = (await rig.decisions()).length;
  await post('/api/quarantines/main/web-app', {});
  await made('applied', changes, decided);
  expect((await reach()).reached).toMatchObject(stays);
});
