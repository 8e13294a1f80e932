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

/** The directory answers as it does now. */
function oldState(): Rig['idp']['fault'] {
  const before = new Map(rig.idp.clients);
  return (path) => {
    const clientId = decodeURIComponent(path.split('/')[2] ?? '');
    if (clientId === '') return { json: { clients: [...before.values()], single: true } };
    return { json: before.get(clientId) };
  };
}

const deleteAll = () => {
  for (const name of NAMES) rig.idp.clients.delete(`${name}-app`);
};

/** The clients are deleted, and the directory answers as before until the test lets it show that. */
function deletedBehindOldState(): () => void {
  rig.idp.fault = oldState();
  deleteAll();
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

describe('clients that come back after the event of their deletion, and are missing again', () => {
  const held = async () => (await daemon.status()).holds.filter(({ reason }) => reason === 'RevocationLimit');

  /** The clients were deleted and closed with an event each. */
  async function closed(): Promise<Rig['idp']['fault']> {
    const old = oldState();
    deleteAll();
    await Promise.all(NAMES.map((name) => daemon.tell('client.deleted', `${name}-app`)));
    await until('no edge', async () => (await edges()) === 0);
    await daemon.idle();
    return old;
  }

  /** A poll finds them, and the next one does not. A person rejects one of the removals, which all are held. */
  async function backAndMissingAgain(old: Rig['idp']['fault']): Promise<void> {
    rig.idp.fault = old;
    rig.clock.advance(1_100);
    await until('fifteen edges', async () => (await edges()) === 15);
    await daemon.idle();
    rig.idp.fault = undefined;
    rig.clock.advance(1_100);
    await until('fifteen holds', async () => (await held()).length === 15);
    await daemon.idle();
    const [first] = await held();
    const { status } = await daemon.post(`/api/holds/${first?.decisionId}/reject`, { user: 'carol' });
    expect(status).toBe(200);
  }

  const rechecked = async () => {
    await until('the last recheck', async () => {
      rig.clock.advance(5_000);
      await daemon.idle();
      return (await daemon.metric('scopemesh_rechecks{provider="main"}')) === 0;
    });
  };

  it('are closed by the next recheck: an old answer of a directory with several servers looks the same', async () => {
    await running({ poll: '1s' });
    // So that no recheck is due before the test says so.
    rig.clock.freeze();
    await backAndMissingAgain(await closed());
    expect(await edges()).toBe(15);
    rig.clock.advance(3_000);
    await until('no edge', async () => (await edges()) === 0);
    await daemon.idle();
    const { reason, cause } = (await rig.decisions()).findLast(({ action }) => action === 'revoke') ?? {};
    expect([reason, cause?.kind]).toEqual(['ClientDeleted', 'webhook']);
  });

  it('are held after the last recheck of that event, and a rejection keeps them', async () => {
    await running({ poll: '1s' });
    const old = await closed();
    await rechecked();
    await backAndMissingAgain(old);
    await rechecked();
    expect([await edges(), (await held()).length]).toEqual([15, 15]);
  });
});
