import { afterEach, describe, expect, it } from 'vitest';
import { clientKey, destinationKey, providerKey } from '../../src/model/key.js';
import { ruleOnHold } from '../../src/operator/approvals.js';
import { type AclRig, createAclRig } from '../support/acl-rig.js';
import { clientOf, type Rig } from '../support/daemon.js';
import { BOTH, ordersRig } from '../support/orders-rig.js';
import { startWorker, type Worker } from '../support/reconcile-rig.js';

let rig: Rig;
let worker: Worker;
afterEach(async () => {
  await worker.stop();
  await rig.close();
});

const NAMES = Array.from({ length: 14 }, (_, at) => `s${String(at).padStart(2, '0')}`);
const TWELVE = NAMES.slice(0, 12);
const TEN_MINUTES_MS = 600_000;

/** Services that may call `orders`. At most ten of their edges, half of the limit, may go as inferred removals within ten minutes. */
async function start(): Promise<void> {
  rig = await ordersRig({
    file: { guards: { maxRevocations: { percent: 20, atLeast: 20 } } },
    clients: [clientOf('other', 'orders:read'), ...NAMES.map((name) => clientOf(name, 'orders:read'))],
    prepare: async ({ mesh }) => {
      for (const name of NAMES) await mesh.register(name, { client: `${name}-app` });
    },
  });
  worker = await startWorker(rig);
  await worker.idle();
}

async function compare(): Promise<void> {
  await worker.add(providerKey('main'), 'full-read', { fullRead: true });
  await worker.idle();
}

async function vanish(names: readonly string[]): Promise<void> {
  for (const name of names) rig.idp.clients.delete(`${name}-app`);
  await compare();
}

/** Every one of `NAMES` whose edge exists. */
async function open(): Promise<readonly string[]> {
  const access = Object.keys((await rig.mesh.access('orders')) ?? {});
  return NAMES.filter((name) => access.includes(name));
}

async function held(): Promise<ReadonlyMap<string, string>> {
  const { holds } = await worker.store.journal.overview();
  return new Map(
    holds
      .filter(({ reason }) => reason === 'RevocationLimit')
      .map(({ subject, decisionId }) => [subject.split('/').at(-1) ?? '', decisionId]),
  );
}

async function rule(verdict: 'approved' | 'rejected', names: readonly string[], by = 'alice'): Promise<void> {
  const ids = await held();
  for (const name of names) {
    const { kind } = await ruleOnHold(ids.get(name) ?? '', verdict, { id: by }, worker.deps);
    expect(kind).toBe('ruled');
    await worker.idle();
  }
}

async function restart(): Promise<void> {
  await worker.stop();
  worker = await startWorker(rig);
  await worker.idle();
}

describe('of the edges that the mass guard holds', () => {
  it('those alone go that a person approves, and they count as others do', async () => {
    await start();
    await vanish(TWELVE);
    await rule('approved', TWELVE.slice(0, 2));
    await compare();
    expect(await open()).toEqual(NAMES.slice(2));
    expect((await held()).size).toBe(10);
    expect(worker.deps.window.used(rig.clock.now())).toBe(2);
    const approvers = async () =>
      (await worker.settled())
        .filter(({ type }) => type.endsWith('intention.deleted'))
        .map(({ principal }) => principal?.id);
    expect(await approvers()).toEqual(['alice', 'alice']);
    // What is left is within the limit once the window has passed, without a ruling.
    rig.clock.advance(TEN_MINUTES_MS + 1);
    await rule('rejected', TWELVE.slice(2, 3), 'bob');
    expect(await open()).toEqual([...TWELVE.slice(2, 3), ...NAMES.slice(12)]);
    expect(await approvers()).toEqual(['alice', 'alice', ...Array(9).fill(undefined)]);
  });

  it('those that a person rejects stay, whatever else passes, and over a restart', async () => {
    await start();
    await vanish(TWELVE);
    await rule('rejected', TWELVE.slice(0, 2));
    expect(await open()).toEqual(NAMES);
    await rule('approved', TWELVE.slice(2), 'bob');
    expect(await open()).toEqual([...NAMES.slice(0, 2), ...NAMES.slice(12)]);
    rig.clock.advance(TEN_MINUTES_MS + 1);
    await compare();
    await restart();
    await worker.add(destinationKey('orders'));
    await worker.idle();
    expect(await open()).toEqual([...NAMES.slice(0, 2), ...NAMES.slice(12)]);
    expect([...(await held()).keys()]).toEqual(TWELVE.slice(0, 2));
    const removed = (await worker.settled()).filter(({ type }) => type.endsWith('intention.deleted'));
    expect(new Set(removed.map(({ principal }) => principal?.id))).toEqual(new Set(['bob']));
  });

  it('a rejected one goes when the identity provider itself says so, and its rejection ends when it is wanted again', async () => {
    await start();
    await vanish(TWELVE);
    const [first = '', second = ''] = TWELVE;
    await rule('rejected', [first, second]);
    await worker.add(clientKey('main', `${first}-app`), 'webhook', {
      evidence: [{ provider: 'main', clients: [`${first}-app`] }],
    });
    await worker.idle();
    expect(await open()).toEqual(NAMES.slice(1));

    rig.clock.advance(TEN_MINUTES_MS + 1);
    rig.idp.put(`${second}-app`, 'orders:read');
    rig.idp.change(`${second}-app`, { attributes: { 'consul-services': second } });
    await compare();
    rig.clock.advance(TEN_MINUTES_MS + 1);
    await vanish([second]);
    expect(await open()).not.toContain(second);
  });

  it('a rejection of one lets none of the others pass, and as many as the limit do not hold later losses forever', async () => {
    await start();
    await vanish(TWELVE);
    await rule('rejected', TWELVE);
    expect(await open()).toEqual(NAMES);
    await restart();
    await vanish(NAMES.slice(12, 13));
    expect(await open()).toEqual(NAMES);
    rig.clock.advance(TEN_MINUTES_MS + 1);
    await worker.add(destinationKey('orders'));
    await worker.idle();
    expect(await open()).toEqual([...TWELVE, ...NAMES.slice(13)]);
  });
});

