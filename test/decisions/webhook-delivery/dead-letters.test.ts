import { describe, expect, it } from 'vitest';
import type { Clock } from '../../../src/clock.js';
import type { WebhookSender } from '../../../src/decisions/webhook.js';
import { FORBIDDEN_MS, OUTAGE_MS } from '../../../src/decisions/webhook-delivery.js';
import { dropEvent, requestRetry } from '../../../src/decisions/webhook-requests.js';
import { MAX_DEAD_LETTERS, WebhookStore } from '../../../src/decisions/webhook-state.js';
import type { KeyValueStore } from '../../../src/queue/key-value-store.js';
import { decision, decisions } from '../../support/decisions.js';
import { until } from '../../support/until.js';
import { createWebhookRig, idsOf, LONG_MS, patientClock, quickClock } from '../webhook-rig.js';

const rig = createWebhookRig();
const { store, run, begun, taken } = rig;

describe('an event that the receiver of a webhook does not take', () => {
  it('gives up an event that the receiver refuses, and goes on with the next one', async () => {
    const [refused, next] = [decision(), decision()];
    rig.receiver.answer = ({ id }) => ({ status: id === refused.id ? 422 : 200 });
    const { gauges, counts } = run();
    await begun();
    await rig.log.append([refused, next]);
    expect(await taken(1)).toEqual([next.id]);
    expect(rig.receiver.received).toHaveLength(9);
    const [letter] = await store().deadLetters();
    expect(letter).toMatchObject({ id: refused.id, attempts: 8, error: 'answered 422' });
    await until('the gauge', () => gauges.get('dead_letters') === 1, LONG_MS);
    expect(counts.get('deliveries_total dead')).toBe(1);
  });

  it('gives up an event after three days without the receiver, over restarts, and then tries the next one', async () => {
    const clock = quickClock();
    const [lost, next] = [decision(), decision()];
    const since = new Date(clock.now() - OUTAGE_MS + 7_200_000).toISOString();
    await store().update((state) => ({
      ...state,
      failing: { id: lost.id, type: lost.type, since, attempts: 90, refusals: 0, error: 'answered 500' },
    }));
    rig.receiver.answer = ({ id }) => ({ status: id === lost.id ? 502 : 200 });
    run({}, clock);
    await begun();
    await rig.log.append([lost, next]);
    expect(await taken(1)).toEqual([next.id]);
    const [letter] = await store().deadLetters();
    expect(letter).toMatchObject({ id: lost.id, error: 'answered 502' });
    expect(letter?.attempts).toBeGreaterThan(92);
    expect(letter?.attempts).toBeLessThan(97);
  });

  it('gives up no second event that is refused before the receiver takes one, who may refuse the signature', async () => {
    const all = decisions(3);
    rig.receiver.answer = () => ({ status: rig.receiver.received.length <= 30 ? 400 : 200 });
    run();
    await begun();
    await rig.log.append(all);
    expect(await taken(2)).toEqual(idsOf(all.slice(1)));
    expect(idsOf(await store().deadLetters())).toEqual([all[0]?.id]);
    expect((await store().state()).hasGivenUp).toBeUndefined();
  });

  it('gives up an event that is forbidden for hours, so that a firewall does not hold up all others', async () => {
    const clock = quickClock();
    const [forbidden, next] = [decision(), decision()];
    rig.receiver.answer = ({ id }) => ({ status: id === forbidden.id ? 403 : 200 });
    run({}, clock);
    await begun();
    await rig.log.append([forbidden, next]);
    expect(await taken(1)).toEqual([next.id]);
    expect(idsOf(await store().deadLetters())).toEqual([forbidden.id]);
    const waited = clock.waits.reduce((sum, ms) => sum + ms, 0);
    expect(waited).toBeGreaterThanOrEqual(FORBIDDEN_MS - 10_000);
    expect(waited).toBeLessThan(OUTAGE_MS);
  });

  it('gives up nothing because the clock steps forward', async () => {
    const [event] = [decision()];
    const quick = quickClock();
    const clock: Clock = { ...quick, now: () => quick.now() + rig.receiver.received.length * OUTAGE_MS };
    rig.receiver.answer = () => ({ status: rig.receiver.received.length <= 40 ? 502 : 200 });
    run({}, clock);
    await begun();
    await rig.log.append([event]);
    expect(await taken(1)).toEqual([event.id]);
    expect(await store().deadLetters()).toEqual([]);
  });

  it('does not lose what a person asks for while it sends a dead letter again', async () => {
    const letter = { id: 'a', type: 't', at: '', attempts: 8, error: '', event: '{}' };
    await store().bury(letter);
    const [failing] = [decision()];
    let isAsked = false;
    rig.receiver.answer = ({ id }) => ({ status: id === failing.id && !isAsked ? 500 : 200 });
    const around = (sender: WebhookSender): WebhookSender => ({
      async send(event, signal) {
        if (event.id === 'a') {
          isAsked = true;
          await requestRetry(store(), [failing.id]);
        }
        return sender.send(event, signal);
      },
      close: () => sender.close(),
    });
    run({}, patientClock(), around);
    await begun();
    await rig.log.append([failing]);
    await until('it fails', async () => (await store().state()).failing?.id === failing.id, LONG_MS);
    await requestRetry(store(), ['a']);
    expect(await taken(2)).toEqual(['a', failing.id]);
  });

  it('corrects the number of dead letters that a process which died left wrong', async () => {
    const { gauges } = run();
    await until('a number', () => gauges.get('dead_letters') === 0, LONG_MS);
    await store().update((state) => ({ ...state, deadLetters: 7 }));
    await until('the right number', async () => (await store().state()).deadLetters === 0, LONG_MS);
  });

  it('does not count an outage as refusals of the event', async () => {
    const [event] = [decision()];
    const statuses = [...Array(12).fill(502), ...Array(7).fill(400), 502, ...Array(7).fill(400), 200];
    rig.receiver.answer = () => ({ status: statuses[rig.receiver.received.length - 1] });
    run();
    await begun();
    await rig.log.append([event]);
    expect(await taken(1)).toEqual([event.id]);
    expect(await store().deadLetters()).toEqual([]);
  });

  it('keeps its dead letters within a limit, and then waits', async () => {
    for (let at = 0; at < MAX_DEAD_LETTERS; at++)
      await store().bury({ id: `${at}`, type: 't', at: '', attempts: 1, error: '', event: '{}' });
    const [full, next] = [decision(), decision()];
    rig.receiver.answer = () => ({ status: rig.receiver.received.length <= 30 ? 400 : 200 });
    run();
    await begun();
    await rig.log.append([full, next]);
    expect(await taken(2)).toEqual([full.id, next.id]);
    expect(await store().deadLetters()).toHaveLength(MAX_DEAD_LETTERS);
    expect(await store().bury({ id: '5', type: 't', at: '', attempts: 1, error: '', event: '{}' })).toBe(
      true,
    );
  });

  it('is disabled by 410, also over a restart, and a person enables it', async () => {
    const all = decisions(2);
    rig.receiver.answer = () => ({ status: 410 });
    const { stop, gauges } = run();
    await begun();
    await rig.log.append(all);
    await until('it is disabled', () => gauges.get('disabled') === 1, LONG_MS);
    await stop();
    rig.receiver.answer = () => ({ status: 200 });
    const again = run();
    await until('it is disabled still', () => again.gauges.get('disabled') === 1, LONG_MS);
    expect(rig.receiver.received).toHaveLength(1);
    await requestRetry(store(), undefined);
    expect(await taken(2)).toEqual(idsOf(all));
  });

  it('sends again at once when a person asks, and leaves out an event that a person drops', async () => {
    const [first, second, third] = [decision(), decision(), decision()];
    rig.receiver.answer = () => ({ status: 500 });
    run({}, patientClock());
    await begun();
    await rig.log.append([first, second, third]);
    const failingAt = (id: string) =>
      until(`${id} fails`, async () => (await store().state()).failing?.id === id, LONG_MS);
    await failingAt(first.id);
    expect(await dropEvent(store(), 'unknown')).toBe(false);
    expect(await dropEvent(store(), first.id)).toBe(true);
    await failingAt(second.id);
    rig.receiver.answer = () => ({ status: 200 });
    expect(await requestRetry(store(), undefined)).toEqual([second.id]);
    expect(await taken(2)).toEqual([second.id, third.id]);
  });

  it('sends a dead letter again when a person asks, and keeps it if the receiver refuses it again', async () => {
    const letter = (id: string) => ({ id, type: 't', at: '', attempts: 8, error: '', event: '{}' });
    for (const id of ['a', 'b', 'c']) await store().bury(letter(id));
    rig.receiver.answer = ({ id }) => ({ status: id === 'b' ? 400 : 200 });
    run();
    expect(await dropEvent(store(), 'c')).toBe(true);
    expect(await requestRetry(store(), ['a', 'c', 'x'])).toEqual(['a']);
    await taken(1);
    expect(await requestRetry(store(), undefined)).toContain('b');
    await until('b is refused', () => rig.receiver.received.some(({ id }) => id === 'b'), LONG_MS);
    await until('all is done', async () => (await store().state()).asked === undefined, LONG_MS);
    expect(idsOf(await store().deadLetters())).toEqual(['b']);
    expect((await store().state()).deadLetters).toBe(1);
  });
});

