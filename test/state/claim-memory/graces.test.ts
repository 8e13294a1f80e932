import { describe, expect, it } from 'vitest';
import type { ClaimStatus } from '../../../src/plan/claims.js';
import type { Loss } from '../../../src/plan/guards/guard.js';
import { ClaimMemory } from '../../../src/state/claim-memory.js';
import { ClaimStatuses, losesClaim } from '../../../src/state/claim-statuses.js';
import { fleetGuardFacts, usedHere } from '../../../src/state/fleet.js';
import { Freezes } from '../../../src/state/freezes.js';
import { KeyedMutex, Mutex } from '../../../src/state/mutex.js';
import { RevocationWindow } from '../../../src/state/revocation-window.js';
import { WorldState } from '../../../src/state/world-state.js';
import { mapping, NOW, named, SETTINGS } from '../../plan/scene.js';

const WEB = { provider: 'main', clientId: 'web' };
const API = { provider: 'main', clientId: 'api' };
const claim = (client: typeof WEB) => ({ kind: 'client', client }) as const;
const VACANT = { kind: 'vacant' } as const;

describe('the grace of a service without instances', () => {
  const memory = () => {
    const of = new ClaimMemory(100);
    of.note('a', claim(WEB), true, 0);
    return of;
  };

  it('begins when its last instance is seen to be gone, and ends once', () => {
    const of = memory();
    of.note('a', VACANT, true, 50);
    expect(of.all.get('a')).toMatchObject({ ...WEB, lastSeenAt: 50, since: 0 });
    expect([of.endGraces(149), of.endGraces(150), of.endGraces(151)]).toEqual([[], ['a'], []]);
    expect(of.all.get('a')?.lastSeenAt).toBe(Number.NEGATIVE_INFINITY);
  });

  it('does not begin while instances disagree', () => {
    const of = memory();
    of.note('a', { kind: 'several', clients: [WEB, API] }, true, 50);
    expect([of.endGraces(900), of.all.get('a')?.lastSeenAt]).toEqual([[], 0]);
  });

  it('does not begin again while it stays without instances', () => {
    const of = memory();
    of.note('a', VACANT, true, 50);
    of.note('a', VACANT, false, 120);
    expect([of.endGraces(149), of.endGraces(150)]).toEqual([[], ['a']]);
  });

  it('ends without an end when an instance returns or claims nothing, and for an unknown service', () => {
    const of = memory();
    of.note('a', VACANT, true, 50);
    of.note('a', claim(WEB), false, 60);
    expect(of.endGraces(500)).toEqual([]);
    expect(of.all.get('a')).toMatchObject({ since: 0 });
    of.note('a', { kind: 'nothing' }, true, 510);
    expect(of.all.has('a')).toBe(false);
    of.note('b', VACANT, true, 520);
    expect([of.all.has('b'), of.endGraces(900)]).toEqual([false, []]);
  });

  it('ends for each service at its own time', () => {
    const of = memory();
    of.note('b', claim(API), true, 0);
    of.note('a', VACANT, true, 10);
    of.note('b', VACANT, true, 30);
    expect([of.endGraces(110), of.endGraces(129), of.endGraces(130)]).toEqual([['a'], [], ['b']]);
  });

  it('is not longer if the clock is set back, and does not begin again', () => {
    const of = memory();
    of.note('a', VACANT, true, 1_000);
    expect(of.endGraces(500)).toEqual([]);
    expect(of.all.get('a')?.lastSeenAt).toBe(500);
    expect([of.endGraces(599), of.endGraces(600)]).toEqual([[], ['a']]);
    expect([of.endGraces(100), of.endGraces(300)]).toEqual([[], []]);
    expect(of.all.get('a')?.lastSeenAt).toBe(Number.NEGATIVE_INFINITY);
  });

  it('keeps an end that the clock did not move', () => {
    const of = memory();
    of.note('a', VACANT, true, 10);
    of.note('c', claim(API), true, 200);
    expect(of.endGraces(50)).toEqual([]);
    expect(of.all.get('a')?.lastSeenAt).toBe(10);
    expect(of.endGraces(110)).toEqual(['a']);
  });

  it('is forgotten with the claim', () => {
    const of = memory();
    of.note('a', VACANT, true, 10);
    of.forget('a');
    expect([of.all.size, of.endGraces(900)]).toEqual([0, []]);
  });
});

