import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../src/clock.js';
import { CHECKPOINT_TYPE } from '../../src/decisions/checkpoint.js';
import { createEmbeddedDecisionLog } from '../../src/decisions/embedded/embedded-decision-log.js';
import { toCloudEvent } from '../../src/decisions/envelope.js';
import { createWebhookSender } from '../../src/decisions/http/webhook-sender.js';
import type { DecisionLog } from '../../src/decisions/log.js';
import type { WebhookSender } from '../../src/decisions/webhook.js';
import { deliverWebhook, FORBIDDEN_MS, OUTAGE_MS, TICK_MS } from '../../src/decisions/webhook-delivery.js';
import { askRetry, dropEvent } from '../../src/decisions/webhook-requests.js';
import { MOST_DEAD_LETTERS, WebhookStore } from '../../src/decisions/webhook-state.js';
import { Secret } from '../../src/model/secret.js';
import { type Metrics, silentLogger } from '../../src/observe.js';
import type { KeyValueStore } from '../../src/queue/key-value-store.js';
import { decision, decisions } from '../support/decisions.js';
import { until } from '../support/until.js';
import { startWebhookReceiver, type WebhookReceiver } from '../support/webhook-receiver.js';
import { createFacts } from '../support/worker-facts.js';

const LONG_MS = 100_000;

let directory: string;
let log: DecisionLog;
let keyValues: ReturnType<typeof createFacts>;
let receiver: WebhookReceiver;
const running: (() => Promise<void>)[] = [];
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'scopemesh-webhook-'));
  log = createEmbeddedDecisionLog({ directory, logger: silentLogger, clock: systemClock });
  keyValues = createFacts();
  receiver = await startWebhookReceiver();
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((stop) => stop()));
  await log.close();
  rmSync(directory, { recursive: true, force: true });
});

const store = () => new WebhookStore(keyValues, 'audit');
const idsOf = (all: readonly { readonly id: string }[]) => all.map(({ id }) => id);

/** A clock on which a tick is short and each longer wait is over at once. `waits`: of the longer ones. */
function quickClock(): Clock & { readonly waits: number[] } {
  let ahead = 0;
  const waits: number[] = [];
  return {
    waits,
    now: () => systemClock.now() + ahead,
    async sleep(ms, signal) {
      if (ms <= TICK_MS) return systemClock.sleep(1, signal);
      waits.push(ms);
      ahead += ms;
      return systemClock.sleep(0, signal);
    },
  };
}

interface Run {
  readonly stop: () => Promise<void>;
  readonly gauges: Map<string, number>;
  readonly counts: Map<string, number>;
}

function run(
  changes: Partial<Parameters<typeof deliverWebhook>[0]> = {},
  clock: Clock = quickClock(),
  around: (sender: WebhookSender) => WebhookSender = (sender) => sender,
): Run {
  const end = new AbortController();
  const [gauges, counts] = [new Map<string, number>(), new Map<string, number>()];
  const metrics: Metrics = {
    count: (name, { result = '' } = {}, by = 1) => {
      const key = `${name.replace('scopemesh_webhook_', '')} ${result}`.trim();
      counts.set(key, (counts.get(key) ?? 0) + by);
    },
    gauge: (name, value) => void gauges.set(name.replace('scopemesh_webhook_', ''), value),
    time: () => {},
  };
  const sender = createWebhookSender({
    name: 'audit',
    url: receiver.url,
    secrets: [new Secret(receiver.secret)],
    timeoutMs: LONG_MS,
    clock,
  });
  const deps = {
    name: 'audit',
    owner: 'payments',
    log,
    store: store(),
    sender: around(sender),
    wants: () => true,
    isPaused: () => false,
    logger: silentLogger,
    metrics,
    clock,
    ...changes,
  };
  const ended = deliverWebhook(deps, end.signal);
  const stop = async () => {
    end.abort();
    await ended;
    await sender.close();
  };
  running.push(stop);
  return { stop, gauges, counts };
}

/** Begins at the end of the log as it is now. */
const begun = () => until('the position', async () => (await store().position()) !== undefined, LONG_MS);
const taken = (count: number) =>
  until(`${count} events`, () => receiver.taken.length >= count, LONG_MS).then(() => receiver.taken);
/** A wait that nothing ends but a person. */
const patientClock = (): Clock => ({
  now: systemClock.now,
  sleep: (ms, signal) => systemClock.sleep(ms <= TICK_MS ? 1 : LONG_MS * 10, signal),
});

