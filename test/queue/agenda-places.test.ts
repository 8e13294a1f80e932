import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { clientKey, destinationKey, directoryKey, formatKey } from '../../src/model/key.js';
import { Places } from '../../src/queue/agenda-places.js';
import { WriteLimit } from '../../src/queue/write-limit.js';
import { agendaOf, DONE, gate, ORDER, ORDERS, trigger, until, WEB } from './agenda-rig.js';

/** Runs the keys in `ran`; none of them ends before `open`. */
function blockedAgenda(limit?: number) {
  const { opened, open } = gate();
  const ran: string[] = [];
  const blocked = agendaOf(async ({ key }) => {
    ran.push(formatKey(key));
    await opened;
    return DONE;
  }, limit);
  return { ...blocked, ran, open };
}

describe('the places of the agenda', () => {
  it('runs an urgent key beyond the limit, and before what came earlier', async () => {
    const { agenda, ran, open, end } = blockedAgenda(1);
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
    const { agenda, ran, open, end } = blockedAgenda(1);
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
    const { agenda, ran, open, end } = blockedAgenda();
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

  it.each([
    ['a grant', destinationKey('grant'), (at: number) => destinationKey(`d${at}`)],
    ['a complete read', directoryKey('main'), (at: number) => clientKey('main', `c${at}`)],
  ])('keeps one for %s, while urgent keys come without end', async (_, ordinary, keyOf) => {
    let runs = 0;
    let ranAt = 0;
    const { agenda, end } = agendaOf(async ({ key }, _signal, follow) => {
      runs++;
      if (formatKey(key) === formatKey(ordinary)) ranAt = runs;
      else if (runs < 500) await follow.add([trigger(key, 'a', { urgent: true })]);
      return DONE;
    });
    const urgent = Array.from({ length: 20 }, (_, at) => trigger(keyOf(at), 'a', { urgent: true }));
    await agenda.add([...urgent, trigger(ordinary, 'a')]);
    await until(() => runs >= 500 && ranAt > 0);
    await end();
    expect(ranAt).toBeLessThan(50);
  });

  it('gives a client with an order a place of its own', async () => {
    const { agenda, ran, open, end } = blockedAgenda();
    const clients = Array.from({ length: 9 }, (_, at) => clientKey('main', `c${at}`));
    await agenda.add(clients.map((key) => trigger(key, 'a', { urgent: true })));
    await until(() => ran.length === 5);
    await agenda.add([trigger(WEB, 'a', { urgent: true, order: ORDER })]);
    await until(() => ran.length === 6);
    open();
    await end();
    expect(ran[5]).toBe(formatKey(WEB));
  });
});

it('an urgent write has its own place, also while more ordinary ones run than the limit allows by now', () => {
  const writes = new WriteLimit({ least: 2, first: 8, most: 8 }, systemClock);
  const places = new Places({ writes, reads: 8, urgent: 1 });
  const key = destinationKey('orders');
  for (let count = 0; count < 6; count++) places.enter(key, false, 'ordinary');
  places.overloaded();
  places.overloaded();
  expect(writes.now).toBe(2);
  expect(places.hasRoom(key, 'ordinary')).toBe(false);
  expect(places.hasRoom(key, 'losing')).toBe(true);
  const leave = places.enter(key, false, 'losing');
  expect(places.hasRoom(key, 'losing')).toBe(false);
  leave();
  expect(places.hasRoom(key, 'losing')).toBe(true);
});