describe('a claim of an earlier process', () => {
  it('is old, begins its grace now, and does not affect one on another client', () => {
    const of = new ClaimMemory(100);
    of.restore('a', WEB, true, 50);
    expect(of.all.get('a')).toEqual({ ...WEB, lastSeenAt: 50, since: 0 });
    expect([of.endGraces(149), of.endGraces(150)]).toEqual([[], ['a']]);
    of.note('b', claim(API), true, 200);
    of.restore('b', WEB, false, 210);
    expect(of.all.get('b')).toEqual({ ...API, lastSeenAt: 200, since: 200 });
    of.restore('b', API, false, 220);
    expect(of.all.get('b')).toEqual({ ...API, lastSeenAt: 200, since: 0 });
    expect(of.endGraces(900)).toEqual([]);
  });

  it('of a client that changes begins again', () => {
    const of = new ClaimMemory(100);
    of.note('a', claim(WEB), true, 10);
    of.note('a', claim(API), true, 20);
    expect(of.all.get('a')).toEqual({ ...API, lastSeenAt: 20, since: 20 });
  });
});

describe('the statuses of claims', () => {
  const status = (client = WEB, name = 'a', addNothing = false): ClaimStatus => ({
    kind: 'claimed',
    service: named(name),
    client,
    addNothing,
  });
  const none: ClaimStatus = { kind: 'none', service: named('a'), vanished: false };

  it('change only if they differ, and are found by their client', () => {
    const all = new ClaimStatuses();
    expect([all.put('a', status()), all.put('a', status()), all.put('b', undefined)]).toEqual([
      true,
      false,
      false,
    ]);
    expect(all.put('b', status(WEB, 'b'))).toBe(true);
    expect([...all.on(WEB).keys()]).toEqual(['a', 'b']);
    expect(all.put('a', status(WEB, 'a', true))).toBe(true);
    expect(all.put('a', status(WEB, 'other', true))).toBe(true);
    expect(all.put('a', status(API))).toBe(true);
    expect([[...all.on(WEB).keys()], [...all.on(API).keys()]]).toEqual([['b'], ['a']]);
    expect(all.put('a', none)).toBe(true);
    expect([[...all.on(API).keys()], all.all.get('a')]).toEqual([[], none]);
    expect([all.put('a', undefined), all.all.has('a'), [...all.on(WEB).keys()]]).toEqual([
      true,
      false,
      ['b'],
    ]);
  });

  it('lose if a claim that counted is gone, refused, or on another client', () => {
    const refused: ClaimStatus = {
      kind: 'refused',
      service: named('a'),
      client: WEB,
      reason: 'ClaimTaken',
      detail: '',
    };
    const unknown: ClaimStatus = { kind: 'unknown', service: named('a'), client: WEB };
    const unrecorded: ClaimStatus = {
      kind: 'unrecorded',
      service: named('a'),
      client: WEB,
      addNothing: false,
    };
    for (const before of [status(), unrecorded]) {
      for (const after of [undefined, none, refused, status(API)])
        expect(losesClaim(before, after)).toBe(true);
      for (const after of [status(), unknown, unrecorded]) expect(losesClaim(before, after)).toBe(false);
    }
    for (const before of [undefined, none, refused, unknown])
      expect(losesClaim(before, undefined)).toBe(false);
  });
});