describe('a process that dies at any step', () => {
  const [refused, first, last] = [decision(), decision(), decision()];
  const failing = {
    id: refused.id,
    type: refused.type,
    since: refused.time,
    attempts: 6,
    refusals: 6,
    error: 'answered 400',
  };

  /** Steps are the writes to the store and the requests. Dies before or after the effect of one; true if it reached the end. */
  async function live(deathAt: number, isBefore: boolean): Promise<boolean> {
    let steps = 0;
    let isDead = false;
    const step = async <T>(effect: () => Promise<T>): Promise<T> => {
      const isLast = ++steps >= deathAt;
      if (isDead || (isLast && isBefore)) isDead = true;
      else {
        const result = await effect();
        if (!isLast) return result;
        isDead = true;
      }
      throw new Error('dead');
    };
    const mortal: KeyValueStore = {
      ...rig.keyValues,
      set: (name, value) => step(() => rig.keyValues.set(name, value)),
      replace: (name, expected, value) => step(() => rig.keyValues.replace(name, expected, value)),
    };
    const { stop } = run({ store: new WebhookStore(mortal, 'audit') }, quickClock(), (sender) => ({
      send: (event, signal) =>
        step(() => sender.send(event, signal)).catch(
          () => ({ kind: 'failed', error: 'dead', isAboutEvent: false }) as const,
        ),
      close: () => sender.close(),
    }));
    const isThrough = async () => (await store().position()) === last.id;
    await until('the end', async () => isDead || (await isThrough()), LONG_MS);
    await stop();
    return !isDead;
  }

  it('delivers each event at least once, in order, and loses none', async () => {
    const start = await rig.log.position();
    await rig.log.append([refused, first, last]);
    rig.receiver.answer = ({ id }) => ({ status: id === refused.id ? 400 : 200 });
    for (let at = 1, isThrough = false; !isThrough; at++) {
      for (const isBefore of [true, false]) {
        rig.keyValues.values.clear();
        await store().reached(start);
        await store().update((state) => ({ ...state, failing }));
        rig.receiver.taken.length = 0;
        isThrough = await live(at, isBefore);
        if (!isThrough) expect(await live(Number.POSITIVE_INFINITY, false)).toBe(true);
        expect([...new Set(rig.receiver.taken)], `a death at step ${at}`).toEqual([first.id, last.id]);
        expect(idsOf(await store().deadLetters())).toEqual([refused.id]);
      }
    }
  });
});
