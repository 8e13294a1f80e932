import { describe, expect, it } from 'vitest';
import { clientKey, formatKey } from '../../../src/model/key.js';
import type { Job } from '../../../src/model/trigger.js';
import type { AgendaHandler } from '../../../src/queue/follow-ups.js';
import { aborted } from '../../support/aborted.js';
import { agendaOf, DONE, gate, idsOf, ORDER, ORDERS, trigger, until, WEB } from '../agenda-rig.js';

/** Clients are followed by the destination `orders`, which `write` runs. */
const followedBy =
  (write: AgendaHandler, runs: string[] = []): AgendaHandler =>
  async (job, signal, followUps) => {
    runs.push(formatKey(job.key));
    if (job.key.kind !== 'client') return write(job, signal, followUps);
    await followUps.add([trigger(ORDERS, 'a')]);
    return DONE;
  };

/** The client has run, and the destination that follows waits until it is opened. */
async function followedByOpen() {
  const { opened, open } = gate();
  const runs: string[] = [];
  const write: AgendaHandler = async () => {
    await opened;
    return DONE;
  };
  const agenda = agendaOf(followedBy(write, runs));
  agenda.take(trigger(WEB, 'a'));
  await until(() => runs.length === 2);
  return { ...agenda, open, runs };
}

describe('the agenda and triggers of the store', () => {
  it('settles them when everything that follows from them is done', async () => {
    const { open, runs, saved, end } = await followedByOpen();
    expect(saved).toEqual([]);
    open();
    await until(() => saved.length > 0);
    expect(saved).toEqual([{ key: formatKey(WEB), settled: ['a'] }]);
    expect(runs).toEqual([formatKey(WEB), formatKey(ORDERS)]);
    await end();
  });

  it('runs a key for new triggers while what followed from earlier ones is not done', async () => {
    const { open, runs, take, settled, end } = await followedByOpen();
    take(trigger(WEB, 'b'));
    await until(() => runs.length === 3);
    expect(settled()).toEqual([]);
    open();
    await until(() => settled().length === 2);
    expect(settled()).toEqual(['a', 'b']);
    await end();
  });

  it('tries what follows from them again, however often it fails, and does not run their key again', async () => {
    let tries = 0;
    const runs: string[] = [];
    const { take, settled, end } = agendaOf(
      followedBy(async () => {
        tries++;
        if (tries === 2) return { kind: 'retry', afterMs: 1 };
        if (tries < 6) throw new Error('Consul is away');
        return DONE;
      }, runs),
    );
    take(trigger(WEB, 'a'), trigger(clientKey('main', 'api'), 'b'));
    await until(() => tries === 5);
    expect(settled()).toEqual([]);
    await until(() => settled().length === 2);
    expect(runs.filter((each) => each === formatKey(WEB))).toHaveLength(1);
    await end();
  });

  it('tells the store of each failure of their key, and of the end of the failures', async () => {
    let tries = 0;
    const { agenda, take, saved, end } = agendaOf(async () => {
      if (++tries < 3) throw new Error('the directory is away');
      return DONE;
    });
    take(trigger(WEB, 'a'));
    await until(() => tries === 3 && agenda.state().active === 0);
    const key = formatKey(WEB);
    const failure = { error: 'the directory is away', upTo: 1 };
    expect(saved).toEqual([
      { key, settled: [], failure: { ...failure, attempts: 1 } },
      { key, settled: [], failure: { ...failure, attempts: 2 } },
      { key, settled: [], failure: 'none' },
      { key, settled: ['a'] },
    ]);
    await end();
  });

  it('stores nothing of failures of keys that only the agenda has', async () => {
    let tries = 0;
    const { agenda, saved, end } = agendaOf(async () => {
      if (++tries < 3) throw new Error('Consul says no');
      return DONE;
    });
    await agenda.add([trigger(ORDERS, 'a')]);
    await until(() => tries === 3 && agenda.state().active === 0);
    expect(saved).toEqual([]);
    await end();
  });

  it('goes on with the count of an earlier term, and tries a key at once that is not parked', async () => {
    const attempts: number[] = [];
    const { agenda, end } = agendaOf(async (job) => {
      attempts.push(job.attempts);
      return DONE;
    });
    const failure = { attempts: 2, error: 'no', upTo: 1 };
    agenda.take([{ id: 'a', seq: 1, trigger: trigger(WEB, 'a') }], new Map([[formatKey(WEB), failure]]));
    await until(() => attempts.length === 1);
    expect(attempts).toEqual([2]);
    await end();
  });

  it('runs them again if a person drops what follows from them', async () => {
    let isBroken = true;
    const runs: string[] = [];
    const { agenda, take, settled, end } = agendaOf(
      followedBy(async () => {
        if (isBroken) throw new Error('Consul says no');
        return DONE;
      }, runs),
    );
    take(trigger(WEB, 'a', { order: ORDER }));
    await until(() => agenda.unpark(formatKey(ORDERS), 'drop') === 'done');
    await until(() => runs.filter((each) => each === formatKey(WEB)).length === 2);
    expect(settled()).toEqual([]);
    isBroken = false;
    await until(() => settled().length === 1);
    await end();
  });

  it('settles the triggers of a key that a person drops', async () => {
    const { agenda, take, saved, end } = agendaOf(async () => {
      throw new Error('no');
    });
    take(trigger(WEB, 'a'));
    await until(() => agenda.unpark(formatKey(WEB), 'drop') === 'done');
    expect(saved.at(-1)).toEqual({ key: formatKey(WEB), settled: ['a'], failure: 'none' });
    expect(agenda.state()).toEqual({ waiting: 0, delayed: 0, active: 0, parked: [] });
    await end();
  });

  it('ends a run for an order that follows from another key, and begins again with it', async () => {
    const runs: Job[] = [];
    const { agenda, end } = agendaOf(async (each, signal) => {
      runs.push(each);
      if (runs.length === 1) await aborted(signal);
      return DONE;
    });
    await agenda.add([trigger(WEB, 'a')]);
    await until(() => runs.length === 2 || agenda.state().active === 1);
    await agenda.add([trigger(WEB, 'b', { urgent: true, order: ORDER })]);
    await until(() => runs.length === 2);
    await end();
    expect(idsOf(runs[1] as Job)).toEqual(['a', 'b']);
  });

  it('does not end the backoff of a key for a trigger that its last try knew', async () => {
    let writes = 0;
    const { agenda, take, settled, end } = agendaOf(async ({ key }, _signal, followUps) => {
      if (key.kind === 'client') {
        await followUps.add([trigger(ORDERS, 'a', { urgent: true })]);
        return DONE;
      }
      writes++;
      return { kind: 'retry', afterMs: 3_600_000 };
    });
    take(trigger(WEB, 'a'));
    await until(() => agenda.state().delayed === 1);
    take(trigger(WEB, 'b'));
    await until(() => agenda.state().waiting + agenda.state().active === 0);
    expect([writes, settled()]).toEqual([1, []]);
    await end();
  });
});
