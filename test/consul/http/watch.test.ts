import { afterEach, describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../../src/clock.js';
import { silentLogger } from '../../../src/observe.js';
import { aborted } from '../../support/aborted.js';
import { connect, type Exchange, startFaultServer } from './fault-server.js';
import { closeAll, closers, instantClock, observe, withIndexes } from './watch-rig.js';

afterEach(closeAll);

const indexOf = (target: string) => new URL(target.slice(4), 'http://consul').searchParams.get('index');

describe('a watch', () => {
  it('asks at once, then waits at the index that it saw', async () => {
    const { seen, ended } = await observe('catalog', withIndexes(['10', '11']));
    await ended;
    expect(seen).toEqual([
      'GET /v1/catalog/services',
      'GET /v1/catalog/services?index=10&wait=30000ms',
      'GET /v1/catalog/services?index=11&wait=30000ms',
    ]);
  });

  it('reports a change and a sign of life for a new index, and nothing for silence', async () => {
    const { events, ended } = await observe('catalog', withIndexes(['10', '10', '10', '12']));
    await ended;
    expect(events).toEqual(['alive', 'changed', 'alive', 'changed']);
  });

  it('starts again when the index goes back, and reports a change', async () => {
    const { seen, events, ended } = await observe('catalog', withIndexes(['900', '20', '20']));
    await ended;
    expect(seen.map(indexOf)).toEqual([null, '900', null, '20']);
    expect(events).toEqual(['alive', 'changed', 'alive', 'changed', 'alive']);
  });

  it('never waits at an index below 1, which would not block', async () => {
    const { seen, ended } = await observe('catalog', withIndexes(['0', '0']));
    await ended;
    expect(seen.map(indexOf)).toEqual([null, '1', '1']);
  });

  it('asks no more than five times a second in the long run, however often Consul answers', async () => {
    const clock = instantClock();
    const indexes = Array.from({ length: 55 }, (_, at) => String(at + 1));
    const { ended } = await observe('catalog', withIndexes(indexes), { clock });
    await ended;
    expect(clock.now()).toBeGreaterThanOrEqual(10_000);
    expect(clock.now()).toBeLessThan(10_500);
  });

  it('rests in proportion to the length of an answer with news, and not after one without', async () => {
    const clock = instantClock();
    const body = JSON.stringify({ long: 'x'.repeat(1_000_000) });
    const indexes = ['10', '11', '11', '12'];
    const { ended } = await observe(
      'catalog',
      (exchange, count, stop) => {
        const index = indexes[count - 1];
        if (index === undefined) stop();
        else exchange.reply(200, body, { 'X-Consul-Index': index });
      },
      { clock },
    );
    await ended;
    expect(clock.slept).toEqual([800, 800, 800]);
  });

  it.each([
    ['only once its listener can use another answer', 'intentions', ['taken']],
    ['at once', 'catalog', []],
  ] as const)('asks again %s, of %s', async (_, table, between) => {
    // The longest rest never ends.
    const clock = { ...instantClock(), sleep: (_: number, signal?: AbortSignal) => aborted(signal) };
    const order: string[] = [];
    const answer: typeof replies = (...args) => {
      order.push('asked');
      replies(...args);
    };
    const replies = withIndexes(['10', '11']);
    const taken = async () => {
      for (let turn = 0; turn < 100; turn++) await new Promise(setImmediate);
      order.push('taken');
    };
    const { ended } = await observe(table, answer, { clock }, taken);
    await ended;
    expect(order).toEqual(['asked', ...between, 'asked', ...between, 'asked']);
  });

  it('asks again after two seconds, whatever its listener does', async () => {
    const clock = instantClock();
    const { ended } = await observe(
      'intentions',
      withIndexes(['10']),
      { clock },
      () => new Promise(() => {}),
    );
    await ended;
    expect(clock.slept).toEqual([2_000]);
  });

  it('rests no longer than two seconds, however long the answer is', async () => {
    const clock = instantClock();
    const body = JSON.stringify({ long: 'x'.repeat(12_000_000) });
    const { ended } = await observe(
      'catalog',
      (exchange, count, stop) => {
        if (count > 1) stop();
        else exchange.reply(200, body, { 'X-Consul-Index': '10' });
      },
      { clock },
    );
    await ended;
    expect(clock.slept).toEqual([2_000]);
  });

  describe('of intentions, after a long list', () => {
    const LIST = '/v1/config/service-intentions';
    const LOOK = `${LIST}/scopemesh-look`;
    const long = JSON.stringify([{ long: 'x'.repeat(1_000_000) }]);
    /** Each step answers one request; its path shows which. */
    const answering =
      (steps: readonly (readonly [status: number, index: string])[]) =>
      (exchange: Exchange, count: number, stop: () => void) => {
        const [status, index] = steps[count - 1] ?? [];
        if (status === undefined) return stop();
        const body = exchange.url.pathname === LIST ? long : 'Config entry not found';
        exchange.reply(status, body, { 'X-Consul-Index': index });
      };
    const pathsOf = (seen: readonly string[]) => seen.map((target) => target.slice('GET '.length));

    it('asks for the index alone while it changes, and for the list once it does not', async () => {
      const clock = instantClock();
      const steps = [
        [200, '10'],
        [404, '11'],
        [404, '12'],
        [404, '12'],
        [200, '12'],
      ] as const;
      const { seen, events, ended } = await observe('intentions', answering(steps), { clock });
      await ended;
      expect(pathsOf(seen)).toEqual([LIST, LOOK, LOOK, LOOK, LIST, `${LIST}?index=12&wait=30000ms`]);
      expect(events).toEqual(['alive', 'changed', 'alive', 'changed', 'alive', 'changed']);
      expect(clock.slept).toEqual([800, 800, 800]);
    });

    it('waits with the list if the index did not change, or may not be asked for', async () => {
      for (const [status, index] of [
        [404, '10'],
        [403, '11'],
      ] as const) {
        const { seen, ended } = await observe(
          'intentions',
          answering([
            [200, '10'],
            [status, index],
            [200, '10'],
          ]),
          { clock: instantClock() },
        );
        await ended;
        const waits = `${LIST}?index=10&wait=30000ms`;
        expect(pathsOf(seen)).toEqual([LIST, LOOK, waits, waits]);
      }
    });

    it('asks for the list at once if the index went back, and after a fault', async () => {
      const back = await observe(
        'intentions',
        answering([
          [200, '10'],
          [404, '9'],
          [200, '9'],
        ]),
        { clock: instantClock() },
      );
      await back.ended;
      expect(pathsOf(back.seen)).toEqual([LIST, LOOK, LIST, LIST]);
      const faulty = await observe(
        'intentions',
        answering([
          [200, '10'],
          [404, '10'],
          [500, '10'],
          [200, '12'],
        ]),
        { clock: instantClock() },
      );
      await faulty.ended;
      expect(pathsOf(faulty.seen)).toEqual([LIST, LOOK, `${LIST}?index=10&wait=30000ms`, LIST, LOOK]);
    });

    it('reports a change that came between the last look and the list', async () => {
      const steps = [
        [200, '10'],
        [404, '11'],
        [404, '11'],
        [200, '14'],
      ] as const;
      const { events, ended } = await observe('intentions', answering(steps), { clock: instantClock() });
      await ended;
      expect(events).toEqual(['alive', 'changed', 'alive', 'changed', 'alive', 'changed']);
    });
  });

  it('continues after errors with growing, random pauses, and then asks at once', async () => {
    const clock = instantClock();
    const { seen, events, ended } = await observe(
      'catalog',
      (exchange, count, stop) => {
        if (count === 1) exchange.reply(200, {}, { 'X-Consul-Index': '10' });
        else if (count < 10) exchange.reply(500, 'No cluster leader');
        else if (count === 10) exchange.reply(200, {}, { 'X-Consul-Index': '10' });
        else stop();
      },
      { clock },
    );
    await ended;
    expect(seen.map(indexOf)).toEqual([null, '10', ...Array(8).fill(null), '10']);
    expect(events).toEqual(['alive', 'changed', 'alive']);
    const pauses = clock.slept.filter((ms) => ms >= 125).slice(0, 8);
    for (const [at, ms] of pauses.entries()) {
      const longest = Math.min(15_000, 250 * 2 ** at);
      expect(ms).toBeLessThanOrEqual(longest);
      expect(ms).toBeGreaterThanOrEqual(longest / 2);
    }
    expect(pauses).toHaveLength(8);
  });

  it.each([
    ['filtered by ACLs', { 'X-Consul-Results-Filtered-By-ACLs': 'true' }],
    ['without a leader', { 'X-Consul-KnownLeader': 'false' }],
  ])('is not alive on answers %s: changes may hide there', async (_, headers) => {
    const { events, ended } = await observe(
      'catalog',
      (exchange, count, stop) => (count > 3 ? stop() : exchange.reply(200, {}, headers)),
      { clock: instantClock() },
    );
    await ended;
    expect(events).toEqual([]);
  });

  it('gives up a connection that hangs beyond the wait, and says nothing of life meanwhile', async () => {
    const warned: object[] = [];
    const logger = { ...silentLogger, warn: (fields: object) => warned.push(fields) };
    const { events, ended } = await observe(
      'catalog',
      (exchange, count, stop) => {
        if (count === 1) exchange.reply(200, {});
        else if (count > 2) stop();
      },
      { clock: instantClock(), logger, watchWaitMs: 0, watchGraceMs: 500 },
    );
    await ended;
    expect(events).toEqual(['alive', 'changed']);
    expect(warned).toMatchObject([{ code: 'ERR_TIMEOUT', table: 'catalog' }]);
  });

  it('ends at once when aborted while Consul holds the query', async () => {
    let queries = 0;
    const { ended, events } = await observe('catalog', (exchange, count, abort) => {
      queries = count;
      if (count === 1) exchange.reply(200, {});
      else abort();
    });
    await ended;
    expect(events).toEqual(['alive', 'changed']);
    expect(queries).toBe(2);
  });

  it('ends at once when aborted during a pause', async () => {
    const clock: Clock = {
      now: systemClock.now,
      sleep: (_, signal) => {
        setImmediate(stop);
        return aborted(signal);
      },
    };
    let stop = () => {};
    const watch = await observe('catalog', (exchange) => exchange.reply(500, ''), { clock });
    stop = watch.stop;
    await watch.ended;
    expect(watch.events).toEqual([]);
  });

  it('never throws for a Consul that cannot be reached', async () => {
    const server = await startFaultServer(() => undefined);
    await server.close();
    const clock = instantClock();
    const stopping = new AbortController();
    let failures = 0;
    const count = () => {
      failures += 1;
      if (failures === 4) stopping.abort();
    };
    const consul = connect(server.address, { clock, logger: { ...silentLogger, warn: count, debug: count } });
    closers.push(() => consul.close());
    await consul.watch('claims', { changed() {}, alive() {} }, stopping.signal);
    expect(failures).toBe(4);
  });

  it('rejects when its listener throws, and leaves no query behind', async () => {
    const server = await startFaultServer((exchange) => {
      if (!exchange.target.includes('index=')) exchange.reply(200, []);
    });
    closers.push(server.close);
    const consul = connect(server.address);
    closers.push(() => consul.close());
    const listener = {
      changed() {
        throw new Error('a flaw');
      },
      alive() {},
    };
    await expect(consul.watch('intentions', listener, new AbortController().signal)).rejects.toThrow(
      'a flaw',
    );
  });

  it('of protocols watches both kinds, and is alive only once both have answered', async () => {
    const held: Exchange[] = [];
    let all = () => {};
    const allAsked = new Promise<void>((resolve) => {
      all = resolve;
    });
    const { events, ended, stop } = await observe('protocols', (exchange, count) => {
      held.push(exchange);
      if (count === 2) all();
      if (count === 4) stop();
    });
    await allAsked;
    expect(held.map(({ url }) => url.pathname).toSorted()).toEqual([
      '/v1/config/proxy-defaults',
      '/v1/config/service-defaults',
    ]);
    for (const exchange of held.slice(0, 2)) exchange.reply(200, []);
    await ended;
    expect(events.filter((event) => event === 'alive')).toHaveLength(1);
    expect(events.filter((event) => event === 'changed')).toHaveLength(2);
  });

  it('of claims takes "no such key" for an answer', async () => {
    const { seen, events, ended } = await observe('claims', (exchange, count, stop) => {
      if (count === 1) exchange.reply(404, '');
      else stop();
    });
    await ended;
    expect(seen[0]).toBe('GET /v1/kv/scopemesh/payments/claims/?recurse');
    expect(events).toEqual(['alive', 'changed']);
  });
});
