import { describe, expect, it } from 'vitest';
import { CHECKPOINT_TYPE } from '../../src/decisions/checkpoint.js';
import { toCloudEvent } from '../../src/decisions/envelope.js';
import type { DecisionLog } from '../../src/decisions/log.js';
import { WebhookStore } from '../../src/decisions/webhook-state.js';
import type { KeyValueStore } from '../../src/queue/key-value-store.js';
import { decision, decisions } from '../support/decisions.js';
import { until } from '../support/until.js';
import { createWebhookRig, idsOf, LONG_MS, quickClock } from './webhook-rig.js';

const rig = createWebhookRig();
const { store, run, begun, taken } = rig;

describe('a webhook', () => {
  it('begins with the next decision, sends them in order, and goes on where it ended', async () => {
    const [before, first, between] = [decisions(2), decisions(5), decisions(3)];
    await rig.log.append(before);
    const { stop } = run();
    await begun();
    await rig.log.append(first);
    expect(await taken(5)).toEqual(idsOf(first));
    await until('the position', async () => (await store().position()) === first.at(-1)?.id, LONG_MS);
    await stop();
    await rig.log.append(between);
    run();
    expect(await taken(8)).toEqual(idsOf([...first, ...between]));
    expect(JSON.parse(rig.receiver.received[0]?.body ?? '')).toMatchObject({
      specversion: '1.0',
      id: first[0]?.id,
      data: { reason: 'ScopeRevoked' },
    });
  });

  it('sends only the types that are wanted, and nothing of another owner', async () => {
    const selected = decision({ type: 'dev.scopemesh.client.quarantined' });
    const foreign = decision({ type: selected.type, source: 'scopemesh/payments-2/replica-1' });
    run({ wants: (type) => type === selected.type });
    await begun();
    await rig.log.append([decision(), foreign, selected]);
    expect(await taken(1)).toEqual([selected.id]);
    await until('the position', async () => (await store().position()) === selected.id, LONG_MS);
    expect(rig.receiver.received).toHaveLength(1);
  });

  it('repeats an event in front of all others until the receiver takes it, less and less often', async () => {
    const clock = quickClock();
    const all = decisions(3);
    rig.receiver.answer = () => (rig.receiver.received.length < 20 ? { status: 500 } : { status: 200 });
    const { counts } = run({}, clock);
    await begun();
    await rig.log.append(all);
    expect(await taken(3)).toEqual(idsOf(all));
    expect(new Set(idsOf(rig.receiver.received.slice(0, 20)))).toEqual(new Set([all[0]?.id]));
    expect(counts.get('deliveries_total failed')).toBe(19);
    expect(clock.waits[0]).toBeGreaterThanOrEqual(2_500);
    expect(clock.waits[0]).toBeLessThanOrEqual(5_000);
    expect(Math.max(...clock.waits)).toBeLessThanOrEqual(3_600_000);
    expect(Math.min(...clock.waits.slice(12))).toBeGreaterThanOrEqual(1_800_000);
  });

  it('waits as long as the receiver asks', async () => {
    const clock = quickClock();
    rig.receiver.answer = () =>
      rig.receiver.received.length < 2
        ? { status: 503, headers: { 'retry-after': '1234' } }
        : { status: 200 };
    run({}, clock);
    await begun();
    await rig.log.append(decisions(1));
    await taken(1);
    expect(clock.waits).toEqual([1_234_000]);
  });

  it('signs decisions and checkpoints alone, not what else is written to the topic', async () => {
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
    expect(rig.receiver.received).toHaveLength(1);
    expect(counts.get('deliveries_total skipped')).toBe(6);
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
    await rig.log.append(decisions(1));
    await until('it looks again', () => looks > 2, LONG_MS);
    expect(rig.receiver.received).toEqual([]);
    isPaused = false;
    await taken(1);
  });

  it('reports what was deleted before it was sent, and goes on with what is left', async () => {
    await store().reached('01J00000000000000000000GONE');
    const all = decisions(2);
    await rig.log.append(all);
    const { counts } = run();
    expect(await taken(2)).toEqual(idsOf(all));
    expect(counts.get('gaps_total')).toBe(1);
  });

  it('waits no more for an event that it does not want any more', async () => {
    const [unselected, next] = [decision({ type: 'dev.scopemesh.client.quarantined' }), decision()];
    const failing = {
      id: unselected.id,
      type: unselected.type,
      since: unselected.time,
      attempts: 3,
      refusals: 0,
      error: '',
    };
    await store().update((state) => ({ ...state, failing }));
    const { gauges } = run({ wants: (type) => type === next.type });
    await begun();
    await rig.log.append([unselected]);
    await until('the state', async () => (await store().state()).failing === undefined, LONG_MS);
    await until('the gauge', () => gauges.get('failing_seconds') === 0, LONG_MS);
    expect(rig.receiver.received).toEqual([]);
  });

  it('goes on after failures of the store and of the log', async () => {
    let faults = 6;
    const failing: KeyValueStore = {
      ...rig.keyValues,
      get: (name) => (faults-- > 0 ? Promise.reject(new Error('no store')) : rig.keyValues.get(name)),
    };
    const { counts } = run({ store: new WebhookStore(failing, 'audit') });
    await begun();
    await rig.log.append(decisions(1));
    await taken(1);
    expect(counts.get('interruptions_total')).toBeGreaterThan(0);
  });
});
