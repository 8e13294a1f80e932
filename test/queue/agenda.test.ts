import { describe, expect, it, vi } from 'vitest';
import { untilAborted } from '../../src/linked-signal.js';
import { clientKey, destinationKey, formatKey } from '../../src/model/key.js';
import type { Trigger } from '../../src/model/trigger.js';
import { agendaOf, DONE, gate, idsOf, ORDER, ORDERS, trigger, until, WEB } from './agenda-rig.js';

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
    expect(ran).toBe(8);
    await until(() => ran === 100);
    await end();
  });

  it('reads a client seen for the first time in a burst before those that are read again', async () => {
    const runs: string[] = [];
    const { agenda, end } = agendaOf(async ({ key }, _signal, follow) => {
      runs.push(formatKey(key));
      if (runs.length < 1_000) await follow.add([trigger(key, 'a', { urgent: true })]);
      if (runs.length === 500) await follow.add([trigger(WEB, 'a', { urgent: true })]);
      return DONE;
    });
    const burst = Array.from({ length: 200 }, (_, at) => clientKey('main', `c${at}`));
    await agenda.add(burst.map((key) => trigger(key, 'a', { urgent: true })));
    await until(() => runs.length >= 1_000);
    await end();
    expect(runs.indexOf(formatKey(WEB))).toBeLessThan(510);
  });

  it('begins a run of a client again that still waits when an event about the client is a second old, once', async () => {
    const runs: (readonly (string | undefined)[])[] = [];
    const signals: AbortSignal[] = [];
    const { opened, open } = gate();
    const { agenda, take, settled, end } = agendaOf(async (job, signal) => {
      runs.push(idsOf(job));
      signals.push(signal);
      // The first answer never ends; the second one is late.
      await (runs.length === 1 ? untilAborted(signal) : opened);
      signal.throwIfAborted();
      return DONE;
    });
    take(trigger(WEB, 'a', { urgent: true }));
    await until(() => runs.length === 1);
    take(trigger(WEB, 'b', { urgent: true }));
    await until(() => runs.length === 2);
    expect(runs[1]).toEqual(['a', 'b']);
    const at = Date.now();
    take(trigger(WEB, 'c', { urgent: true }));
    await until(() => Date.now() > at + 1_500);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
    open();
    await until(() => settled().length === 3);
    expect(runs).toEqual([['a'], ['a', 'b'], ['c']]);
    expect(agenda.state().parked).toEqual([]);
    await end();
  });

  it('lets a run of a client end that an event overtakes and that is soon done', async () => {
    const { opened, open } = gate();
    const runs: (readonly (string | undefined)[])[] = [];
    const { take, settled, end } = agendaOf(async (job) => {
      runs.push(idsOf(job));
      await opened;
      return DONE;
    });
    take(trigger(WEB, 'a', { urgent: true }));
    await until(() => runs.length === 1);
    take(trigger(WEB, 'b', { urgent: true }));
    open();
    await until(() => settled().length === 2);
    expect(runs).toEqual([['a'], ['b']]);
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
    const { agenda, take, settled, end } = agendaOf(async (each) => {
      runs.push(idsOf(each));
      await opened;
      return DONE;
    });
    take(trigger(ORDERS, 'a'));
    while (runs.length === 0) await Promise.resolve();
    await agenda.add([trigger(ORDERS, 'b'), trigger(ORDERS, 'b'), trigger(ORDERS, 'c')]);
    open();
    await until(() => settled().length === 1 && runs.length === 2);
    await end();
    expect(runs).toEqual([['a'], ['b', 'c']]);
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
    await until(() => parked().length === 1);
    expect(await agenda.unpark(key, 'drop')).toBe('done');
    expect(agenda.state()).toMatchObject({ waiting: 0, delayed: 0, parked: [] });
    const before = tries;
    await agenda.add([trigger(ORDERS, 'b')]);
    await until(() => parked().length === 1);
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
    await until(() => agenda.state().parked.length === 1);
    expect(await agenda.unpark(formatKey(WEB), 'drop')).toBe('has-order');
    expect(agenda.state().parked).toHaveLength(1);
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

  it('ends every run when the leadership is lost', async () => {
    const reasons: unknown[] = [];
    const { agenda, take, end, lost } = agendaOf(async (_job, signal) => {
      await untilAborted(signal);
      reasons.push(signal.reason);
      return DONE;
    });
    await agenda.add([trigger(ORDERS, 'a'), trigger(WEB, 'b')]);
    take(trigger(clientKey('main', 'api'), 'c'));
    await until(() => agenda.state().active === 3);
    lost.abort('another replica leads');
    await end();
    expect(reasons).toEqual(Array(3).fill('another replica leads'));
  });

  it('begins no run after the leadership is lost', async () => {
    let runs = 0;
    const { agenda, end, lost } = agendaOf(async () => {
      runs++;
      return DONE;
    });
    void agenda.add([trigger(ORDERS, 'a')]);
    lost.abort('another replica leads');
    await agenda.add([trigger(WEB, 'b')]);
    await end();
    expect(runs).toBe(0);
  });

  it('begins no run in a term that was lost before', async () => {
    let runs = 0;
    const { agenda, end } = agendaOf(
      async () => {
        runs++;
        return DONE;
      },
      4,
      AbortSignal.abort('another replica leads'),
    );
    await agenda.add([trigger(ORDERS, 'a')]);
    await end();
    expect(runs).toBe(0);
  });

  it('says which keys wait for a place or began to run after a moment, but not while a failed run waits', async () => {
    const { opened, open } = gate();
    const { agenda, end } = agendaOf(async () => {
      await opened;
      return { kind: 'retry', afterMs: 60_000 };
    });
    void agenda.add([trigger(ORDERS, 'a')]);
    const [before, after] = [Date.now() - 60_000, Date.now() + 60_000];
    expect([agenda.sees(ORDERS, after), agenda.sees(WEB, before)]).toEqual([true, false]);
    await until(() => agenda.state().active === 1);
    expect([agenda.sees(ORDERS, before), agenda.sees(ORDERS, after)]).toEqual([true, false]);
    await agenda.add([trigger(ORDERS, 'b')]);
    expect(agenda.sees(ORDERS, after)).toBe(true);
    open();
    await until(() => agenda.state().delayed === 1);
    expect(agenda.sees(ORDERS, before)).toBe(false);
    await end();
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
