import { afterEach, describe, expect, it } from 'vitest';
import { reap } from '../../src/acl/apply/reap.js';
import type { Consul } from '../../src/consul/consul.js';
import { createNotifier } from '../../src/notifier.js';
import { runReaper } from '../../workers/reaper.js';
import { type AclRig, createAclRig, loggedIn } from '../support/acl-rig.js';
import { clientOf, type DaemonOptions } from '../support/daemon.js';
import { startWorker, type Worker, withAcl } from '../support/reconcile-rig.js';
import { until } from '../support/until.js';

let rig: AclRig;
let worker: Worker | undefined;
afterEach(async () => {
  await worker?.stop();
  worker = undefined;
  await rig.close();
});

const signal = new AbortController().signal;
const nobodyFirst = async () => {};

async function start(options: DaemonOptions = {}) {
  rig = await createAclRig({
    clients: [clientOf('web', 'config:read'), clientOf('shop', 'config:read')],
    ...options,
  });
  await rig.mesh.request('PUT', '/v1/kv/config/a', 'x');
}

async function startReconciled(wrap?: (consul: Consul) => Consul): Promise<Worker> {
  rig.writeFile();
  worker = await startWorker(rig, wrap);
  await worker.idle();
  return worker;
}

/** Takes the power from tokens in the way that Consul leaves them behind for: the role goes, the token stays. */
async function orphan(role: string): Promise<void> {
  const { ID } = (await rig.mesh.request('GET', `/v1/acl/role/name/${role}`)) as { ID: string };
  await rig.mesh.request('DELETE', `/v1/acl/role/${ID}`);
}

const tokenIds = async () =>
  ((await rig.mesh.request('GET', '/v1/acl/tokens')) as readonly { AccessorID: string }[]).map(
    ({ AccessorID }) => AccessorID,
  );
const ended = async ({ settled }: Worker) =>
  (await settled()).filter(
    ({ subject, outcome }) => subject === 'acl-token/payments/orphans' && outcome !== 'observed',
  );

