import { describe, expect, it } from 'vitest';
import { clientKey, formatKey } from '../../../src/model/key.js';
import type { Job, Trigger } from '../../../src/model/trigger.js';
import { aborted } from '../../support/aborted.js';
import { agendaOf, DONE, gate, idsOf, job, ORDER, ORDERS, trigger, until, WEB } from '../agenda-rig.js';

describe('the agenda and durable jobs', () => {
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

  it('ends a durable job with a key that comes again soon, instead of running the job again', async () => {
    const runs: string[] = [];
    const { agenda, end } = agendaOf(async ({ key }, _signal, followUps) => {
      runs.push(key.kind);
      if (key.kind === 'client') await followUps.add([trigger(ORDERS, 'a')]);
      else if (runs.filter((each) => each === 'destination').length === 1)
        return { kind: 'retry', afterMs: 100 };
      return DONE;
    });
    const signal = new AbortController().signal;
    const first = agenda.run(job(trigger(WEB, 'a')), signal);
    await until(() => agenda.state().delayed === 1);
    const second = agenda.run(job(trigger(clientKey('main', 'api'), 'a')), signal);
    expect(await Promise.all([first, second])).toEqual([DONE, DONE]);
    expect(runs.filter((each) => each === 'client')).toHaveLength(2);
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
});
