import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { faultsOf } from '../support/decisions.js';
import { isSoak } from '../support/soak.js';
import { applyChange } from './history/apply-change.js';
import { type Change, historyOf } from './history/changes.js';
import { bySubject, differencesOf, intentionsOf, type Plain } from './history/compare.js';
import { type Side, startEmbeddedSide, startRealSide } from './history/side.js';

/*
 * One seeded history is made twice: on embedded Consul, queue and decision log, and on a real Consul, BullMQ on Redis
 * and Kafka. The identity provider is the embedded one both times: Keycloak tells other events of the same change
 * (several for one, in its own words), so that causes would differ by nature. Each change is waited for until the
 * daemon has seen and settled it, so that what is merged of neighbouring changes does not differ. HISTORY_SEED and
 * HISTORY_CHANGES ask for another one; `npm run faults` plays a longer one.
 */
const SEED = Number(process.env.HISTORY_SEED ?? 1);
const CHANGES = Number(process.env.HISTORY_CHANGES ?? (isSoak ? 500 : 200));

interface Played {
  /** What the servers answered to each change. */
  readonly said: readonly string[];
  readonly intentions: readonly string[];
  readonly decisions: ReadonlyMap<string, readonly Plain[]>;
  readonly faults: readonly string[];
  /** How often each reason was given. */
  readonly reasons: ReadonlyMap<string, number>;
  readonly seconds: number;
}

describe(`one history of ${CHANGES} changes, seed ${SEED}`, () => {
  const history = historyOf(SEED, CHANGES);
  const sides: Side[] = [];
  let embedded: Played;
  let real: Played;

  beforeAll(async () => {
    const started = await Promise.allSettled([startEmbeddedSide(), startRealSide()]);
    for (const each of started) if (each.status === 'fulfilled') sides.push(each.value);
    for (const each of started) if (each.status === 'rejected') throw each.reason;
    const played = await Promise.allSettled(sides.map((side) => play(history, side)));
    for (const each of played) if (each.status === 'rejected') throw each.reason;
    const [first, second] = played.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    if (first === undefined || second === undefined) throw new Error('two sides were to be played');
    [embedded, real] = [first, second];
    console.info(`seed ${SEED}: ${describePlayed('embedded', embedded)}; ${describePlayed('real', real)}`);
    // Two minutes on a quiet machine.
  }, 900_000);
  afterAll(() => Promise.all(sides.map((side) => side.dispose())));

  it('is answered the same by both Consuls, refusals included', () => {
    const differ = history.flatMap((change, at) =>
      embedded.said[at] === real.said[at]
        ? []
        : [`${at} ${JSON.stringify(change)}: ${embedded.said[at]} | ${real.said[at]}`],
    );
    expect(differ).toEqual([]);
  });

  it('leads to the same decisions, subject by subject and field by field', () => {
    expect(differencesOf(embedded.decisions, real.decisions)).toEqual([]);
    expect([...embedded.decisions.keys()]).toEqual([...real.decisions.keys()]);
  });

  it.skipIf(CHANGES < 200)('has much to decide', () => {
    const count = [...embedded.decisions.values()].flat().length;
    expect(count).toBeGreaterThan(CHANGES / 2);
    expect(embedded.reasons.size, [...embedded.reasons.keys()].join()).toBeGreaterThanOrEqual(15);
  });

  it('leaves the same intentions', () => {
    expect(embedded.intentions).toEqual(real.intentions);
  });

  it('counts the revisions of each subject without a gap on both', () => {
    expect({ embedded: embedded.faults, real: real.faults }).toEqual({ embedded: [], real: [] });
  });
});

async function play(history: readonly Change[], side: Side): Promise<Played> {
  const began = performance.now();
  const said: string[] = [];
  const beganAt: number[] = [];
  for (const [at, change] of history.entries()) {
    beganAt.push(Date.now());
    said.push(
      await applyChange(change, side).catch((error: unknown) => {
        throw new Error(`${side.name}: change ${at} ${JSON.stringify(change)}`, { cause: error });
      }),
    );
  }
  const intentions = await intentionsOf(side);
  const seconds = (performance.now() - began) / 1000;
  const all = await side.end();
  const decisions = bySubject(all, beganAt);
  const reasons = new Map<string, number>();
  for (const { reason } of [...decisions.values()].flat())
    reasons.set(String(reason), (reasons.get(String(reason)) ?? 0) + 1);
  return { said, intentions, decisions, faults: faultsOf(all), reasons, seconds };
}

function describePlayed(name: string, { decisions, reasons, seconds }: Played): string {
  const count = [...decisions.values()].flat().length;
  const counted = [...reasons].map(([reason, times]) => `${reason} ${times}`).join(', ');
  return `${name} ${count} decisions on ${decisions.size} subjects in ${Math.round(seconds)} s (${counted})`;
}
