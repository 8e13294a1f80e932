import { afterEach, describe, expect, it } from 'vitest';
import { clientOf, createRig, type Daemon, type Rig } from '../../support/daemon.js';
import { until } from '../../support/until.js';

let rig: Rig;
let daemon: Daemon;
afterEach(() => rig.close());

const NAMES = Array.from({ length: 15 }, (_, at) => `svc-${String(at).padStart(2, '0')}`);

async function edges(): Promise<number> {
  const entries = await rig.mesh.request('GET', '/v1/config/service-intentions');
  return Array.isArray(entries) ? entries.length : 0;
}

/** Fifteen services that all lose their client, which is more inferred removals than may be made. */
async function running(provider = {}): Promise<void> {
  rig = await createRig({
    provider,
    clients: [
      clientOf('other'),
      ...NAMES.map((name, at) => clientOf(name, `${NAMES[(at + 1) % 15]}:connect`)),
    ],
    prepare: async ({ mesh }) => {
      await Promise.all(NAMES.map((name) => mesh.register(name, { client: `${name}-app` })));
    },
  });
  daemon = await rig.start();
  await until('fifteen edges', async () => (await daemon.status()).ownedEdges === 15);
  await daemon.idle();
}

/** The clients are deleted, and the directory answers as before until the test lets it show that. */
function deletedBehindOldState(): () => void {
  const before = new Map(rig.idp.clients);
  for (const name of NAMES) rig.idp.clients.delete(`${name}-app`);
  rig.idp.fault = (path) => {
    const clientId = decodeURIComponent(path.split('/')[2] ?? '');
    if (clientId === '') return { json: { clients: [...before.values()], single: true } };
    return { json: before.get(clientId) };
  };
  return () => {
    rig.idp.fault = undefined;
  };
}

/** The first of the looks after the event, at each of the fifteen clients. */
async function looksAgain(): Promise<void> {
  const jobs = 'scopemesh_jobs_total{key="client",result="done"}';
  const before = (await daemon.metric(jobs)) ?? 0;
  rig.clock.advance(6_000);
  await until('fifteen looks', async () => ((await daemon.metric(jobs)) ?? 0) >= before + 15);
}

async function closesExplicitly(): Promise<void> {
  await until('no edge', async () => (await edges()) === 0);
  await daemon.idle();
  const decisions = await rig.decisions();
  expect(decisions.filter(({ reason }) => reason === 'RevocationLimit')).toEqual([]);
  const closed = decisions.filter(
    ({ reason, outcome }) => reason === 'ClientDeleted' && outcome === 'applied',
  );
  expect(closed).toHaveLength(15);
  expect(new Set(closed.map(({ cause }) => cause.kind))).toEqual(new Set(['webhook']));
}

describe('a directory that answers with old state for a while after an event', () => {
  it('is asked again until it answers with new state, and the removal is explicit', async () => {
    await running();
    const show = deletedBehindOldState();
    await Promise.all(NAMES.map((name) => daemon.tell('client.deleted', `${name}-app`)));
    await daemon.idle();
    await looksAgain();
    await daemon.idle();
    expect(await edges()).toBe(15);
    show();
    rig.clock.advance(25_000);
    await closesExplicitly();
  });

  it('is asked again by the next process if this one ends', async () => {
    await running();
    const show = deletedBehindOldState();
    await Promise.all(NAMES.map((name) => daemon.tell('client.deleted', `${name}-app`)));
    await daemon.idle();
    await daemon.stop();
    daemon = await rig.start();
    await until('a complete read', async () => (await daemon.status()).directories[0]?.clients === 16);
    await daemon.idle();
    expect(await edges()).toBe(15);
    show();
    rig.clock.advance(31_000);
    await closesExplicitly();
  });
});

describe('a complete read that finds a removal between an event and its recheck', () => {
  it('holds it as an inference until the recheck confirms it', async () => {
    await running({ fullRead: '3s' });
    const show = deletedBehindOldState();
    // So that the recheck is not due before the test says so, however long the complete read takes.
    rig.clock.freeze();
    await Promise.all(NAMES.map((name) => daemon.tell('client.updated', `${name}-app`)));
    await daemon.idle();
    // The next complete read is due, and not yet the recheck.
    show();
    rig.clock.advance(3_500);
    await until('fifteen holds', async () => {
      const { holds } = await daemon.status();
      return holds.filter(({ reason }) => reason === 'RevocationLimit').length === 15;
    });
    expect(await edges()).toBe(15);
    rig.clock.advance(2_500);
    await until('no edge', async () => (await edges()) === 0);
  });
});

describe('a recheck that finds no change', () => {
  it('costs no write and no decision', async () => {
    await running();
    await Promise.all(NAMES.map((name) => daemon.tell('client.created', `${name}-app`)));
    await daemon.idle();
    const [decisions, writes] = [(await rig.decisions()).length, rig.proxy.writes.length];
    await looksAgain();
    await daemon.idle();
    expect((await rig.decisions()).length).toBe(decisions);
    expect(rig.proxy.writes.length).toBe(writes);
  });
});
