import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Decision } from '../../../src/model/decision.js';
import type { Daemon, Rig } from '../../support/daemon.js';
import { isClosed, isOpen, ordersRig, READ } from '../../support/orders-rig.js';
import { until } from '../../support/until.js';

const LIMIT = 300;
const MINUTE_MS = 60_000;

let rig: Rig;
let daemon: Daemon;
let asked: number;
let refused: number;
/** Pages of the directory before the one with the clients. */
let emptyPages: number;

/** An identity provider that allows 300 requests a minute, and says so only when it refuses one. */
function limitRequests(): void {
  let minute = 0;
  let used = 0;
  rig.idp.fault = (path) => {
    const now = rig.clock.now();
    if (Math.floor(now / MINUTE_MS) !== minute) used = 0;
    minute = Math.floor(now / MINUTE_MS);
    used++;
    asked++;
    if (used > LIMIT) {
      refused++;
      const seconds = Math.ceil(((minute + 1) * MINUTE_MS - now) / 1000);
      return { status: 429, headers: { 'retry-after': String(seconds) }, json: {} };
    }
    const page = /^\/directory(?:\?page=(\d+))?$/.exec(path);
    const at = Number(page?.[1] ?? 0);
    if (page === null || at >= emptyPages) return undefined;
    return { json: { clients: [], single: true, next: `/directory?page=${at + 1}` } };
  };
}

beforeEach(async () => {
  asked = 0;
  refused = 0;
  emptyPages = 0;
  rig = await ordersRig();
  limitRequests();
});
afterEach(() => rig.close());

/** Puts the clock forward to the first second of the next minute. */
function nextMinute(): void {
  const now = rig.clock.now();
  rig.clock.advance((Math.floor(now / MINUTE_MS) + 1) * MINUTE_MS - now + 1_000);
}

/** Waits while complete reads go on. A minute passes only while such a read waits for it. */
async function untilRead(what: string, isDone: () => Promise<boolean>): Promise<void> {
  let seen = 0;
  await until(what, async () => {
    if (await isDone()) return true;
    if (asked === seen) nextMinute();
    seen = asked;
    return false;
  });
}

async function revoke(): Promise<void> {
  rig.idp.put('web-app');
  await daemon.tell('client.updated', 'web-app');
  await isClosed(rig);
}

it('four hundred claims on clients that do not exist cost no request, and a revocation is carried out at once', async () => {
  nextMinute();
  daemon = await rig.start();
  await isOpen(rig, READ);
  await daemon.idle();
  const before = asked;
  const bogus = Array.from({ length: 400 }, (_, at) => at);
  await Promise.all(bogus.map((at) => rig.mesh.register(`bogus-${at}`, { client: `nobody-${at}` })));
  const isHeld = ({ reason }: Decision) => reason === 'ClaimUnconfirmed';
  await until('400 holds', async () => (await rig.decisions()).filter(isHeld).length === bogus.length);
  await daemon.idle();
  expect(asked).toBe(before);

  await revoke();
  expect(refused).toBe(0);
});

it('a complete read of more requests than the limit leaves room for a revocation', async () => {
  nextMinute();
  emptyPages = 400;
  daemon = await rig.start();
  await until('the first refusal', () => refused > 0);
  await untilRead('the first complete read', async () => (await rig.mesh.access('orders'))?.web === READ);
  // Another read may have begun before this one was done, and it waits for its minutes too.
  await untilRead('an idle daemon', async () => {
    const { queue, outboxDecisions } = await daemon.status();
    return queue.waiting + queue.active + queue.delayed + outboxDecisions === 0;
  });

  // The next complete read begins, uses up its share and waits.
  const waits = 'scopemesh_directory_waits_total{provider="main"}';
  const known = (await daemon.metric(waits)) ?? 0;
  const before = refused;
  rig.clock.advance(3_600_000);
  nextMinute();
  await until('a complete read that waits', async () => ((await daemon.metric(waits)) ?? 0) > known);
  await revoke();
  expect(refused).toBe(before);
});
