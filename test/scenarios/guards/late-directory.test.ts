import { afterEach, describe, expect, it } from 'vitest';
import type { DaemonOptions, Rig } from '../../support/daemon.js';
import { EDGE, isClosed, isOpen, ordersRig, READ } from '../../support/orders-rig.js';

let rig: Rig;
afterEach(() => rig.close());

/** Starts again, with a directory that answers only after the first comparison with Consul. */
async function restartedBeforeDirectory(
  change: () => Promise<void> | void,
  options: DaemonOptions = {},
  isKept = true,
): Promise<void> {
  rig = await ordersRig(options);
  const first = await rig.start();
  await isOpen(rig, READ);
  await first.idle();
  await first.stop();
  await change();
  const before = (await rig.decisions()).length;
  rig.idp.fault = () => ({ status: 503, json: {} });
  await rig.start();
  await rig.decided({ reason: 'SweepCompleted' }, before);
  if (isKept) await isOpen(rig, READ);
  rig.idp.fault = undefined;
  // Long enough for the read to be tried again; the next regular comparison is an hour away.
  rig.clock.advance(60_000);
}

describe('an intention whose directory is read after the first comparison with Consul', () => {
  it.each([
    ['the client is gone', () => void rig.idp.clients.delete('web-app'), 'ClientDeleted'],
    ['the client is disabled', () => rig.idp.change('web-app', { enabled: false }), 'ClientDisabled'],
    ['the client lost its scopes', () => rig.idp.put('web-app'), 'ScopeRevoked'],
    [
      'the client and its service are gone',
      async () => {
        rig.idp.clients.delete('web-app');
        await rig.mesh.deregister('web');
      },
      'ClientDeleted',
    ],
    [
      'the service claims another client',
      () => rig.mesh.register('web', { client: 'other-app' }),
      'ClaimRemoved',
    ],
  ])('closes where %s', async (_, change, reason) => {
    // Which client the service has left is known without the directory.
    await restartedBeforeDirectory(change, {}, reason !== 'ClaimRemoved');
    await isClosed(rig);
    expect(await rig.decided({ subject: EDGE, action: 'revoke' })).toMatchObject({
      reason,
      outcome: 'applied',
    });
  });
});