describe('a webhook', () => {
  it('begins with the next decision, sends them in order, and goes on where it ended', async () => {
    const [before, first, between] = [decisions(2), decisions(5), decisions(3)];
    await log.append(before);
    const { stop } = run();
    await begun();
    await log.append(first);
    expect(await taken(5)).toEqual(idsOf(first));
    await until('the position', async () => (await store().position()) === first.at(-1)?.id, LONG_MS);
    await stop();
    await log.append(between);
    run();
    expect(await taken(8)).toEqual(idsOf([...first, ...between]));
    expect(JSON.parse(receiver.received[0]?.body ?? '')).toMatchObject({
      specversion: '1.0',
      id: first[0]?.id,
      data: { reason: 'ScopeRevoked' },
    });
  });

  it('sends only the types that are wanted, and nothing of another owner', async () => {
    const wanted = decision({ type: 'dev.scopemesh.client.quarantined' });
    const foreign = decision({ type: wanted.type, source: 'scopemesh/payments-2/replica-1' });
    run({ wants: (type) => type === wanted.type });
    await begun();
    await log.append([decision(), foreign, wanted]);
    expect(await taken(1)).toEqual([wanted.id]);
    await until('the position', async () => (await store().position()) === wanted.id, LONG_MS);
    expect(receiver.received).toHaveLength(1);
  });

  it('repeats an event in front of all others until the receiver takes it, less and less often', async () => {
    const clock = quickClock();
    const all = decisions(3);
    receiver.answer = () => (receiver.received.length < 20 ? { status: 500 } : { status: 200 });
    const { counts } = run({}, clock);
    await begun();
    await log.append(all);
    expect(await taken(3)).toEqual(idsOf(all));
    expect(new Set(idsOf(receiver.received.slice(0, 20)))).toEqual(new Set([all[0]?.id]));
    expect(counts.get('deliveries_total failed')).toBe(19);
    expect(clock.waits[0]).toBeGreaterThanOrEqual(2_500);
    expect(clock.waits[0]).toBeLessThanOrEqual(5_000);
    expect(Math.max(...clock.waits)).toBeLessThanOrEqual(3_600_000);
    expect(Math.min(...clock.waits.slice(12))).toBeGreaterThanOrEqual(1_800_000);
  });

  it('waits as long as the receiver asks', async () => {
    const clock = quickClock();
    receiver.answer = () =>
      receiver.received.length < 2 ? { status: 503, headers: { 'retry-after': '1234' } } : { status: 200 };
    run({}, clock);
    await begun();
    await log.append(decisions(1));
    await taken(1);
    expect(clock.waits).toEqual([1_234_000]);
  });

  it('gives up an event that the receiver refuses, and goes on with the next one', async () => {
    const [refused, next] = [decision(), decision()];
    receiver.answer = ({ id }) => ({ status: id === refused.id ? 422 : 200 });
    const { gauges, counts } = run();
    await begun();
    await log.append([refused, next]);
    expect(await taken(1)).toEqual([next.id]);
    expect(receiver.received).toHaveLength(9);
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
    receiver.answer = ({ id }) => ({ status: id === lost.id ? 502 : 200 });
    run({}, clock);
    await begun();
    await log.append([lost, next]);
    expect(await taken(1)).toEqual([next.id]);
    const [letter] = await store().deadLetters();
    expect(letter).toMatchObject({ id: lost.id, error: 'answered 502' });
    expect(letter?.attempts).toBeGreaterThan(92);
    expect(letter?.attempts).toBeLessThan(97);
  });

  it('gives up no second event that is refused before the receiver takes one, who may refuse the signature', async () => {
    const all = decisions(3);
    receiver.answer = () => ({ status: receiver.received.length <= 30 ? 400 : 200 });
    run();
    await begun();
    await log.append(all);
    expect(await taken(2)).toEqual(idsOf(all.slice(1)));
    expect(idsOf(await store().deadLetters())).toEqual([all[0]?.id]);
    expect((await store().state()).hasGivenUp).toBeUndefined();
  });

  it('gives up an event that is forbidden for hours, so that a firewall does not hold up all others', async () => {
    const clock = quickClock();
    const [forbidden, next] = [decision(), decision()];
    receiver.answer = ({ id }) => ({ status: id === forbidden.id ? 403 : 200 });
    run({}, clock);
    await begun();
    await log.append([forbidden, next]);
    expect(await taken(1)).toEqual([next.id]);
    expect(idsOf(await store().deadLetters())).toEqual([forbidden.id]);
    const waited = clock.waits.reduce((sum, ms) => sum + ms, 0);
    expect(waited).toBeGreaterThanOrEqual(FORBIDDEN_MS - 10_000);
    expect(waited).toBeLessThan(OUTAGE_MS);
  });

  it('gives up nothing because the clock steps forward', async () => {
    const [event] = [decision()];
    const quick = quickClock();
    const clock: Clock = { ...quick, now: () => quick.now() + receiver.received.length * OUTAGE_MS };
    receiver.answer = () => ({ status: receiver.received.length <= 40 ? 502 : 200 });
    run({}, clock);
    await begun();
    await log.append([event]);
    expect(await taken(1)).toEqual([event.id]);
    expect(await store().deadLetters()).toEqual([]);
  });

  it('signs nothing that is no decision or checkpoint, whoever wrote it to the topic', async () => {
    const own = { source: 'scopemesh/payments', type: 'dev.scopemesh.intention.deleted' };
    const good = decision();
    const events = [
      'no JSON',
      '{}',
      JSON.stringify({ ...own, id: 'forged', data: { text: 'do this' } }),
      JSON.stringify({ ...own, id: 'forged', type: CHECKPOINT_TYPE, data: {} }),
      JSON.stringify({ ...toCloudEvent(decision()), id: 'a\r\nb: c' }),
      JSON.stringify({ ...toCloudEvent(decision()), id: 'a'.repeat(129) }),
      JSON.stringify(toCloudEvent(good)),
    ];
    const topic: Pick<DecisionLog, 'position' | 'readFrom'> = {
      position: async () => '0',
      async *readFrom(_, signal) {
        for (const [at, event] of events.entries()) yield { event, position: `${at + 1}` };
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      },
    };
    const { counts } = run({ log: topic });
    expect(await taken(1)).toEqual([good.id]);
    expect(receiver.received).toHaveLength(1);
    expect(counts.get('deliveries_total skipped')).toBe(6);
  });

  it('does not lose what a person asks for while it sends a dead letter again', async () => {
    const letter = { id: 'a', type: 't', at: '', attempts: 8, error: '', event: '{}' };
    await store().bury(letter);
    const [failing] = [decision()];
    let isAsked = false;
    receiver.answer = ({ id }) => ({ status: id === failing.id && !isAsked ? 500 : 200 });
    const around = (sender: WebhookSender): WebhookSender => ({
      async send(event, signal) {
        if (event.id === 'a') {
          isAsked = true;
          await askRetry(store(), [failing.id]);
        }
        return sender.send(event, signal);
      },
      close: () => sender.close(),
    });
    run({}, patientClock(), around);
    await begun();
    await log.append([failing]);
    await until('it fails', async () => (await store().state()).failing?.id === failing.id, LONG_MS);
    await askRetry(store(), ['a']);
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
    receiver.answer = () => ({ status: statuses[receiver.received.length - 1] });
    run();
    await begun();
    await log.append([event]);
    expect(await taken(1)).toEqual([event.id]);
    expect(await store().deadLetters()).toEqual([]);
  });

  it('keeps its dead letters within a limit, and then waits', async () => {
    for (let at = 0; at < MOST_DEAD_LETTERS; at++)
      await store().bury({ id: `${at}`, type: 't', at: '', attempts: 1, error: '', event: '{}' });
    const [full, next] = [decision(), decision()];
    receiver.answer = () => ({ status: receiver.received.length <= 30 ? 400 : 200 });
    run();
    await begun();
    await log.append([full, next]);
    expect(await taken(2)).toEqual([full.id, next.id]);
    expect(await store().deadLetters()).toHaveLength(MOST_DEAD_LETTERS);
    expect(await store().bury({ id: '5', type: 't', at: '', attempts: 1, error: '', event: '{}' })).toBe(
      true,
    );
  });

  it('is disabled by 410, also over a restart, and a person enables it', async () => {
    const all = decisions(2);
    receiver.answer = () => ({ status: 410 });
    const { stop, gauges } = run();
    await begun();
    await log.append(all);
    await until('it is disabled', () => gauges.get('disabled') === 1, LONG_MS);
    await stop();
    receiver.answer = () => ({ status: 200 });
    const again = run();
    await until('it is disabled still', () => again.gauges.get('disabled') === 1, LONG_MS);
    expect(receiver.received).toHaveLength(1);
    await askRetry(store(), undefined);
    expect(await taken(2)).toEqual(idsOf(all));
  });

  it('sends again at once when a person asks, and leaves out an event that a person drops', async () => {
    const [first, second, third] = [decision(), decision(), decision()];
    receiver.answer = () => ({ status: 500 });
    run({}, patientClock());
    await begun();
    await log.append([first, second, third]);
    const failingAt = (id: string) =>
      until(`${id} fails`, async () => (await store().state()).failing?.id === id, LONG_MS);
    await failingAt(first.id);
    expect(await dropEvent(store(), 'unknown')).toBe(false);
    expect(await dropEvent(store(), first.id)).toBe(true);
    await failingAt(second.id);
    receiver.answer = () => ({ status: 200 });
    expect(await askRetry(store(), undefined)).toEqual([second.id]);
    expect(await taken(2)).toEqual([second.id, third.id]);
  });

  it('sends a dead letter again when a person asks, and keeps it if the receiver refuses it again', async () => {
    const letter = (id: string) => ({ id, type: 't', at: '', attempts: 8, error: '', event: '{}' });
    for (const id of ['a', 'b', 'c']) await store().bury(letter(id));
    receiver.answer = ({ id }) => ({ status: id === 'b' ? 400 : 200 });
    run();
    expect(await dropEvent(store(), 'c')).toBe(true);
    expect(await askRetry(store(), ['a', 'c', 'x'])).toEqual(['a']);
    await taken(1);
    expect(await askRetry(store(), undefined)).toContain('b');
    await until('b is refused', () => receiver.received.some(({ id }) => id === 'b'), LONG_MS);
    await until('all is done', async () => (await store().state()).asked === undefined, LONG_MS);
    expect(idsOf(await store().deadLetters())).toEqual(['b']);
    expect((await store().state()).deadLetters).toBe(1);
  });

  it('sends nothing while the store is full', async () => {
    let isPaused = true;
    let looks = 0;
    run({
      isPaused: () => {
        looks++;
        return isPaused;
      },
    });
    await begun();
    await log.append(decisions(1));
    await until('it looks again', () => looks > 2, LONG_MS);
    expect(receiver.received).toEqual([]);
    isPaused = false;
    await taken(1);
  });

  it('reports what was deleted before it was sent, and goes on with what is left', async () => {
    await store().reached('01J00000000000000000000GONE');
    const all = decisions(2);
    await log.append(all);
    const { counts } = run();
    expect(await taken(2)).toEqual(idsOf(all));
    expect(counts.get('gaps_total')).toBe(1);
  });

  it('waits no more for an event that it does not want any more', async () => {
    const [unwanted, next] = [decision({ type: 'dev.scopemesh.client.quarantined' }), decision()];
    const failing = {
      id: unwanted.id,
      type: unwanted.type,
      since: unwanted.time,
      attempts: 3,
      refusals: 0,
      error: '',
    };
    await store().update((state) => ({ ...state, failing }));
    const { gauges } = run({ wants: (type) => type === next.type });
    await begun();
    await log.append([unwanted]);
    await until('the state', async () => (await store().state()).failing === undefined, LONG_MS);
    await until('the gauge', () => gauges.get('failing_seconds') === 0, LONG_MS);
    expect(receiver.received).toEqual([]);
  });

  it('goes on after failures of the store and of the log', async () => {
    let faults = 6;
    const failing: KeyValueStore = {
      ...keyValues,
      get: (name) => (faults-- > 0 ? Promise.reject(new Error('no store')) : keyValues.get(name)),
    };
    const { counts } = run({ store: new WebhookStore(failing, 'audit') });
    await begun();
    await log.append(decisions(1));
    await taken(1);
    expect(counts.get('interruptions_total')).toBeGreaterThan(0);
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
      ...keyValues,
      set: (name, value) => step(() => keyValues.set(name, value)),
      replace: (name, expected, value) => step(() => keyValues.replace(name, expected, value)),
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
    const start = await log.position();
    await log.append([refused, first, last]);
    receiver.answer = ({ id }) => ({ status: id === refused.id ? 400 : 200 });
    for (let at = 1, isThrough = false; !isThrough; at++) {
      for (const isBefore of [true, false]) {
        keyValues.values.clear();
        await store().reached(start);
        await store().update((state) => ({ ...state, failing }));
        receiver.taken.length = 0;
        isThrough = await live(at, isBefore);
        if (!isThrough) expect(await live(Number.POSITIVE_INFINITY, false)).toBe(true);
        expect([...new Set(receiver.taken)], `a death at step ${at}`).toEqual([first.id, last.id]);
        expect(idsOf(await store().deadLetters())).toEqual([refused.id]);
      }
    }
  });
});