describe('the approval of an edge that is to be narrowed', () => {
  it('does not let the edge go that is to be removed by the time of the plan', async () => {
    rig = await ordersRig({
      clients: [clientOf('web', 'orders:read', 'orders:write'), clientOf('other')],
      file: { guards: { maxRevocations: { percent: 0, atLeast: 0 } } },
    });
    worker = await startWorker(rig);
    await worker.idle();
    rig.idp.put('web-app', 'orders:read');
    await compare();
    expect([...(await held()).keys()]).toEqual(['web']);
    // The rest goes too, and the word comes before the next plan.
    const { world } = worker.deps;
    const id = { provider: 'main', clientId: 'web-app' };
    const known = world.client(id);
    world.putClient(id, known && { ...known, grants: [] }, world.beginRead());
    rig.idp.put('web-app');
    await rule('approved', ['web']);
    expect(await rig.mesh.access('orders')).toEqual({ web: BOTH });
    expect((await held()).size).toBe(1);
    // A word about what is held now makes it.
    await rule('approved', ['web']);
    expect(await rig.mesh.access('orders')).toBeUndefined();
  });
});

describe('the approval of a client that is to lose a part of its ACL objects', () => {
  it('does not let all of them go that are to be removed by the time of the plan', async () => {
    const acl = await createAclRig({
      clients: [clientOf('other', 'config:read'), clientOf('web', 'config:read')],
      file: { guards: { maxRevocations: { percent: 0, atLeast: 0 } }, login: 'on' },
      prepare: ({ mesh }) => mesh.register('web', { client: 'web-app' }),
    });
    rig = acl;
    worker = await startWorker(rig);
    await worker.idle();
    const role = 'scopemesh-payments-main-web-app';
    const parts = async () => {
      const found = (await acl.objects('roles')).find(({ Name }) => Name === role);
      return found && [found.Policies, found.ServiceIdentities].map((each) => Object(each ?? []).length);
    };
    expect(await parts()).toEqual([1, 1]);
    rig.idp.put('web-app');
    await compare();
    expect(await parts()).toEqual([1, 1]);
    expect([...(await held()).keys()]).toEqual([role]);
    rig.idp.clients.delete('web-app');
    const [id = ''] = (await held()).values();
    await ruleOnHold(id, 'approved', { id: 'alice' }, worker.deps);
    await worker.idle();
    expect(await parts()).toEqual([1, 1]);
  });
});

describe('of the clients whose ACL objects the mass guard holds', () => {
  const roleOf = (name: string) => `scopemesh-payments-main-${name}-app`;
  const five = NAMES.slice(0, 5);
  const edgesInConsul = async () => {
    const names = (await (rig as AclRig).objects('roles')).map(({ Name }) => Name);
    return five.filter((name) => names.includes(roleOf(name)));
  };

  it('those alone go that a person approves, and those that are rejected stay over a restart', async () => {
    rig = await createAclRig({
      clients: [clientOf('other', 'config:read'), ...five.map((name) => clientOf(name, 'config:read'))],
      file: { guards: { maxRevocations: { percent: 10, atLeast: 4 } } },
    });
    worker = await startWorker(rig);
    await worker.idle();
    await vanish(five);
    expect(await edgesInConsul()).toEqual(five);
    const [first = '', second = ''] = five;
    await rule('approved', [roleOf(first)]);
    await rule('rejected', [roleOf(second)]);
    await compare();
    for (const name of five) await worker.add(clientKey('main', `${name}-app`));
    await worker.idle();
    expect(await edgesInConsul()).toEqual(five.slice(1));
    expect(worker.deps.window.used(rig.clock.now())).toBe(1);

    // The three that nobody ruled on are within the limit by then, and a no is still one.
    rig.clock.advance(TEN_MINUTES_MS + 1);
    await restart();
    for (const name of five) await worker.add(clientKey('main', `${name}-app`));
    await worker.idle();
    expect(await edgesInConsul()).toEqual([second]);
    await worker.add(clientKey('main', `${second}-app`), 'webhook', {
      evidence: [{ provider: 'main', clients: [`${second}-app`] }],
    });
    await worker.idle();
    expect(await edgesInConsul()).toEqual([]);
  });
});
