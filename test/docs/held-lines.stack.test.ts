import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../stack/process.js';
import { linesOf } from './lines-shell.js';
import { addCaller, type LinesWorld, startLinesWorld } from './lines-world.js';

const CALLERS = ['web', 'bot', 'sync', 'desk'];
/** The IDs of the page. */
const [FIRST, SECOND] = ['01KAX0WJ4R8W6K1D6M1N2V9B7T', '01KAX0WJ4R8W6K1D6M1N2V9B7U'] as const;
const [plan, rule, unrecorded, release, alone, asRoot, inContainer] = linesOf(
  'approve-or-reject-a-held-change.md',
);

let world: LinesWorld;
beforeAll(async () => {
  world = await startLinesWorld({
    file: { guards: { maxRevocations: { percent: 0, atLeast: 0 } } },
    async prepare(each) {
      for (const service of CALLERS) await addCaller(each, service, 'ledger:connect');
      await addCaller(each, 'shop', 'orders:read');
    },
  });
});
afterAll(() => world?.close());

const hasAccess = async (source: string) => (await world.mesh.access('ledger'))?.[source] !== undefined;
const isClosed = (source: string) => until(`${source} is closed`, async () => !(await hasAccess(source)));

describe('the lines of approve-or-reject-a-held-change.md', () => {
  it('list held removals, let one go, keep one, and do so as root and in a container', async () => {
    for (const service of CALLERS) world.idp.clients.delete(`${service}-app`);
    const ids = new Map<string, string>();
    for (const service of CALLERS) {
      const subject = `intention/default/default/ledger/${service}`;
      const { id } = await world.decided({ subject, reason: 'RevocationLimit', outcome: 'held' });
      ids.set(service, id);
    }
    const idOf = (service: string) => ids.get(service) ?? '';
    const listed = await world.run(plan);
    for (const id of ids.values()) expect(listed).toContain(`scopemesh approve ${id}`);

    await world.run(rule, { [FIRST]: idOf('web'), [SECOND]: idOf('bot') });
    await isClosed('web');
    await world.run(asRoot, { [FIRST]: idOf('sync') });
    await isClosed('sync');
    const file = { '/etc/scopemesh/scopemesh.yaml': world.daemon.configFile };
    await world.run(inContainer, { ...file, [FIRST]: idOf('desk') });
    await isClosed('desk');
    expect(await hasAccess('bot')).toBe(true);
    expect(await world.run('scopemesh plan')).toMatch(/bot.*RevocationLimit/s);
  });

  it('approve every source that has the mark and no record', async () => {
    await world.mesh.write('billing', [
      { Name: 'ghost', Action: 'allow', Description: 'scopemesh:payments client=main/ghost-app' },
      { Name: 'other', Action: 'allow', Description: 'made by hand' },
    ]);
    await world.decided({ subject: 'intention/default/default/billing/ghost', reason: 'MarkUnrecorded' });
    // Without a terminal the first run shows them, and changes nothing.
    await expect(world.run(unrecorded)).rejects.toThrow(/billing\/ghost/);
    const [confirmation = ''] = (await world.stderr()).match(/--confirm \w+/) ?? [];
    await world.run(`${unrecorded?.trim()} ${confirmation}`);
    await until('the source without a record is gone', async () => {
      const access = await world.mesh.access('billing');
      return access?.ghost === undefined && access?.other === 'allow';
    });
    await expect(world.run(unrecorded)).rejects.toThrow('no held change has this reason');
  });

  it('release a client in quarantine', async () => {
    const event = { type: 'client.secret-compromised', data: { clientId: 'shop-app' } };
    expect(await world.send(event)).toBe(202);
    await until('the client is closed', async () => (await world.mesh.access('orders'))?.shop === undefined);
    await world.run(release, { 'main/web-app': 'main/shop-app' });
    await until('the client is open', async () => (await world.mesh.access('orders'))?.shop !== undefined);
    const subject = 'intention/default/default/orders/shop';
    await world.decided({ subject, reason: 'QuarantineEnded', outcome: 'applied' });
  });

  it('approve a held removal while no daemon runs', async () => {
    await world.daemon.stop();
    world.idp.clients.delete('shop-app');
    // A list without clients is not complete.
    world.idp.put('idle-app');
    // Other changes stay held.
    const isHeld = ' || [ "$?" = 3 ]';
    const apply = `scopemesh apply --yes${isHeld}`;
    await world.run(apply);
    const subject = 'intention/default/default/orders/shop';
    const { id } = await world.decided({ subject, reason: 'RevocationLimit', outcome: 'held' });
    expect(await world.run(apply)).toContain(`scopemesh apply --approve ${id}`);
    await world.run(`${alone?.trim()}${isHeld}`, { [FIRST]: id });
    expect((await world.mesh.access('orders'))?.shop).toBeUndefined();
  });
});
