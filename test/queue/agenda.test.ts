import { describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { clientKey, destinationKey, formatKey } from '../../src/model/key.js';
import type { Job, Trigger } from '../../src/model/trigger.js';
import { noMetrics, silentLogger } from '../../src/observe.js';
import { Agenda } from '../../src/queue/agenda.js';
import { ConcurrencyLimit } from '../../src/queue/concurrency-limit.js';
import type { AgendaHandler } from '../../src/queue/follow-ups.js';
import type { JobResult } from '../../src/queue/queue.js';
import { aborted } from '../support/aborted.js';

const DONE: JobResult = { kind: 'done' };
const ORDERS = destinationKey('orders');
const WEB = clientKey('main', 'web-app');

const trigger = (key: Trigger['key'], id: string, more: Partial<Trigger> = {}): Trigger => ({
  key,
  cause: { kind: 'webhook', eventId: id, receivedAt: '2026-01-01T00:00:00.000Z' },
  evidence: [{ provider: 'main', clients: [id] }],
  ...more,
});
const job = (...triggers: readonly [Trigger, ...Trigger[]]): Job => ({
  key: triggers[0].key,
  triggers,
  attempts: 0,
});
const idsOf = ({ triggers }: Job) => triggers.map(({ cause }) => cause.eventId);

function agendaOf(handler: AgendaHandler, writes = 4) {
  const limit = new ConcurrencyLimit({ least: 1, first: writes, most: writes }, systemClock);
  const backoff = { baseMs: 1, capMs: 2, attempts: 3 };
  const deps = { logger: silentLogger, metrics: noMetrics, clock: systemClock, backoff };
  const agenda = new Agenda({ writes: limit, reads: 4, urgent: 1, durable: 512 }, deps);
  const stop = new AbortController();
  const working = agenda.work(handler, stop.signal);
  const end = async () => {
    stop.abort();
    await working;
  };
  return { agenda, end };
}

const ORDER: NonNullable<Trigger['order']> = {
  kind: 'client-disabled',
  provider: 'main',
  clientId: 'web-app',
  at: '2026-01-01T00:00:00.000Z',
  cause: trigger(WEB, 'b').cause,
};

async function until(is: () => boolean): Promise<void> {
  while (!is()) await new Promise(setImmediate);
}

/** Resolves when it is opened. */
function gate() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, opened };
}

