import { describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../src/clock.js';
import { ProofCheck } from '../../src/decisions/batch-proof.js';
import { CHECKPOINT_TYPE } from '../../src/decisions/checkpoint.js';
import { toCloudEvent } from '../../src/decisions/envelope.js';
import type { DecisionLog } from '../../src/decisions/log.js';
import { WebhookCursor } from '../../src/decisions/webhook-cursor.js';
import { TICK_MS } from '../../src/decisions/webhook-delivery.js';
import { fieldOf } from '../../src/model/field-of.js';
import type { KeyValueStore } from '../../src/queue/key-value-store.js';
import { aborted } from '../support/aborted.js';
import { decision, decisions } from '../support/decisions.js';
import { chained, stranger, verifier } from '../support/signed-log.js';
import { until } from '../support/until.js';
import { createWebhookRig, idsOf, LONG_MS, patientClock, quickClock } from './webhook-rig.js';

const rig = createWebhookRig();
const { cursor, run, begun, taken } = rig;
const reached = (position: string | undefined) =>
  until('the position', async () => (await cursor().read())?.position === position, LONG_MS);

describe('a webhook', () => {
  it('begins with the next decision, sends them in order, and goes on where it ended', async () => {
    const [before, first, between] = [decisions(2), decisions(5), decisions(3)];
    await rig.log.append(before);
    const { stop, said } = run();
    await begun();
    await rig.log.append(first);
    expect(await taken(5)).toEqual(idsOf(first));
    await reached(first.at(-1)?.id);
    await stop();
    expect(said).toEqual([[{ webhook: 'audit' }, 'a new webhook begins with the next decision']]);
    await rig.log.append(between);
    const again = run();
    expect(await taken(8)).toEqual(idsOf([...first, ...between]));
    expect(again.said).toEqual([]);
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
    await reached(selected.id);
    expect(rig.receiver.received).toHaveLength(1);
  });

  it('repeats an event in front of all others until the receiver takes it, less and less often', async () => {
    const clock = quickClock();
    const all = decisions(3);
    rig.receiver.answer = () => (rig.receiver.received.length < 20 ? { status: 500 } : { status: 200 });
    const { counts, said } = run({}, clock);
    await begun();
    await rig.log.append(all);
    expect(await taken(3)).toEqual(idsOf(all));
    expect(said.slice(1)).toEqual([
      [
        { webhook: 'audit', eventId: all[0]?.id, error: 'answered 500' },
        'a webhook was not delivered; scopemesh tries again',
      ],
      [{ webhook: 'audit', attempts: 19 }, 'a webhook takes events again'],
    ]);
    expect(new Set(idsOf(rig.receiver.received.slice(0, 20)))).toEqual(new Set([all[0]?.id]));
    expect(counts.get('deliveries_total failed')).toBe(19);
    expect(clock.waits[0]).toBeGreaterThanOrEqual(2_500);
    expect(clock.waits[0]).toBeLessThanOrEqual(5_000);
    expect(Math.max(...clock.waits)).toBeLessThanOrEqual(300_000);
    expect(Math.min(...clock.waits.slice(12))).toBeGreaterThanOrEqual(150_000);
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
      ...['id', 'type', 'source'].map((left) => JSON.stringify({ ...toCloudEvent(decision()), [left]: 7 })),
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
    const { counts, said } = run({ log: topic });
    expect(await taken(1)).toEqual([good.id]);
    expect(rig.receiver.received).toHaveLength(1);
    expect(counts.get('deliveries_total skipped')).toBe(8);
    const errors = said.slice(1).map(([fields]) => fieldOf(fields, 'error'));
    expect(errors.slice(1, 4)).toEqual(Array(3).fill('it is no CloudEvent'));
    expect(errors.slice(6)).toEqual(Array(2).fill('its ID is not 1 to 128 visible ASCII characters'));
  });

  it('sends only what a trusted key signed', async () => {
    const [forged, good] = [decision(), decision()];
    const { said } = run({ proofs: () => new ProofCheck([verifier]) });
    await begun();
    await rig.log.append([...chained([forged], 'zero', stranger), ...chained([good])]);
    expect(await taken(1)).toEqual([good.id]);
    expect(said.slice(1)).toEqual([
      [
        { webhook: 'audit', error: 'no key signed it that this replica trusts' },
        'skipped an event that is not a decision',
      ],
    ]);
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
    await cursor().move(undefined, { position: '01J00000000000000000000GONE' });
    const all = decisions(2);
    await rig.log.append(all);
    const { counts, said } = run();
    expect(await taken(2)).toEqual(idsOf(all));
    expect(counts.get('gaps_total')).toBe(1);
    expect(said).toEqual([
      [{ webhook: 'audit' }, 'decisions were deleted from the log before a webhook delivered them'],
    ]);
  });

  it('waits no more for an event that it does not want any more', async () => {
    const [unselected, next] = [decision({ type: 'dev.scopemesh.client.quarantined' }), decision()];
    const { id, type, time: since } = unselected;
    const failing = { id, type, since, attempts: 3, error: '', behind: id };
    await cursor().move(undefined, { position: await rig.log.position(), failing });
    const { gauges } = run({ wants: (type) => type === next.type });
    await begun();
    await rig.log.append([unselected]);
    await reached(unselected.id);
    await until('the gauge', () => gauges.get('failing_seconds') === 0, LONG_MS);
    expect(rig.receiver.received).toEqual([]);
  });

  it('goes on after failures of the store, less and less often, and says of each outage once that it waits', async () => {
    let faults = 8;
    const failing: KeyValueStore = {
      ...rig.keyValues,
      get: (name) => (faults-- > 0 ? Promise.reject(new Error('no store')) : rig.keyValues.get(name)),
    };
    const clock = quickClock();
    const { counts, said } = run({ cursor: new WebhookCursor(failing, 'audit') }, clock);
    await begun();
    const [first, second] = [decision(), decision()];
    await rig.log.append([first]);
    await reached(first.id);
    expect(counts.get('interruptions_total')).toBe(8);
    const longest = [2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000];
    expect(clock.waits.map((ms, at) => ms >= (longest[at] ?? 0) / 2 && ms <= (longest[at] ?? 0))).toEqual(
      longest.map(() => true),
    );
    faults = 2;
    await until('the second outage', () => faults < 0, LONG_MS);
    await rig.log.append([second]);
    await reached(second.id);
    expect(counts.get('interruptions_total')).toBe(10);
    expect(clock.waits).toHaveLength(8);
    const waits = [
      { webhook: 'audit', error: 'no store' },
      'a webhook waits: the decision log or the store fails',
    ];
    expect(said.filter(([, message]) => message.includes('waits'))).toEqual([waits, waits]);
  });

  it('goes on after a failure of the log, and leaves nothing behind that waits', async () => {
    let fails = 1;
    const topic: Pick<DecisionLog, 'position' | 'readFrom'> = {
      position: () => rig.log.position(),
      readFrom(position, signal) {
        if (fails-- > 0) throw new Error('no log');
        return rig.log.readFrom(position, signal);
      },
    };
    let waiting = 0;
    const sleep: Clock['sleep'] = (ms, signal) => {
      waiting++;
      const end = systemClock.sleep(ms === TICK_MS ? LONG_MS : 1, signal);
      return end.finally(() => waiting--);
    };
    const { said, stop } = run({ log: topic }, { ...systemClock, sleep });
    await until('the failure', () => fails < 0, LONG_MS);
    await rig.log.append(decisions(1));
    await taken(1);
    await stop();
    expect(said.slice(1)).toEqual([
      [{ webhook: 'audit', error: 'no log' }, 'a webhook waits: the decision log or the store fails'],
    ]);
    expect(waiting).toBe(0);
  });

  it.each([{ kind: 'failed', error: 'ended' }, { kind: 'delivered' }] as const)(
    'keeps of a request at its end that it was delivered, but not that it failed: %o',
    async (answer) => {
      const [event] = decisions(1);
      const position = await rig.log.position();
      let sent = 0;
      const { stop, counts } = run({}, patientClock(), (sender) => ({
        close: () => sender.close(),
        async send(_, signal) {
          sent++;
          await aborted(signal).catch(() => {});
          return answer;
        },
      }));
      await begun();
      await rig.log.append(event === undefined ? [] : [event]);
      await until('the request', () => sent > 0, LONG_MS);
      await stop();
      const isTaken = answer.kind === 'delivered';
      expect(await cursor().read()).toEqual({ position: isTaken ? event?.id : position });
      expect(counts.get(`deliveries_total ${answer.kind}`)).toBe(isTaken ? 1 : undefined);
    },
  );

  it.each([400, 401, 403, 410, 422, 500])(
    'sends what it refuses with %i again until it takes it, counted on over a restart',
    async (status) => {
      const all = decisions(2);
      rig.receiver.answer = () => ({ status });
      const { stop } = run({}, patientClock());
      await begun();
      await rig.log.append(all);
      const failing = async () => (await cursor().read())?.failing;
      await until('it fails', async () => (await failing())?.attempts === 1, LONG_MS);
      expect(await failing()).toMatchObject({ id: all[0]?.id, error: `answered ${status}` });
      await stop();
      const { gauges, stop: stopAgain } = run({}, patientClock());
      await until('it fails again', async () => (await failing())?.attempts === 2, LONG_MS);
      await until('the gauge', () => (gauges.get('failing_seconds') ?? 0) > 0, LONG_MS);
      expect(gauges.get('failing_seconds')).toBeLessThan(100);
      expect(rig.receiver.taken).toEqual([]);
      await stopAgain();
      // Another replica counts now.
      expect(gauges.get('failing_seconds')).toBe(0);
      rig.receiver.answer = () => ({ status: 200 });
      run();
      expect(await taken(2)).toEqual(idsOf(all));
    },
  );

  it('goes on behind an event that a person skips, and only behind the one that fails', async () => {
    const [refused, next] = [decision(), decision()];
    rig.receiver.answer = ({ id }) => ({ status: id === refused.id ? 422 : 200 });
    run({}, patientClock());
    await begun();
    await rig.log.append([refused, next]);
    await until('it fails', async () => (await cursor().read())?.failing?.id === refused.id, LONG_MS);
    expect(await cursor().skip(next.id)).toBe(false);
    expect(rig.receiver.taken).toEqual([]);
    expect(await cursor().skip(refused.id)).toBe(true);
    expect(await taken(1)).toEqual([next.id]);
    expect(await cursor().skip(refused.id)).toBe(false);
    expect(idsOf(rig.receiver.received)).toEqual([refused.id, next.id]);
  });

  it('goes on where another leader moved the cursor to while it stored its own', async () => {
    const all = decisions(3);
    let isMoved = false;
    const shared: KeyValueStore = {
      ...rig.keyValues,
      async replace(name, from, to) {
        if (from !== undefined && !isMoved) {
          isMoved = true;
          await rig.keyValues.set(name, JSON.stringify({ position: all[1]?.id }));
        }
        return rig.keyValues.replace(name, from, to);
      },
    };
    rig.receiver.answer = ({ id }) => ({ status: id === all[0]?.id ? 500 : 200 });
    const { counts, said } = run({ cursor: new WebhookCursor(shared, 'audit') }, patientClock());
    await begun();
    await rig.log.append(all);
    expect(await taken(1)).toEqual([all[2]?.id]);
    expect(counts.get('interruptions_total')).toBeUndefined();
    expect(said.at(-1)).toEqual([{ webhook: 'audit' }, 'a webhook goes on where its cursor was moved to']);
  });

  it('says that a skip is to be tried again while the cursor changes all the time', async () => {
    const failing = {
      id: 'e',
      type: 't',
      since: '2026-03-01T10:00:00.000Z',
      attempts: 1,
      error: '',
      behind: '2',
    };
    await cursor().move(undefined, { position: '1', failing });
    let tries = 0;
    const changing: KeyValueStore = {
      ...rig.keyValues,
      async replace() {
        tries++;
        return false;
      },
    };
    await expect(new WebhookCursor(changing, 'audit').skip('e')).rejects.toMatchObject({
      code: 'ERR_QUEUE_UNREACHABLE',
      retriable: true,
      message: 'the cursor of the webhook changes all the time; try again',
    });
    expect(tries).toBe(10);
    expect(await new WebhookCursor(rig.keyValues, 'other').skip('e')).toBe(false);
  });

  it('does not move back the cursor that another leader moved on', async () => {
    const all = decisions(3);
    rig.receiver.answer = ({ id }) => ({ status: id === all[1]?.id ? 500 : 200 });
    // It looks at the cursor when it begins, and then when it ends.
    const sleep: Clock['sleep'] = (_, signal) => systemClock.sleep(LONG_MS, signal);
    const { stop } = run({}, { now: systemClock.now, sleep });
    await begun();
    const stored = await cursor().stored();
    await rig.log.append(all.slice(0, 2));
    await until('it fails', () => rig.receiver.received.length === 2, LONG_MS);
    // What the other leader delivered.
    await cursor().move(stored, { position: all[1]?.id ?? '' });
    await stop();
    expect(await cursor().read()).toEqual({ position: all[1]?.id });
    await rig.log.append(all.slice(2));
    run();
    await reached(all[2]?.id);
    expect(rig.receiver.taken).toEqual([all[0]?.id, all[2]?.id]);
  });
});
