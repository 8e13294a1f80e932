import { describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../../src/clock.js';
import { emptyChain, extendChain, formatHead } from '../../../src/decisions/chain.js';
import { relay } from '../../../src/decisions/relay.js';
import { decisions } from '../../support/decisions.js';
import {
  deps,
  emptied,
  hastyClock,
  log,
  settle,
  stop,
  store,
  until,
  useRelayRig,
} from '../../support/relay-rig.js';

useRelayRig();

/** How many decisions each batch has that the log takes. */
function appendedSizes(): readonly number[] {
  const sizes: number[] = [];
  log.onAppend = (appended, keep) => {
    sizes.push(appended.length);
    keep();
  };
  return sizes;
}

describe('a batch of the relay', () => {
  it('gathers what is settled after a small batch, and sends the first at once', async () => {
    let go = () => {};
    const slept: number[] = [];
    const clock: Clock = {
      ...systemClock,
      sleep: async (ms, signal) => {
        slept.push(ms);
        if (slept.length > 1) return systemClock.sleep(ms, signal);
        return new Promise((resolve) => {
          go = resolve;
        });
      },
    };
    const batches = appendedSizes();
    await settle(1);
    const running = relay(deps({ clock }), stop.signal);
    await until(() => slept.length > 0);
    expect([batches, slept]).toEqual([[1], [50]]);
    await settle(1);
    await settle(2);
    go();
    await until(() => batches.length > 1);
    expect(batches).toEqual([1, 3]);
    stop.abort();
    await running;
  });

  it('gathers longer while many decisions are made, and no time after a full batch', async () => {
    const slept: number[] = [];
    const clock: Clock = {
      ...systemClock,
      sleep: (ms, signal) => {
        slept.push(ms);
        return systemClock.sleep(Math.min(ms, 1), signal);
      },
    };
    const batches = appendedSizes();
    await settle(450);
    const running = relay(deps({ clock }), stop.signal);
    await until(emptied);
    await until(() => slept.length > 1);
    expect([batches, slept.slice(0, 2)]).toEqual([
      [400, 50],
      [250, 1_000],
    ]);
    stop.abort();
    await running;
    expect(log.held.map(({ chain }) => chain?.sequence)).toEqual(log.held.map((_, index) => index + 1));
  });

  it('sends large decisions in smaller batches, so that a slow log can take each of them in time', async () => {
    const large = decisions(350).map((each) => ({ ...each, detail: 'x'.repeat(15_000) }));
    await store.journal.settle('destination/default/default/orders', large);
    const batches = appendedSizes();
    const running = relay(deps({ clock: hastyClock }), stop.signal);
    await until(emptied);
    stop.abort();
    await running;
    expect(batches).toEqual([100, 100, 100, 50]);
    expect(log.held.map(({ chain }) => chain?.sequence)).toEqual(large.map((_, index) => index + 1));
  });

  it('sends all of a stored batch that is larger than its own ones, as an older version left it', async () => {
    const settled = await settle(500);
    const before = emptyChain('of-the-older-version');
    const { head } = extendChain(before, await store.journal.outbox(500));
    const batch = { position: '0', ids: settled.map(({ id }) => id) };
    const heads = { before: formatHead(before), after: formatHead(head) };
    await store.keyValues.set('relay/inflight', JSON.stringify({ ...batch, ...heads }));
    const running = relay(deps(), stop.signal);
    await until(emptied);
    stop.abort();
    await running;
    expect(log.held.map(({ chain }) => [chain?.log, chain?.sequence])).toEqual(
      settled.map((_, index) => [before.log, index + 1]),
    );
  });
});
