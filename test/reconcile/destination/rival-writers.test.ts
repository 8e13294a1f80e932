import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { clientKey } from '../../../src/model/key.js';
import type { Rig } from '../../support/daemon.js';
import { EDGE, isClosed, isOpen, ordersRig, READ } from '../../support/orders-rig.js';
import { startWorker, type Worker, withIntentions } from '../../support/reconcile-rig.js';
import { until } from '../../support/until.js';

const RIVAL = { Name: 'rival', Action: 'allow' };

let rig: Rig;
let worker: Worker;
/** What the other writer does before the request of this number; requests count from 1 once the edge is open. */
let interfere: (request: number) => Promise<void>;
let requests: number;
beforeEach(async () => {
  rig = await ordersRig();
  await rig.mesh.write('orders', [RIVAL]);
  interfere = async () => {};
  worker = await startWorker(rig, (consul) =>
    withIntentions(consul, ({ write, delete: remove }) => ({
      write: async (...args) => {
        await interfere(++requests);
        return write(...args);
      },
      delete: async (...args) => {
        await interfere(++requests);
        return remove(...args);
      },
    })),
  );
  await isOpen(rig, READ);
  await worker.idle();
  requests = 0;
});
afterEach(async () => {
  await worker.stop();
  await rig.close();
});

const sources = async () => (await rig.mesh.entry('orders'))?.Sources ?? [];
const ours = async () => (await sources()).filter(({ Name }) => Name === 'web');
/** Changes the source of the other writer, and leaves everything else of the entry. */
const changeRival = async (round: number) =>
  rig.mesh.write('orders', [
    ...(await sources()).filter(({ Name }) => Name !== 'rival'),
    { ...RIVAL, Description: `round ${round}` },
  ]);
const revoke = async () => {
  rig.idp.put('web-app');
  await worker.add(clientKey('main', 'web-app'), 'webhook', { urgent: true });
};
const decided = async () =>
  (await worker.settled())
    .filter(({ subject }) => subject === EDGE)
    .map(({ action, outcome, reason }) => `${action} ${outcome} ${reason}`);

describe('a revocation beside another writer of the destination', () => {
  it('is one decision however often the other one is first, and changes nothing of the other', async () => {
    interfere = async (request) => {
      if (request <= 8) await changeRival(request);
    };
    await revoke();
    await isClosed(rig);
    await worker.idle();
    expect(requests).toBe(9);
    expect(await decided()).toEqual(['grant applied ScopeGranted', 'revoke applied ScopeRevoked']);
    expect(await sources()).toMatchObject([{ Name: 'rival', Description: 'round 8' }]);
  });

  it('comes back behind others while the other one is always first, and is made once it stops', async () => {
    let isOver = false;
    interfere = async (request) => {
      if (!isOver) await changeRival(request);
    };
    await revoke();
    await until('more requests than one run sends', () => requests > 100);
    expect(await decided()).toEqual(['grant applied ScopeGranted']);
    isOver = true;
    await isClosed(rig);
    await worker.idle();
    expect(await decided()).toEqual(['grant applied ScopeGranted', 'revoke applied ScopeRevoked']);
  });

  it('becomes a deny where the other one lets every source in meanwhile', async () => {
    interfere = async (request) => {
      if (request === 1)
        await rig.mesh.write('orders', [...(await sources()), { Name: '*', Action: 'allow' }]);
    };
    await revoke();
    await until('the revocation', async () => (await decided()).length === 2);
    expect(await ours()).toMatchObject([{ Action: 'deny' }]);
    expect((await decided()).at(-1)).toBe('revoke applied WildcardWouldAllow');
  });

  it('becomes a deny where a wildcard entry lets every source in meanwhile', async () => {
    interfere = async (request) => {
      if (request > 1) return;
      await rig.mesh.write('*', [{ Name: '*', Action: 'allow' }]);
      await changeRival(request);
    };
    await revoke();
    await until('the revocation', async () => (await decided()).length === 2);
    expect(await ours()).toMatchObject([{ Action: 'deny' }]);
  });

  it('is no write of scopemesh where the other one removes the edge first', async () => {
    interfere = async (request) => {
      if (request === 1) await rig.mesh.write('orders', [{ ...RIVAL, Description: 'alone' }]);
    };
    await revoke();
    await until('the decision', async () => (await decided()).length === 2);
    expect((await decided()).at(-1)).toBe('revoke observed RemovedElsewhere');
    expect(requests).toBe(1);
  });

  it('is held where the other one takes the mark away first', async () => {
    interfere = async (request) => {
      if (request !== 1) return;
      const unmarked = (await ours()).map((each) => ({ ...each, Description: 'mine' }));
      await rig.mesh.write('orders', [RIVAL, ...unmarked]);
    };
    await revoke();
    await until('the hold', async () => (await decided()).length === 2);
    expect((await decided()).at(-1)).toBe('revoke held MarkLost');
    expect(await ours()).toMatchObject([{ Description: 'mine' }]);
    expect(requests).toBe(1);
  });
});
