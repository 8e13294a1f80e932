import { afterEach, describe, expect, it } from 'vitest';
import { clientOf, createRig, type Daemon, type DaemonOptions, type Rig } from '../../support/daemon.js';
import { until } from '../../support/until.js';

let rig: Rig;
let daemon: Daemon;
afterEach(() => rig.close());

const NAMES = Array.from({ length: 50 }, (_, at) => `svc-${String(at).padStart(2, '0')}`);

/** Fifty services, each of which may call the next one. */
async function running(poll = '1s', file: DaemonOptions['file'] = {}): Promise<void> {
  rig = await createRig({
    clients: NAMES.map((name, at) => clientOf(name, `${NAMES[(at + 1) % 50]}:connect`)),
    provider: { poll },
    file,
    prepare: async ({ mesh }) => {
      await Promise.all(NAMES.map((name) => mesh.register(name, { client: `${name}-app` })));
    },
  });
  daemon = await rig.start();
  await until('fifty edges', async () => (await daemon.status()).ownedEdges === 50);
  await daemon.idle();
}

async function edges(): Promise<number> {
  const entries = await rig.mesh.request('GET', '/v1/config/service-intentions');
  return Array.isArray(entries) ? entries.length : 0;
}

const applied = async () =>
  (await rig.decisions()).filter(({ action, outcome }) => action === 'revoke' && outcome === 'applied')
    .length;

describe('the mass guard', () => {
  it('holds the removal of 30 of 50 clients that merely vanish, one hold each, until they return', async () => {
    await running();
    const gone = NAMES.slice(0, 30).map((name) => [name, rig.idp.clients.get(`${name}-app`)] as const);
    for (const [name] of gone) rig.idp.clients.delete(`${name}-app`);
    rig.clock.advance(1_500);
    const limits = async () =>
      (await rig.decisions()).filter(
        ({ reason, outcome }) => reason === 'RevocationLimit' && outcome === 'held',
      );
    await until('thirty holds', async () => (await limits()).length === 30);
    await daemon.idle();
    expect(await edges()).toBe(50);
    expect(await daemon.metric('scopemesh_holds{reason="RevocationLimit"}')).toBe(30);
    for (const [, client] of gone) if (client !== undefined) rig.idp.clients.set(client.clientId, client);
    rig.clock.advance(1_500);
    await until('no hold', async () => (await daemon.status()).holds.length === 0);
    expect(await limits()).toHaveLength(30);
    expect(await applied()).toBe(0);
    expect(rig.proxy.writes).toHaveLength(50);
  });

  it('holds what would close because a read lost the grant types that show that clients are no agents', async () => {
    await running('1s', { actors: { agent: { onBehalfOf: 'human' } } });
    for (const name of NAMES.slice(0, 30)) rig.idp.change(`${name}-app`, { grantTypes: [] });
    rig.clock.advance(1_500);
    const held = async () =>
      (await daemon.status()).holds.filter(({ reason }) => reason === 'RevocationLimit').length;
    await until('thirty holds', async () => (await held()) === 30);
    await daemon.idle();
    expect(await edges()).toBe(50);
    expect(await applied()).toBe(0);
  });

  it('lets removals pass if signed events report the deletions', async () => {
    // No poll comes between: what it finds first is an inference until the event is there.
    await running('1h');
    for (const name of NAMES.slice(0, 30)) rig.idp.clients.delete(`${name}-app`);
    await Promise.all(NAMES.slice(0, 30).map((name) => daemon.tell('client.deleted', `${name}-app`)));
    await until('twenty edges', async () => (await edges()) === 20);
    await daemon.idle();
    expect(await applied()).toBe(30);
    const decisions = await rig.decisions();
    expect(decisions.filter(({ reason }) => reason === 'RevocationLimit')).toEqual([]);
    const causes = decisions
      .filter(({ reason }) => reason === 'ClientDeleted')
      .map(({ cause }) => cause.kind);
    expect(new Set(causes)).toEqual(new Set(['webhook']));
  });

  it('lets a loss as large as the limit pass, and then no other within the window', async () => {
    await running();
    for (const name of NAMES.slice(0, 10)) rig.idp.clients.delete(`${name}-app`);
    rig.clock.advance(1_500);
    await until('forty edges', async () => (await edges()) === 40);
    await daemon.idle();
    expect((await rig.decisions()).filter(({ reason }) => reason === 'RevocationLimit')).toEqual([]);
    expect(await daemon.metric('scopemesh_inferred_removals')).toBe(10);
    rig.idp.clients.delete(`${NAMES[20]}-app`);
    rig.clock.advance(1_500);
    await rig.decided({ reason: 'RevocationLimit', outcome: 'held' });
    await daemon.stop();
    daemon = await rig.start();
    await until('the directory', async () => (await daemon.status()).directories[0]?.clients === 39);
    await daemon.idle();
    expect(await edges()).toBe(40);
    rig.clock.advance(11 * 60_000);
    await daemon.stop();
    daemon = await rig.start();
    await until('thirty-nine edges', async () => (await edges()) === 39);
  });
});
