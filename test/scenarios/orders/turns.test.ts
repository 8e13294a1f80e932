import { afterEach, expect, it } from 'vitest';
import { clientOf, type Rig } from '../../support/daemon.js';
import { isClosed, isOpen, ordersRig, READ } from '../../support/orders-rig.js';
import { until } from '../../support/until.js';

/** More than there are places. */
const EDGES = 400;
const NAMES = Array.from({ length: EDGES }, (_, at) => `d-${at}`);

let rig: Rig | undefined;
afterEach(() => rig?.close());

it('the revocation of one edge is not behind the four hundred of another client', async () => {
  const busy = clientOf('busy', ...NAMES.map((name) => `${name}:connect`));
  rig = await ordersRig({
    clients: [clientOf('web', 'orders:read'), busy],
    prepare: ({ mesh }) => mesh.register('busy', { client: 'busy-app' }),
  });
  const { idp, proxy, mesh } = rig;
  const daemon = await rig.start();
  await isOpen(rig, READ);
  await daemon.idle();

  /** Writes to Consul that wait for the test. */
  const held: (() => void)[] = [];
  let isHolding = true;
  proxy.interfere = async ({ method, target }) => {
    if (isHolding && method !== 'GET' && /^\/v1\/(config|txn)\b/.test(target))
      await new Promise<void>((release) => held.push(release));
    return undefined;
  };
  const queue = async () => (await daemon.status()).queue;
  const waiting = async () => (await queue()).waiting;
  idp.change('busy-app', { scopes: [] });
  await daemon.tell('client.updated', 'busy-app');
  const before = await until('all of them wait', async () => {
    const { waiting: count, active } = await queue();
    return count > 100 && count + active >= EDGES && held.length > 0 ? count : undefined;
  });
  idp.change('web-app', { scopes: [] });
  await daemon.tell('client.updated', 'web-app');
  await until('one more waits', async () => ((await waiting()) > before ? true : undefined));

  const writes = proxy.writes.length;
  for (let released = 0; (await mesh.access('orders')) !== undefined; ) {
    for (const release of held.splice(0, 10)) {
      release();
      released++;
    }
    expect(released).toBeLessThanOrEqual(EDGES);
    await until('they are written', () => (proxy.writes.length >= writes + released ? true : undefined));
  }
  expect(held.length).toBeGreaterThan(0);
  // Its write comes right after the writes that had a place before it.
  const inFlight = EDGES - before;
  expect(await waiting()).toBeGreaterThan(before - inFlight - 40);
  isHolding = false;
  for (const release of held) release();
  await isClosed(rig);
  await daemon.idle();
  expect(await mesh.access('d-0')).toBeUndefined();
});
