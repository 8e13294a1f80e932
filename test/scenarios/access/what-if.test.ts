import { afterEach, expect, it } from 'vitest';
import { readApiToken } from '../../../src/app/api-token.js';
import { ROUTES } from '../../../src/console/answers.js';
import type { Decision } from '../../../src/model/decision.js';
import { type Daemon, type Rig, SCOPES } from '../../support/daemon.js';
import { isOpen, ordersRig, READ } from '../../support/orders-rig.js';

let rig: Rig;
let daemon: Daemon;
afterEach(() => rig.close());

async function ask(path: string): Promise<unknown> {
  const token = await readApiToken(await rig.load());
  const response = await fetch(daemon.admin + path, {
    headers: { authorization: `Bearer ${token.reveal()}` },
  });
  return response.json();
}

const whatIf = async (query: Readonly<Record<string, string>>) =>
  ROUTES.whatIf.answer.parse(await ask(`/api/what-if?${new URLSearchParams(query)}`));

const factsOf = ({
  subject,
  before,
  after,
}: Pick<Decision, 'subject'> & { before?: unknown; after?: unknown }) => ({
  subject,
  before: before ?? null,
  after: after ?? null,
});

const RULE = "'orders:read': { to: billing }";

/** Each simulation, and how it is done then. */
const STEPS: readonly (readonly [string, Readonly<Record<string, string>>, () => void | Promise<void>])[] = [
  ['a scope more', { client: 'web-app', add: 'orders:write' }, () => tellOf('orders:read', 'orders:write')],
  ['a scope less', { client: 'main/web-app', remove: 'orders:write' }, () => tellOf('orders:read')],
  [
    'a further rule',
    { rule: RULE },
    () => {
      const { 'orders:read': read } = SCOPES;
      rig.writeFile({ scopes: { ...SCOPES, 'orders:read': [read, { to: 'billing' }] } });
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
];

async function tellOf(...scopes: string[]): Promise<void> {
  rig.idp.put('web-app', ...scopes);
  await daemon.tell('client.updated', 'web-app');
}

it('what is done after a simulation is decided exactly as simulated, and the simulation writes nothing', async () => {
  rig = await ordersRig();
  daemon = await rig.start();
  await isOpen(rig, READ);
  await daemon.idle();
  for (const [name, query, act] of STEPS) {
    const [writes, decided] = [rig.proxy.writes.length, (await rig.decisions()).length];
    const simulated = await whatIf(query);
    expect(simulated.changes.length, name).toBeGreaterThan(0);
    expect(await whatIf(query), name).toMatchObject({ changes: simulated.changes });
    expect(ROUTES.plan.answer.parse(await ask('/api/plan')), name).toMatchObject({ changes: [], holds: [] });
    expect([rig.proxy.writes.length, (await rig.decisions()).length], name).toEqual([writes, decided]);

    await act();
    const last = simulated.changes.at(-1)?.subject;
    await rig.decided(({ subject, outcome }) => subject === last && outcome === 'applied', decided);
    await daemon.idle();
    const made = (await rig.decisions())
      .slice(decided)
      .filter(({ outcome, resource }) => outcome === 'applied' && resource.kind === 'intention');
    expect(made.map(factsOf).toSorted(bySubject), name).toEqual(
      simulated.changes.map(factsOf).toSorted(bySubject),
    );
  }
});

const bySubject = (a: { subject: string }, b: { subject: string }) => (a.subject < b.subject ? -1 : 1);