describe('the freezes', () => {
  const schedule = { schedule: '0 18 * * *', durationMs: 3_600_000, timeZone: 'UTC' };
  const noon = Date.parse('2026-01-05T12:00:00Z');
  const six = Date.parse('2026-01-05T18:00:00Z');

  it('are those of the schedule as the configuration has it now', () => {
    let schedules = [schedule];
    const freezes = new Freezes(() => schedules);
    expect([freezes.at(noon), freezes.at(six - 1)]).toEqual([undefined, undefined]);
    expect(freezes.at(six)).toMatchObject({ kind: 'scheduled', since: six, until: six + 3_600_000 });
    expect(freezes.at(six + 999)).toMatchObject({ kind: 'scheduled' });
    expect(freezes.at(six + 3_600_000)).toBeUndefined();
    freezes.at(six);
    schedules = [];
    expect(freezes.at(six)).toBeUndefined();
  });

  it('are also the one that a person started, until it is over, and the one that ends last counts', () => {
    const freezes = new Freezes(() => [schedule]);
    const started = { kind: 'started', since: noon, until: six + 60_000, reason: 'x' } as const;
    expect(freezes.start(started)).toBeUndefined();
    expect([freezes.at(noon), freezes.startedAt(six + 60_000)]).toEqual([started, undefined]);
    expect(freezes.at(six)).toMatchObject({ kind: 'scheduled' });
    expect(freezes.start(undefined)).toBe(started);
    expect(freezes.at(noon)).toBeUndefined();
  });
});

describe('the facts for plans of the whole fleet', () => {
  const window = new RevocationWindow(600_000);
  const subject = (name: string) => `intention/default/default/orders/${name}`;
  const at = new Date(NOW).toISOString();

  it('have what persons rejected, and nothing that is contended, low or opening', () => {
    window.rejections.put('k', new Map([[subject('a'), { by: { id: 'ana' }, at }]]));
    const world = new WorldState(mapping(), SETTINGS);
    const losses = [subject('a'), subject('b')].map((each) => ({ subject: each }) as Loss);
    const budget = { used: 0, planned: 0, ownedAtStart: 0, maxRevocations: mapping().maxRevocations };
    const facts = fleetGuardFacts(losses, budget, { world, window }, NOW);
    expect([...facts.rulings]).toEqual([[subject('a'), { by: { id: 'ana' }, at, verdict: 'rejected' }]]);
    expect(facts).toMatchObject({ budget, freeze: undefined, isStoreLow: false, opening: new Set() });
    expect([facts.isContended(subject('a')), facts.policy.writes]).toEqual([false, true]);
  });

  it('count at a destination what is lost there by inference alone', () => {
    const fresh = new RevocationWindow(600_000);
    expect(usedHere([], fresh, NOW)).toEqual({});
    expect(usedHere([{ subject: subject('a'), isUnrecorded: true }], fresh, NOW)).toEqual({});
    expect(
      usedHere(
        [{ subject: subject('a') }, { subject: subject('b') }, { subject: subject('c'), isUnrecorded: true }],
        fresh,
        NOW,
      ),
    ).toEqual({
      here: { used: 0, planned: 2 },
    });
  });
});

describe('work under a mutex', () => {
  it('runs one after the other, also after a failure, and by name', async () => {
    for (const run of [new Mutex(), new KeyedMutex()].map(
      (each) =>
        <T>(work: () => Promise<T>) =>
          each instanceof Mutex ? each.run(work) : each.run('a', work),
    )) {
      const seen: string[] = [];
      const first = run(async () => {
        await Promise.resolve();
        seen.push('first');
        throw new Error('no');
      });
      const second = run(async () => seen.push('second'));
      await expect(first).rejects.toThrow('no');
      await second;
      expect(seen).toEqual(['first', 'second']);
    }
  });

  it('waits for all that came before it by the name, and not for other names', async () => {
    const mutex = new KeyedMutex();
    const seen: string[] = [];
    const ends = new Map<string, () => void>();
    const run = (name: string, text: string) =>
      mutex.run(name, async () => {
        seen.push(text);
        await new Promise<void>((resolve) => ends.set(text, resolve));
      });
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    const [first, second] = [run('a', 'first'), run('a', 'second')];
    const other = run('b', 'other');
    await turn();
    expect(seen).toEqual(['first', 'other']);
    ends.get('first')?.();
    await first;
    await turn();
    const third = run('a', 'third');
    await turn();
    expect(seen).toEqual(['first', 'other', 'second']);
    for (const [text, work] of [
      ['second', second],
      ['third', third],
      ['other', other],
    ] as const) {
      ends.get(text)?.();
      await work;
      await turn();
    }
    expect(seen.at(-1)).toBe('third');
  });
});
