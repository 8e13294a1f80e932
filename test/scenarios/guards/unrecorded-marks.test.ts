import { afterEach, describe, expect, it } from 'vitest';
import { clientOf, createRig, type Daemon, type Rig } from '../../support/daemon.js';
import { until } from '../../support/until.js';

let rig: Rig;
let daemon: Daemon;
afterEach(() => rig.close());

const NAMES = Array.from({ length: 12 }, (_, at) => `svc-${String(at).padStart(2, '0')}`);

/** Sources with the mark of this instance, written by the owner of the destination `evil`. */
const marked = (count: number, end = '') =>
  Array.from({ length: count }, (_, at) => ({
    Name: `ghost-${at}`,
    Action: 'allow',
    Description: `scopemesh:payments${end} client=main/ghost-${at}`,
  }));

/** Twelve services, each of which may call the next one; ten of them lose their client, as many as the limit lets pass. */
async function attackedWith(sources: number, holds = sources, end = ''): Promise<void> {
  rig = await createRig({
    clients: NAMES.map((name, at) => clientOf(name, `${NAMES[(at + 1) % 12]}:connect`)),
    provider: { poll: '1s' },
    prepare: async ({ mesh }) => {
      await Promise.all(NAMES.map((name) => mesh.register(name, { client: `${name}-app` })));
    },
  });
  daemon = await rig.start();
  await until('twelve edges', async () => (await daemon.status()).ownedEdges === 12);
  await daemon.idle();
  await rig.mesh.write('evil', marked(sources, end));
  await until('the holds', async () => (await heldAs('MarkUnrecorded')) === holds);
}

const heldAs = async (reason: string) =>
  (await daemon.status()).holds.filter((hold) => hold.reason === reason).length;

const fleetEdges = async () => {
  const entries = await rig.mesh.request('GET', '/v1/config/service-intentions');
  return Array.isArray(entries) ? entries.length - 1 : 0;
};

describe('sources that the owner of one destination marked', () => {
  it.each([12, 10, 5])(
    'neither hold the removals of the fleet nor use up the window: %i of them',
    async (sources) => {
      await attackedWith(sources);
      expect(await daemon.metric('scopemesh_inferred_removals')).toBe(0);
      for (const name of NAMES.slice(0, 10)) rig.idp.clients.delete(`${name}-app`);
      rig.clock.advance(1_500);
      await until('two edges of the fleet', async () => (await fleetEdges()) === 2);
      await daemon.idle();

      const decisions = await rig.decisions();
      expect(decisions.filter(({ reason }) => reason === 'RevocationLimit')).toEqual([]);
      expect(await daemon.metric('scopemesh_inferred_removals')).toBe(10);
      expect((await daemon.status()).ownedEdges).toBe(2);
      expect(Object.keys((await rig.mesh.access('evil')) ?? {})).toHaveLength(sources);
      const reported = decisions.filter(({ reason }) => reason === 'MarkUnrecorded');
      expect(reported.map(({ outcome, resource }) => [outcome, resource.destination])).toEqual(
        marked(sources).map(() => ['held', 'evil']),
      );
      expect(await daemon.metric('scopemesh_holds{reason="MarkUnrecorded"}')).toBe(sources);
    },
  );

  it('do not hold the order to disable the client that they name', async () => {
    await attackedWith(12);
    await rig.mesh.write(
      'evil',
      marked(12).map((each) => ({ ...each, Description: 'scopemesh:payments client=main/svc-00-app' })),
    );
    await daemon.idle();
    rig.idp.fault = () => ({ status: 503 });
    await daemon.tell('client.disabled', 'svc-00-app');
    const closes = async () => {
      rig.clock.advance(1_000);
      return (await rig.mesh.access('svc-01')) === undefined;
    };
    await until('the edge of the client to be closed', closes);
    expect(rig.logs.filter((line) => line.includes('an ordered revocation waits'))).toEqual([]);
  });

  it('make a bounded number of decisions, and the rest is counted', async () => {
    await attackedWith(130, 100);
    await daemon.idle();
    expect(await daemon.metric('scopemesh_decisions_suppressed_total{kind="mark"}')).toBe(30);
    const decisions = (await rig.decisions()).filter(({ reason }) => reason === 'MarkUnrecorded');
    expect(decisions).toHaveLength(100);
    expect(Object.keys((await rig.mesh.access('evil')) ?? {})).toHaveLength(130);
  });

  it('whose break-glass grant is over are removed, at most a hundred of them', async () => {
    await attackedWith(130, 30, ' until=2020-01-01T00:00:00.000Z');
    await daemon.idle();
    expect(Object.keys((await rig.mesh.access('evil')) ?? {})).toHaveLength(30);
    const removed = (await rig.decisions()).filter(({ reason }) => reason === 'BreakGlassEnded');
    expect(removed).toHaveLength(100);
    expect(removed[0]?.detail).toContain('only the mark of the source says');
  });

  it('are removed once a person approves that, each by its own ID', async () => {
    await attackedWith(2);
    const [first] = (await daemon.status()).holds;
    const { status } = await daemon.post(`/api/holds/${first?.decisionId}/approve`, { user: 'alice' });
    expect(status).toBe(200);
    const removed = await rig.decided({ subject: first?.subject ?? '', outcome: 'applied' });
    expect(removed).toMatchObject({ action: 'revoke', principal: { id: 'local', note: 'alice' } });
    await daemon.idle();
    expect(Object.keys((await rig.mesh.access('evil')) ?? {})).toHaveLength(1);
    expect(await heldAs('MarkUnrecorded')).toBe(1);
    expect(await daemon.metric('scopemesh_inferred_removals')).toBe(0);
  });
});
