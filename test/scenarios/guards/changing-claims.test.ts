import { afterEach, expect, it } from 'vitest';
import { clientOf, createRig, type Daemon, type Rig } from '../../support/daemon.js';
import { until } from '../../support/until.js';

let rig: Rig;
let daemon: Daemon;
afterEach(() => rig.close());

const CHANGES = 30;
const SUPPRESSED = 'scopemesh_decisions_suppressed_total{kind="claim"}';

const held = async () =>
  (await daemon.status()).holds
    .filter(({ reason }) => reason === 'ClaimUnconfirmed')
    .map(({ subject }) => subject);

it('A service that changes its bogus claim again and again makes a bounded number of decisions', async () => {
  rig = await createRig({
    clients: [clientOf('web', 'orders:read')],
    prepare: ({ mesh }) => mesh.register('mallory', { client: 'ghost-0' }),
  });
  daemon = await rig.start();
  await until('the first hold', async () => (await held()).length === 1);
  for (let at = 1; at < CHANGES; at++) {
    await rig.mesh.register('mallory', { client: `ghost-${at}` });
    await until('the change to be seen', async () => {
      const isCounted = ((await daemon.metric(SUPPRESSED)) ?? 0) === Math.max(0, at - 9);
      return isCounted && (at > 9 || (await held()).join().endsWith(`ghost-${at}/mallory`));
    });
  }
  await daemon.idle();
  const decisions = async () => (await rig.decisions()).filter(({ subject }) => subject.startsWith('claim/'));
  expect((await decisions()).filter(({ outcome }) => outcome === 'held')).toHaveLength(10);
  expect(await decisions()).toHaveLength(20);
  expect(await held()).toEqual([]);
  // What still exists is recorded by the next complete comparison that may.
  rig.clock.advance(3_600_000);
  await until('the last hold', async () => {
    // A comparison that ran during the jump waits for its interval from then on, so the clock must go on.
    rig.clock.advance(10_000);
    return (await held()).join().endsWith(`ghost-${CHANGES - 1}/mallory`);
  });
  await daemon.idle();
  expect((await decisions()).at(-1)?.detail).toContain('20 more holds of this service');
  expect(rig.logs.filter((line) => line.includes('change their claims too often'))).toHaveLength(1);
});