describe('the reaper', () => {
  it('ends only orphaned tokens, with one decision that has their number', async () => {
    await start();
    const rates: unknown[] = [];
    const { deps } = await startReconciled((consul) =>
      withAcl(consul, ({ deleteTokens }) => ({
        deleteTokens: (ids, stop, perSecond) => {
          rates.push(perSecond);
          return deleteTokens(ids, stop, perSecond);
        },
      })),
    );
    const tokens = await Promise.all(Array.from({ length: 120 }, () => rig.login('web-app')));
    const shop = loggedIn(await rig.login('shop-app'));
    const foreign = await rig.mesh.tokenWith('key_prefix "" { policy = "read" }');
    await orphan('scopemesh-payments-main-web-app');
    let batches = 0;
    const count = await reap(
      deps,
      async () => {
        batches++;
      },
      signal,
    );
    expect(count).toBe(120);
    expect(batches).toBe(3);
    expect(rates).toEqual([200, 200, 200]);
    const left = await tokenIds();
    expect(tokens.map(loggedIn).filter(({ accessorId }) => left.includes(accessorId))).toEqual([]);
    expect(left).toContain(shop.accessorId);
    expect(await rig.readKey({ secretId: foreign, accessorId: '' }, 'config/a')).toBe(200);
    const reported = worker === undefined ? [] : await ended(worker);
    expect(reported).toHaveLength(1);
    expect(reported[0]).toMatchObject({
      type: 'dev.scopemesh.acl-token.deleted',
      outcome: 'applied',
      reason: 'DriftCorrected',
    });
    expect(reported[0]?.detail).toContain('ended 120 live tokens');
    expect(await reap(deps, nobodyFirst, signal)).toBe(0);
    expect(worker === undefined ? [] : await ended(worker)).toHaveLength(1);
  });

  it('runs after other jobs: a repair in progress leaves no orphans', async () => {
    await start();
    const { deps } = await startReconciled();
    const token = loggedIn(await rig.login('web-app'));
    const rule = (await rig.objects('binding-rules')).find(({ AuthMethod: method }) =>
      String(method).endsWith('-web-app'),
    );
    await rig.mesh.request('DELETE', `/v1/acl/binding-rule/${rule?.ID}`);
    const { ID: _, ...again } = rule ?? {};
    const mend = async () => {
      await rig.mesh.request('PUT', '/v1/acl/binding-rule', again);
    };
    expect(await reap(deps, mend, signal)).toBe(0);
    expect(await rig.readKey(token, 'config/a')).toBe(200);
  });

  it('ends nothing in modes that remove nothing, or after an incomplete read', async () => {
    await start({ file: { mode: 'extend' } });
    let isSick = false;
    const { deps } = await startReconciled((consul) => ({
      ...consul,
      acl: {
        ...consul.acl,
        read: async (isOurs, stop) => {
          if (isSick) throw new Error('sick');
          return consul.acl.read(isOurs, stop);
        },
      },
    }));
    const token = loggedIn(await rig.login('web-app'));
    await orphan('scopemesh-payments-main-web-app');
    expect(await reap(deps, nobodyFirst, signal)).toBe(0);
    deps.world.setMapping({ ...deps.world.mapping, mode: 'enforce' });
    isSick = true;
    await expect(reap(deps, nobodyFirst, signal)).rejects.toThrow('sick');
    expect(await tokenIds()).toContain(token.accessorId);
    isSick = false;
    expect(await reap(deps, nobodyFirst, signal)).toBe(1);
  });

  it('reports the ended tokens if it is stopped between batches, and continues at the next comparison', async () => {
    await start();
    const { deps } = await startReconciled();
    for (let at = 0; at < 60; at++) await rig.login('web-app');
    await orphan('scopemesh-payments-main-web-app');
    const stop = new AbortController();
    let batches = 0;
    const stopped = reap(
      deps,
      async () => {
        if (++batches === 2) stop.abort(new Error('stopping'));
        stop.signal.throwIfAborted();
      },
      stop.signal,
    );
    await expect(stopped).rejects.toThrow('stopping');
    expect((await ended(worker as Worker))[0]?.detail).toContain('ended 50 live tokens');
    expect(await reap(deps, nobodyFirst, signal)).toBe(10);
  });

  it('says that the number is unknown if the process died', async () => {
    await start();
    const { deps, store } = await startReconciled();
    await rig.login('web-app');
    await orphan('scopemesh-payments-main-web-app');
    const [draft] = await recordedBy(deps);
    expect(draft?.reason).toBe('DriftCorrected');
    expect((await store.journal.read('reaper/payments')).pending).toHaveLength(1);
    expect(await reap(deps, nobodyFirst, signal)).toBe(1);
    const reported = await ended(worker as Worker);
    expect(reported.map(({ outcome }) => outcome)).toEqual(['unknown', 'applied']);
  });

  it('waits for other jobs, but not forever', async () => {
    await start();
    const { deps } = await startReconciled();
    const { accessorId } = loggedIn(await rig.login('web-app'));
    await orphan('scopemesh-payments-main-web-app');
    let looks = 0;
    const state = async () => {
      looks++;
      return { waiting: 1, delayed: 0, active: 0, parked: [] };
    };
    const swept = createNotifier();
    const stop = new AbortController();
    const running = runReaper(deps, state, swept, stop.signal);
    swept.notify();
    await until('it has looked three times', () => looks > 2);
    expect(await tokenIds()).toContain(accessorId);
    rig.clock.advance(5_000);
    await until('the orphan is gone', async () => !(await tokenIds()).includes(accessorId));
    stop.abort();
    await running;
  });

  it('runs after each complete comparison of the daemon', async () => {
    await start();
    rig.writeFile();
    const daemon = await rig.start();
    await daemon.idle();
    const token = loggedIn(await rig.login('web-app'));
    await daemon.stop();
    await orphan('scopemesh-payments-main-web-app');
    await rig.start();
    await until('the orphan is gone', async () => !(await tokenIds()).includes(token.accessorId));
    await rig.decided({ subject: 'acl-token/payments/orphans', outcome: 'applied' });
  });
});

/** The draft of a run that dies amid its first batch. */
async function recordedBy(deps: Worker['deps']) {
  const died = reap(
    {
      ...deps,
      consul: withAcl(deps.consul, () => ({ deleteTokens: () => Promise.reject(new Error('died')) })),
      journal: {
        ...deps.journal,
        read: (key) => deps.journal.read(key),
        record: (key, drafts) => deps.journal.record(key, drafts),
        settle: () => Promise.reject(new Error('died')),
      },
    },
    nobodyFirst,
    signal,
  );
  await expect(died).rejects.toThrow('died');
  return (await deps.journal.read('reaper/payments')).pending;
}
