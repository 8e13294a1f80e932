import { describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../src/clock.js';
import { emptyChain, extendChain, formatHead } from '../../src/decisions/chain.js';
import { relay } from '../../src/decisions/relay.js';
import { createNotifier } from '../../src/notifier.js';
import { type Logger, type Metrics, noMetrics, silentLogger } from '../../src/observe.js';
import { aborted } from '../support/aborted.js';
import { faultsOf } from '../support/decisions.js';
import {
  deps,
  emptied,
  hastyClock,
  holding,
  log,
  settle,
  stop,
  until,
  useRelayRig,
} from '../support/relay-rig.js';

useRelayRig();

describe('the relay', () => {
  it('moves settled decisions to the log in order, and forgets them', async () => {
    const settled = await settle(1_203);
    const running = relay(deps(), stop.signal);
    await until(emptied);
    stop.abort();
    await running;
    expect(log.held.map((each) => each.id)).toEqual(settled.map((each) => each.id));
  });

  it('is woken by a settlement, without waiting for its poll', async () => {
    const settled = createNotifier();
    const clock: Clock = { ...systemClock, sleep: () => aborted(stop.signal) };
    const running = relay(deps({ settled, clock }), stop.signal);
    await until(() => log.asked.length > 0);
    await settle(1);
    // A settlement during the look is not missed either, so ringing once is enough.
    settled.notify();
    await holding(1);
    stop.abort();
    await running;
  });

  it('finds settlements without a signal by its poll', async () => {
    const running = relay(deps(), stop.signal);
    await until(() => log.asked.length > 0);
    await settle(2);
    await holding(2);
    stop.abort();
    await running;
  });

  it('does not repeat a batch whose append failed although the log has it', async () => {
    const settled = await settle(3);
    let fails = 1;
    log.onAppend = (_, keep) => {
      keep();
      if (fails-- > 0) throw new Error('the answer was lost');
    };
    const running = relay(deps(), stop.signal);
    await until(emptied);
    stop.abort();
    await running;
    expect(log.held.map((each) => each.id)).toEqual(settled.map((each) => each.id));
    expect(log.asked.at(-1)).toEqual(settled.map((each) => each.id));
  });

  it('repeats a batch that the log does not have before any later one', async () => {
    const settled = await settle(3);
    let fails = 2;
    log.onAppend = async (_, keep) => {
      if (fails-- > 0) {
        if (fails === 1) await settle(3);
        throw new Error('refused');
      }
      keep();
    };
    const running = relay(deps(), stop.signal);
    await until(emptied);
    stop.abort();
    await running;
    expect(log.held.slice(0, 3).map((each) => each.id)).toEqual(settled.map((each) => each.id));
    expect(faultsOf(log.held)).toEqual([]);
    expect(log.held).toHaveLength(6);
  });

  it('sends nothing while it cannot learn what the log has', async () => {
    await settle(3);
    let answers = false;
    let asked = 0;
    log.onContains = () => {
      asked++;
      if (!answers) throw new Error('away');
    };
    const appended: number[] = [];
    log.onAppend = (batch, keep) => {
      appended.push(batch.length);
      keep();
    };
    const running = relay(deps(), stop.signal);
    await until(() => asked >= 2);
    expect(appended).toEqual([]);
    answers = true;
    await until(emptied);
    stop.abort();
    await running;
    expect(appended).toEqual([3]);
  });

  it('creates the topic first, and again when it is gone after a failure', async () => {
    const settled = await settle(2);
    let hasTopic = false;
    const checked: boolean[] = [];
    log.onCheck = () => {
      checked.push(hasTopic);
      hasTopic = true;
    };
    log.onContains = () => {
      if (!hasTopic) throw new Error('no such topic');
    };
    log.onAppend = (_, keep) => {
      if (!hasTopic) throw new Error('no such topic');
      keep();
      hasTopic = log.held.length > 2;
    };
    const running = relay(deps(), stop.signal);
    await until(emptied);
    settled.push(...(await settle(2)));
    await until(emptied);
    stop.abort();
    await running;
    expect(log.held.map((each) => each.id)).toEqual(settled.map((each) => each.id));
    expect(checked).toEqual([false, false]);
  });

  it('keeps all decisions and names the missing permission until it is granted', async () => {
    const settled = await settle(3);
    let reason: string | undefined = 'the brokers are away';
    let checks = 0;
    log.onCheck = () => {
      checks++;
      if (reason !== undefined) throw new Error(reason);
    };
    const said: unknown[] = [];
    const logger: Logger = { ...silentLogger, error: (fields) => said.push(fields) };
    const running = relay(deps({ logger, clock: hastyClock }), stop.signal);
    await until(() => checks >= 2);
    reason = 'grant Create';
    const before = checks;
    await until(() => checks >= before + 2);
    expect(log.held).toEqual([]);
    reason = undefined;
    await until(emptied);
    stop.abort();
    await running;
    expect(log.held.map((each) => each.id)).toEqual(settled.map((each) => each.id));
    expect(said).toEqual([{ error: 'the brokers are away' }, { error: 'grant Create' }]);
  });

  it('fences earlier writers before it reads what they noted', async () => {
    const settled = await settle(2);
    const ids = settled.map((each) => each.id);
    const before = emptyChain('of-another-relay');
    const after = extendChain(before, settled).head;
    // Another relay notes and appends just before it is shut out, and gets no further.
    log.onContains = () => {
      log.onContains = () => {};
      log.held.push(...settled);
      noted = JSON.stringify({ position: '0', ids, before: formatHead(before), after: formatHead(after) });
    };
    let noted: string | undefined;
    const keyValues = {
      get: async () => noted,
      set: async () => {},
      replace: async () => true,
      has: async () => false,
      remember: async () => {},
    };
    const running = relay(deps({ keyValues }), stop.signal);
    await until(emptied);
    stop.abort();
    await running;
    expect(log.held).toHaveLength(2);
  });

  it('does not read back decisions that it knows to be published', async () => {
    await settle(2);
    const first = relay(deps(), stop.signal);
    await until(emptied);
    stop.abort();
    await first;
    log.asked.length = 0;
    await relay(deps(), AbortSignal.abort());
    expect(log.asked).toEqual([[]]);
  });

  it('counts every failure and logs an outage once, and its end once', async () => {
    await settle(1);
    let fails = 3;
    log.onAppend = (_, keep) => {
      if (fails-- > 0) throw new Error('away');
      keep();
    };
    const said: unknown[] = [];
    const logger: Logger = {
      ...silentLogger,
      error: (_, message) => said.push(message),
      info: (fields, message) => said.push([fields, message]),
    };
    const counted: string[] = [];
    const gauges: number[] = [];
    const metrics: Metrics = {
      ...noMetrics,
      count: (name) => counted.push(name),
      gauge: (name, value) => name === 'scopemesh_outbox_decisions' && gauges.push(value),
    };
    const running = relay(deps({ logger, metrics, clock: hastyClock }), stop.signal);
    await until(emptied);
    stop.abort();
    await running;
    expect(said).toEqual([
      'decisions cannot be published; they are kept',
      [{ failures: 3 }, 'decisions are published again'],
    ]);
    expect(counted).toEqual(Array(3).fill('scopemesh_relay_failures_total'));
    expect(gauges[0]).toBe(1);
    expect(gauges.at(-1)).toBe(0);
  });

  it('reports the growth of the outbox while the log is unreachable', async () => {
    await settle(2);
    log.onContains = () => {
      throw new Error('away');
    };
    const gauges: number[] = [];
    const metrics: Metrics = { ...noMetrics, gauge: (_, value) => gauges.push(value) };
    const running = relay(deps({ metrics, clock: hastyClock }), stop.signal);
    await until(() => gauges.includes(2));
    await settle(3);
    await until(() => gauges.includes(5));
    log.onContains = () => {};
    stop.abort();
    await running;
    expect(gauges[0]).toBe(2);
  });

  it('waits longer and longer while the log is unreachable, up to ten seconds', async () => {
    log.onCheck = () => {
      throw new Error('away');
    };
    const waits: number[] = [];
    const clock: Clock = {
      ...systemClock,
      async sleep(ms) {
        if (waits.push(ms) === 10) stop.abort();
      },
    };
    await relay(deps({ clock }), stop.signal);
    const longest = [200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000, 10_000, 10_000];
    for (const [at, ms] of longest.entries()) {
      expect(waits[at]).toBeGreaterThanOrEqual(ms / 2);
      expect(waits[at]).toBeLessThanOrEqual(ms);
    }
  });

  it('tries again at a stop if the log fails for a moment', async () => {
    await settle(1);
    let fails = 1;
    log.onAppend = (_, keep) => {
      if (fails-- > 0) throw new Error('away');
      keep();
    };
    const waits: number[] = [];
    const sleep: Clock['sleep'] = async (ms, signal) =>
      waits.push(ms) === 1 ? systemClock.sleep(ms, signal) : undefined;
    stop.abort();
    await relay(deps({ clock: { ...systemClock, sleep } }), stop.signal);
    expect(waits).toEqual([5_000, 200]);
    expect(log.checkpoints.at(-1)?.tree.size).toBe(1);
  });

  it('empties the outbox before it stops', async () => {
    const running = relay(deps(), stop.signal);
    await until(() => log.asked.length > 0);
    await settle(700);
    stop.abort();
    await running;
    expect(log.held).toHaveLength(700);
    expect(log.checkpoints.at(-1)?.tree.size).toBe(700);
  });

  it.each([false, true])(
    'sends nothing more once another replica publishes, and signs no end at a stop (stopped before: %s)',
    async (isStopped) => {
      await settle(900);
      const lost = new AbortController();
      log.onAppend = (_, keep) => {
        keep();
        lost.abort();
      };
      if (isStopped) stop.abort();
      await relay(deps({ lost: lost.signal }), stop.signal);
      expect(log.held).toHaveLength(400);
      const signed = log.checkpoints.map(({ tree }) => tree.size);
      expect(signed).toEqual(isStopped ? [0] : [0, 400]);
    },
  );

  it.each([
    ['a publication after the stop', false],
    ['one that began before', true],
  ])('stops after five seconds even if %s waits for the log', async (_, isBefore) => {
    await settle(1);
    const waits: number[] = [];
    const clock: Clock = { now: systemClock.now, sleep: async (ms) => void waits.push(ms) };
    const asked = createNotifier();
    const isAsked = asked.wait(stop.signal);
    log.onAppend = () => {
      asked.notify();
      return new Promise(() => {});
    };
    if (!isBefore) stop.abort();
    const running = relay(deps({ clock }), stop.signal);
    await isAsked;
    stop.abort();
    await running;
    expect(waits).toEqual([5_000]);
    expect(await emptied()).toBe(false);
  });

  it('leaves all decisions in the journal while it is paused, and then publishes them', async () => {
    let isPaused = true;
    const settled = await settle(3);
    const lengths: number[] = [];
    const gauge: Metrics['gauge'] = (_, length) => lengths.push(length);
    const running = relay(
      deps({ isPaused: () => isPaused, metrics: { ...noMetrics, gauge }, clock: hastyClock }),
      stop.signal,
    );
    await until(() => lengths.length >= 3);
    expect(lengths.every((each) => each === 3)).toBe(true);
    expect(log.held).toEqual([]);
    isPaused = false;
    await holding(3);
    expect(log.held.map(({ id }) => id)).toEqual(settled.map(({ id }) => id));
    stop.abort();
    await running;
  });
});