describe('the agenda', () => {
  it('begins few runs in one turn of the event loop, so that events are accepted between them', async () => {
    let ran = 0;
    const { agenda, end } = agendaOf(async () => {
      ran++;
      return DONE;
    });
    const keys = Array.from({ length: 100 }, (_, index) => destinationKey(`service-${index}`));
    void agenda.add(keys.map((key) => trigger(key, 'a')));
    await new Promise(setImmediate);
    expect(ran).toBe(32);
    await until(() => ran === 100);
    await end();
  });

  // `AbortSignal.any` of Node 20 leaves an entry in a signal that lives long.
  it('waits for the next try without AbortSignal.any', async () => {
    let tries = 0;
    const { agenda, end } = agendaOf(async () => {
      if (++tries < 3) throw new Error('not yet');
      return DONE;
    });
    const any = vi.spyOn(AbortSignal, 'any');
    try {
      await agenda.add([trigger(ORDERS, 'a')]);
      await until(() => tries === 3);
      expect(any).not.toHaveBeenCalled();
    } finally {
      any.mockRestore();
    }
    await end();
  });

  it('gives one run all triggers that came for its key, each said once', async () => {
    const { opened, open } = gate();
    const runs: (readonly (string | undefined)[])[] = [];
    const { agenda, end } = agendaOf(async (each) => {
      runs.push(idsOf(each));
      await opened;
      return DONE;
    });
    const first = agenda.run(job(trigger(ORDERS, 'a')), new AbortController().signal);
    while (runs.length === 0) await Promise.resolve();
    await agenda.add([trigger(ORDERS, 'b'), trigger(ORDERS, 'b'), trigger(ORDERS, 'c')]);
    open();
    await first;
    await end();
    expect(runs).toEqual([['a'], ['b', 'c']]);
  });

  it('is done with a durable job when everything that follows from it is', async () => {
    const { opened, open } = gate();
    const ran: string[] = [];
    const { agenda, end } = agendaOf(async ({ key }, _signal, followUps) => {
      if (key.kind === 'client') await followUps.add([trigger(ORDERS, 'a')]);
      else await opened;
      ran.push(formatKey(key));
      return DONE;
    });
    let isDone = false;
    const running = agenda.run(job(trigger(WEB, 'a')), new AbortController().signal).then((result) => {
      isDone = true;
      return result;
    });
    while (ran.length === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(isDone).toBe(false);
    open();
    expect(await running).toEqual(DONE);
    expect(ran).toEqual([formatKey(WEB), formatKey(ORDERS)]);
    await end();
  });

  it('lets a waiting durable job begin again when its key gets new triggers', async () => {
    const { opened, open } = gate();
    let runs = 0;
    const { agenda, end } = agendaOf(async ({ key }, _signal, followUps) => {
      if (key.kind === 'destination') await opened;
      else {
        runs++;
        await followUps.add([trigger(ORDERS, 'a')]);
      }
      return DONE;
    });
    const running = agenda.run(job(trigger(WEB, 'a')), new AbortController().signal);
    while (runs === 0) await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    agenda.becameDurable([trigger(WEB, 'b')]);
    expect(await running).toEqual({ kind: 'retry', afterMs: 0 });
    open();
    await end();
  });

  it('puts a durable job off if work that follows from it fails, and tries that work again itself', async () => {
    let tries = 0;
    const { agenda, end } = agendaOf(async ({ key }, _signal, followUps) => {
      if (key.kind === 'client') await followUps.add([trigger(ORDERS, 'a')]);
      else if (++tries === 1) throw new Error('Consul is away');
      return DONE;
    });
    const result = await agenda.run(job(trigger(WEB, 'a')), new AbortController().signal);
    expect(result.kind).toBe('retry');
    while (tries < 2) await new Promise((resolve) => setImmediate(resolve));
    await end();
  });

  it('does not run a durable job again while a key that follows from it fails', async () => {
    const runs: string[] = [];
    let isBroken = true;
    const { agenda, end } = agendaOf(async ({ key }, _signal, followUps) => {
      runs.push(key.kind);
      if (key.kind === 'client') await followUps.add([trigger(ORDERS, 'a')]);
      else if (isBroken) throw new Error('Consul refuses it');
      return DONE;
    });
    const again = (...triggers: readonly [Trigger, ...Trigger[]]) =>
      agenda.run(job(...triggers), new AbortController().signal);
    const runsOf = (kind: string) => runs.filter((each) => each === kind).length;
    for (let tries = 0; tries < 5; tries++) {
      expect((await again(trigger(WEB, 'a'))).kind).toBe('retry');
      const before = runsOf('destination');
      await until(() => runsOf('destination') > before);
    }
    expect(runsOf('client')).toBe(1);
    expect((await again(trigger(WEB, 'a'), trigger(WEB, 'b'))).kind).toBe('retry');
    expect(runsOf('client')).toBe(2);
    isBroken = false;
    await until(() => agenda.state().delayed + agenda.state().active === 0);
    expect(await again(trigger(WEB, 'a'), trigger(WEB, 'b'))).toEqual(DONE);
    expect(runsOf('client')).toBe(3);
    await end();
  });

  it('ends a durable job that comes back while the key that it waited for runs, and succeeds', async () => {
    const { opened, open } = gate();
    let tries = 0;
    const { agenda, end } = agendaOf(async ({ key }, _signal, followUps) => {
      if (key.kind === 'client') await followUps.add([trigger(ORDERS, 'a')]);
      else if (++tries === 1) throw new Error('Consul is away');
      else if (tries === 2) await opened;
      return DONE;
    });
    const run = () => agenda.run(job(trigger(WEB, 'a')), new AbortController().signal);
    expect((await run()).kind).toBe('retry');
    await until(() => tries === 2);
    expect((await run()).kind).toBe('retry');
    open();
    await until(() => agenda.state().active === 0);
    expect(await run()).toEqual(DONE);
    await end();
  });

  it('runs a key once at a time, also if its durable job waited for another key meanwhile', async () => {
    const { opened, open } = gate();
    let tries = 0;
    let running = 0;
    let most = 0;
    const { agenda, end } = agendaOf(async ({ key, triggers }, _signal, followUps) => {
      if (key.kind === 'destination') {
        if (++tries === 1) throw new Error('Consul is away');
        if (tries === 2) await opened;
        return DONE;
      }
      most = Math.max(most, ++running);
      for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
      running--;
      if (triggers.some(({ cause }) => cause.eventId === 'a')) await followUps.add([trigger(ORDERS, 'a')]);
      return DONE;
    });
    const run = () => agenda.run(job(trigger(WEB, 'a')), new AbortController().signal);
    expect((await run()).kind).toBe('retry');
    await until(() => tries === 2);
    const again = run();
    await agenda.add([trigger(WEB, 'b')]);
    await until(() => running === 1);
    await until(() => running === 0);
    open();
    await agenda.add([trigger(WEB, 'c')]);
    await again;
    await until(() => running === 0);
    expect(most).toBe(1);
    await end();
  });

  it('runs a parked key at once, and forgets one that is dropped', async () => {
    let tries = 0;
    let isHealed = false;
    const { agenda, end } = agendaOf(async () => {
      tries++;
      if (!isHealed) throw new Error('consul says no');
      return DONE;
    });
    const parked = () => agenda.state().parked.map(({ key }) => key);
    const key = formatKey(ORDERS);
    expect(await agenda.unpark(key, 'run')).toBe('not-parked');
    await agenda.add([trigger(ORDERS, 'a')]);
    await until(() => parked().length === 1 && agenda.state().delayed === 1);
    expect(await agenda.unpark(key, 'drop')).toBe('done');
    expect(agenda.state()).toMatchObject({ waiting: 0, delayed: 0, parked: [] });
    const before = tries;
    await agenda.add([trigger(ORDERS, 'b')]);
    await until(() => parked().length === 1 && agenda.state().delayed === 1);
    expect(tries).toBeGreaterThanOrEqual(before + 3);
    isHealed = true;
    expect(await agenda.unpark(key, 'run')).toBe('done');
    await until(() => agenda.state().parked.length === 0);
    await end();
  });

  it('keeps a parked key that has an order', async () => {
    const { agenda, end } = agendaOf(async () => {
      throw new Error('consul says no');
    });
    await agenda.add([trigger(WEB, 'a', { order: ORDER })]);
    await until(() => agenda.state().parked.length === 1 && agenda.state().delayed === 1);
    expect(await agenda.unpark(formatKey(WEB), 'drop')).toBe('has-order');
    expect(agenda.state().parked).toHaveLength(1);
    await end();
  });

  it('leaves the triggers of a durable job that failed to the queue', async () => {
    let tries = 0;
    const { agenda, end } = agendaOf(async () => {
      tries++;
      throw new Error('the directory is away');
    });
    await expect(agenda.run(job(trigger(WEB, 'a')), new AbortController().signal)).rejects.toThrow(
      'the directory is away',
    );
    expect(agenda.state()).toEqual({ waiting: 0, delayed: 0, active: 0, parked: [] });
    expect(tries).toBe(1);
    await end();
  });

  it('runs an urgent key beyond the limit, and before what came earlier', async () => {
    const { opened, open } = gate();
    const ran: string[] = [];
    const { agenda, end } = agendaOf(async ({ key }) => {
      ran.push(formatKey(key));
      await opened;
      return DONE;
    }, 1);
    const [a, b, c] = ['a', 'b', 'c'].map((name) => destinationKey(name));
    if (a === undefined || b === undefined || c === undefined) throw new Error('no keys');
    await agenda.add([trigger(a, '1'), trigger(b, '2')]);
    await agenda.add([trigger(c, '3', { urgent: true })]);
    while (ran.length < 2) await new Promise((resolve) => setImmediate(resolve));
    expect(ran.toSorted()).toEqual([formatKey(a), formatKey(c)].toSorted());
    open();
    while (ran.length < 3) await new Promise((resolve) => setImmediate(resolve));
    expect(ran.at(-1)).toBe(formatKey(b));
    await end();
  });

  it('runs a revocation beside clients that fill every place, and before an ordinary write', async () => {
    const { opened, open } = gate();
    const ran: string[] = [];
    const { agenda, end } = agendaOf(async ({ key }) => {
      ran.push(formatKey(key));
      if (key.kind === 'client') await opened;
      return DONE;
    }, 1);
    const clients = Array.from({ length: 9 }, (_, at) => clientKey('main', `c${at}`));
    await agenda.add(clients.map((key) => trigger(key, 'a', { urgent: true })));
    await agenda.add([
      trigger(destinationKey('grant'), 'a'),
      trigger(destinationKey('revocation'), 'a', { urgent: true }),
    ]);
    await until(() => ran.includes(formatKey(destinationKey('grant'))));
    open();
    await end();
    expect(ran.slice(5)).toEqual([
      formatKey(destinationKey('revocation')),
      formatKey(destinationKey('grant')),
    ]);
  });

  it('keeps the urgent place of destinations, whatever many urgent clients run', async () => {
    const { opened, open } = gate();
    const ran: string[] = [];
    const { agenda, end } = agendaOf(async ({ key }) => {
      ran.push(formatKey(key));
      await opened;
      return DONE;
    }, 1);
    await agenda.add([trigger(destinationKey('grant'), 'a')]);
    await until(() => ran.length === 1);
    await agenda.add([trigger(WEB, 'a', { urgent: true })]);
    await until(() => ran.length === 2);
    await agenda.add([trigger(ORDERS, 'a', { urgent: true })]);
    await until(() => ran.length === 3);
    open();
    await end();
    expect(ran[2]).toBe(formatKey(ORDERS));
  });

  it('keeps the places of urgent clients and of orders, whatever ordinary clients of many providers run', async () => {
    const { opened, open } = gate();
    const ran: string[] = [];
    const { agenda, end } = agendaOf(async ({ key }) => {
      ran.push(formatKey(key));
      await opened;
      return DONE;
    });
    const ordinary = (provider: string, count: number) =>
      Array.from({ length: count }, (_, at) => trigger(clientKey(provider, `c${at}`), `c${at}`));
    await agenda.add(['one', 'two', 'three', 'four'].flatMap((provider) => ordinary(provider, 8)));
    await until(() => ran.length >= 4);
    await new Promise(setImmediate);
    const urgent = clientKey('one', 'urgent');
    const ordered = clientKey('one', 'ordered');
    await agenda.add([trigger(urgent, 'u', { urgent: true })]);
    await agenda.add([trigger(ordered, 'o', { order: ORDER, urgent: true })]);
    await new Promise(setImmediate);
    expect(ran).toEqual(expect.arrayContaining([formatKey(urgent), formatKey(ordered)]));
    open();
    await end();
  });

  it('gives a client with an order a place of its own', async () => {
    const { opened, open } = gate();
    const ran: string[] = [];
    const { agenda, end } = agendaOf(async ({ key }) => {
      ran.push(formatKey(key));
      await opened;
      return DONE;
    });
    const clients = Array.from({ length: 9 }, (_, at) => clientKey('main', `c${at}`));
    await agenda.add(clients.map((key) => trigger(key, 'a', { urgent: true })));
    await until(() => ran.length === 5);
    await agenda.add([trigger(WEB, 'a', { urgent: true, order: ORDER })]);
    await until(() => ran.length === 6);
    open();
    await end();
    expect(ran[5]).toBe(formatKey(WEB));
  });

  it('ends a run without a durable job for an order that follows from another key, and begins again with it', async () => {
    const runs: Job[] = [];
    const { agenda, end } = agendaOf(async (each, signal) => {
      runs.push(each);
      if (runs.length === 1) await aborted(signal);
      return DONE;
    });
    await agenda.add([trigger(WEB, 'a')]);
    await until(() => runs.length === 1);
    await agenda.add([trigger(WEB, 'b', { urgent: true, order: ORDER })]);
    await until(() => runs.length === 2);
    await end();
    expect(idsOf(runs[1] as Job)).toEqual(['a', 'b']);
  });

  it('lets a durable job begin again if its key got new triggers during the run', async () => {
    const { opened, open } = gate();
    const never = gate();
    let isRunning = false;
    const { agenda, end } = agendaOf(async ({ key }, _signal, followUps) => {
      if (key.kind === 'destination') await never.opened;
      isRunning = true;
      await opened;
      if (key.kind === 'client') await followUps.add([trigger(ORDERS, 'a')]);
      return DONE;
    });
    const running = agenda.run(job(trigger(WEB, 'a')), new AbortController().signal);
    await until(() => isRunning);
    agenda.becameDurable([trigger(WEB, 'b')]);
    open();
    expect(await running).toEqual({ kind: 'retry', afterMs: 0 });
    never.open();
    await end();
  });

  it('lets a durable job go on if it has the new triggers already', async () => {
    const { opened, open } = gate();
    let isRunning = false;
    const { agenda, end } = agendaOf(async () => {
      isRunning = true;
      await opened;
      return DONE;
    });
    const ordered = trigger(WEB, 'a', { urgent: true, order: ORDER });
    const running = agenda.run(job(JSON.parse(JSON.stringify(ordered))), new AbortController().signal);
    await until(() => isRunning);
    agenda.becameDurable([ordered]);
    open();
    expect(await running).toEqual(DONE);
    await end();
  });

  it('puts off a job that adds to a key in its backoff, and does not end that backoff', async () => {
    let runs = 0;
    const { agenda, end } = agendaOf(async ({ key }, _signal, followUps) => {
      if (key.kind === 'client') {
        await followUps.add([trigger(ORDERS, 'a', { urgent: true })]);
        return DONE;
      }
      runs++;
      return { kind: 'retry', afterMs: 3_600_000 };
    });
    const job1 = job(trigger(WEB, 'a'));
    const first = await agenda.run(job1, new AbortController().signal);
    const second = await agenda.run(job1, new AbortController().signal);
    expect([first.kind, second.kind]).toEqual(['retry', 'retry']);
    expect(runs).toBe(1);
    await end();
  });

  it('runs a key after a while, once, and makes no other trigger of the key wait for it', async () => {
    const runs: (readonly (string | undefined)[])[] = [];
    const { agenda, end } = agendaOf(async (each) => {
      runs.push(idsOf(each));
      return DONE;
    });
    agenda.addLater(trigger(ORDERS, 'later'), 50);
    agenda.addLater(trigger(ORDERS, 'again'), 60_000);
    await agenda.add([trigger(ORDERS, 'now')]);
    await until(() => runs.length === 2);
    await end();
    expect(runs).toEqual([['now'], ['later']]);
  });

  it('shows a run what was noted for its key after it began', async () => {
    const { opened, open } = gate();
    let seen: readonly Trigger[] = [];
    let runs = 0;
    const { agenda, end } = agendaOf(async (_job, _signal, followUps) => {
      runs++;
      await opened;
      seen = followUps.late();
      return DONE;
    });
    await agenda.add([trigger(ORDERS, 'a')]);
    while (runs === 0) await Promise.resolve();
    agenda.note([trigger(ORDERS, 'b')]);
    open();
    await end();
    expect(seen.map(({ cause }) => cause.eventId)).toEqual(['b']);
    expect(runs).toBe(1);
  });

  it('compares each of many triggers for one key once', async () => {
    let compared = 0;
    const many = Array.from({ length: 2_000 }, (_, at) => ({
      ...trigger(ORDERS, String(at)),
      get evidence() {
        compared++;
        return [{ provider: 'main', clients: [String(at)] }];
      },
    }));
    const runs: number[] = [];
    const { agenda, end } = agendaOf(async ({ triggers }) => {
      runs.push(triggers.length);
      return DONE;
    });
    agenda.note(many);
    await agenda.add(many);
    expect(runs).toEqual([2_000]);
    expect(compared).toBeLessThan(10 * many.length);
    await end();
  });
});
