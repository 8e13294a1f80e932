import { afterEach, describe, it } from 'vitest';
import { clientOf, type Rig } from '../../support/daemon.js';
import { isClosed, isOpen, ordersRig, READ } from '../../support/orders-rig.js';
import { until } from '../../support/until.js';

// More than may be read at once, urgent ones included.
const SERVICES = Array.from({ length: 100 }, (_, number) => `service-${number}`);

let rig: Rig;
afterEach(async () => {
  // Ends what hangs, or the daemon would wait for it.
  await rig.idp.close();
  await rig.close();
});

describe('while an identity provider is away and an event about every client waits for it', () => {
  it.each([
    ['answers 503', { status: 503 }],
    ['answers nothing at all', { silent: true }],
  ])('an order closes its edge at once though the provider %s', async (_, answer) => {
    rig = await ordersRig();
    const before = await rig.start();
    await isOpen(rig, READ);
    await before.stop();
    await Promise.all(
      SERVICES.map((name) => {
        rig.idp.clients.set(`${name}-app`, clientOf(name));
        return rig.mesh.register(name, { client: `${name}-app` });
      }),
    );

    let asked = 0;
    rig.idp.fault = () => {
      asked++;
      return answer;
    };
    const daemon = await rig.start();
    await Promise.all(SERVICES.map((name) => daemon.tell('client.updated', `${name}-app`)));
    await until('every client to be waiting', async () => {
      const { waiting, delayed, active } = (await daemon.status()).queue;
      return asked > 2 && waiting + delayed + active >= SERVICES.length;
    });
    await daemon.tell('client.secret-compromised', 'web-app');
    await isClosed(rig);
    await rig.decided({ reason: 'ClientQuarantined', outcome: 'applied' });
  });
});
