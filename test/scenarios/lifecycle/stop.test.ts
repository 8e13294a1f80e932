import { afterEach, describe, expect, it } from 'vitest';
import type { Daemon, Rig } from '../../support/daemon.js';
import { EDGE, isOpen, ordersRig, READ } from '../../support/orders-rig.js';
import { until } from '../../support/until.js';

let rig: Rig;
let daemon: Daemon;
afterEach(() => rig.close());

describe('a daemon that gets a signal to stop', () => {
  it('finishes the running job, settles its decision and publishes it', async () => {
    rig = await ordersRig();
    let release: () => void = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    let isWriting = false;
    rig.proxy.interfere = async ({ method, target }) => {
      if (method !== 'PUT' || !target.startsWith('/v1/config')) return undefined;
      isWriting = true;
      await gate;
      return undefined;
    };
    daemon = await rig.start();
    await until('a write', () => isWriting);
    let isEnded = false;
    const stopped = daemon.stop().then(() => {
      isEnded = true;
    });
    await until('the stop to begin', () => rig.logs.some((line) => line.includes('"stopping:')));
    await expect(fetch(`${daemon.address}/healthz`)).rejects.toThrow();
    expect(isEnded).toBe(false);
    release();
    await stopped;
    expect((await rig.mesh.access('orders'))?.web).toBe(READ);
    const reported = (await rig.decisions()).filter(({ subject }) => subject === EDGE);
    expect(reported.map(({ outcome }) => outcome)).toEqual(['applied']);
  });

  it('stops although Consul and the directory do not answer, and continues at the next start', async () => {
    rig = await ordersRig();
    daemon = await rig.start();
    await isOpen(rig, READ);
    await daemon.idle();
    rig.idp.fault = () => ({ status: 503 });
    await daemon.tell('client.updated', 'web-app');
    rig.proxy.interfere = () => 'drop';
    await daemon.stop();
    rig.proxy.interfere = () => undefined;
    rig.idp.fault = undefined;
    rig.idp.put('web-app');
    daemon = await rig.start();
    await rig.decided({ subject: EDGE, action: 'revoke', outcome: 'applied' });
  });

  it.each(['client.updated', 'client.deleted'])(
    'stops at once while the read after %s waits for a silent directory',
    async (type) => {
      rig = await ordersRig();
      daemon = await rig.start();
      await isOpen(rig, READ);
      await daemon.idle();
      let askedAt: number | undefined;
      rig.idp.fault = () => {
        askedAt ??= performance.now();
        return { silent: true };
      };
      await daemon.tell(type, 'web-app');
      const began = await until('the directory to be asked', () => askedAt);
      await daemon.stop();
      // The read gives up by itself 10 s after it asked.
      expect(performance.now() - began).toBeLessThan(9_900);
      expect(rig.logs.filter((line) => line.includes('job failed'))).toEqual([]);
      rig.idp.fault = undefined;
      rig.idp.put('web-app');
      daemon = await rig.start();
      await rig.decided({ subject: EDGE, action: 'revoke', outcome: 'applied' });
    },
  );

  it('releases its state directory, which no other daemon may use before', async () => {
    rig = await ordersRig();
    daemon = await rig.start();
    await expect(rig.start()).rejects.toMatchObject({ code: 'ERR_STATE_LOCKED' });
    const { port } = new URL(daemon.address);
    await daemon.stop();
    rig.writeFile({ http: { listen: `127.0.0.1:${new URL(rig.proxy.address).port}` } });
    await expect(rig.start()).rejects.toThrow('is already in use');
    rig.writeFile({ http: { listen: `127.0.0.1:${port}` } });
    daemon = await rig.start();
    await isOpen(rig, READ);
  });
});
