import { afterEach, describe, expect, it } from 'vitest';
import type { Daemon, Rig } from '../../support/daemon.js';
import { isOpen, ordersRig, READ } from '../../support/orders-rig.js';
import { until } from '../../support/until.js';

let rig: Rig;
let daemon: Daemon;
afterEach(() => rig.close());

const ready = async () => {
  const answer = await fetch(`${daemon.address}/readyz`);
  const { reason } = (await answer.json()) as { readonly reason?: string };
  return { status: answer.status, reason };
};
const becomes = (status: number) =>
  until(`/readyz answers ${status}`, async () => {
    const now = await ready();
    return now.status === status ? now : undefined;
  });
/** Half a minute after a failure that the log has. */
const afterFailures = async (line: string) => {
  await until(line, () => rig.logs.some((each) => each.includes(line)));
  expect((await ready()).status).toBe(200);
  rig.clock.advance(31_000);
};
const unread = (side: string) => daemon.metric(`scopemesh_unread_seconds{side="${side}"}`);

describe('a leader that cannot read one side', () => {
  it('is not ready from its start while the lists of Consul fail, and says why, and is ready again afterwards', async () => {
    rig = await ordersRig();
    rig.proxy.interfere = ({ method, target }) =>
      method === 'GET' && target.startsWith('/v1/config/service-intentions?') ? { status: 500 } : undefined;
    daemon = await rig.start();
    await afterFailures('waiting for a complete read of Consul');
    expect(await becomes(503)).toMatchObject({
      reason: expect.stringMatching(
        /^this replica leads and cannot read consul for \d+ s; \/statusz says why$/,
      ),
    });
    expect((await daemon.status()).unread).toMatchObject([
      { side: 'consul', why: expect.stringContaining('intentions.list') },
    ]);
    await until('the metric', async () => ((await unread('consul')) ?? 0) > 30);
    rig.proxy.interfere = () => undefined;
    await becomes(200);
    await isOpen(rig, READ);
  });

  it('is not ready while its only provider fails', async () => {
    rig = await ordersRig();
    rig.idp.fault = () => ({ status: 500 });
    daemon = await rig.start();
    await afterFailures('its jobs wait for it');
    expect((await becomes(503)).reason).toContain('provider/main');
    rig.idp.fault = undefined;
    await becomes(200);
    expect(await unread('provider/main')).toBe(0);
  });
});
