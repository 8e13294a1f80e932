import { afterEach, expect, it } from 'vitest';
import { toCloudEvent } from '../../../src/decisions/envelope.js';
import type { Daemon, Rig } from '../../support/daemon.js';
import { EDGE, isOpen, ordersRig, READ } from '../../support/orders-rig.js';

const TRACE = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

let rig: Rig;
afterEach(() => rig.close());

async function tell(daemon: Daemon, traceparent: string): Promise<number> {
  const { headers, body } = rig.idp.sign({ type: 'client.updated', data: { clientId: 'web-app' } });
  const { status } = await fetch(`${daemon.address}/events/main`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json', traceparent },
    body,
  });
  return status;
}

it('the trace of a webhook request is in the decision that follows, and an invalid one is ignored', async () => {
  rig = await ordersRig();
  const daemon = await rig.start();
  await isOpen(rig, READ);
  await daemon.idle();
  rig.idp.put('web-app');
  expect(await tell(daemon, TRACE)).toBe(202);
  const revoked = await rig.decided({ subject: EDGE, action: 'revoke' });
  expect(toCloudEvent(revoked)).toMatchObject({ traceparent: TRACE, data: { cause: { kind: 'webhook' } } });
  rig.idp.put('web-app', 'orders:read');
  expect(await tell(daemon, TRACE.replace('00-', 'ff-'))).toBe(202);
  await isOpen(rig, READ);
  const granted = await rig.decided({ subject: EDGE, action: 'grant', revision: revoked.revision + 1 });
  expect(toCloudEvent(granted)).not.toHaveProperty('traceparent');
});
