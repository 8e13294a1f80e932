import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RevocationWindow } from '../../src/state/revocation-window.js';
import { runsOf } from '../support/soak.js';

const WEB = 'intention/default/default/orders/web';
const API = 'intention/default/default/pay/api';

describe('the window', () => {
  test('forgets what is older than it', () => {
    const window = new RevocationWindow(1_000);
    window.addRemovals(2, 100);
    window.addRemovals(1, 900);
    expect([window.used(1_000), window.used(1_100), window.used(1_900)]).toEqual([3, 1, 0]);
  });

  test('takes in what an earlier process wrote, however often', () => {
    const window = new RevocationWindow(1_000);
    window.addRemovals(2, 100);
    const text = window.toText();
    window.restore(text);
    window.restore(text);
    expect(window.used(200)).toBe(2);
    for (const broken of ['not json', '{}', undefined]) window.restore(broken);
    expect(window.used(200)).toBe(2);
  });

  test('is stored before the writes that it counts, for the next process', async () => {
    const values = new Map<string, string>();
    const window = new RevocationWindow(1_000);
    window.addRemovals(2, 100);
    window.addRemovals(0, 100);
    await window.store({ set: async (name, value) => void values.set(name, value) });
    const next = new RevocationWindow(1_000);
    await next.restoreFrom({ get: async (name) => values.get(name) });
    expect([next.used(200), next.toText()]).toEqual([2, window.toText()]);
    await next.restoreFrom({ get: async () => undefined });
    expect(next.used(200)).toBe(2);
  });

  test('takes in no removal in another form', () => {
    const window = new RevocationWindow(1_000);
    const others = [null, 7, 'x', {}, { at: 100 }, { edges: 5 }, { at: '100', edges: 5 }];
    window.restore(
      JSON.stringify([...others, { at: 100, edges: 1, subject: WEB }, { at: 100, edges: 1, subject: 7 }]),
    );
    expect([window.used(200), window.usedOf((subject) => subject.startsWith('intention/'), 200)]).toEqual([
      2, 1,
    ]);
  });

  test('counts an edge that was removed before again, with its time, if a later removal of it was not made', () => {
    const window = new RevocationWindow(1_000);
    window.reserveEdge(WEB, 0);
    window.confirmEdge(WEB);
    window.reserveEdge(API, 300);
    window.confirmEdge(API);
    window.reserveEdge(WEB, 500);
    window.reserveEdge(WEB, 600);
    expect(window.used(600)).toBe(1);
    window.releaseEdge(WEB);
    expect([window.used(600), window.used(1_000), window.used(1_300)]).toEqual([2, 1, 0]);
  });

  test('counts an edge once, from its write on, and not if the write was not made', () => {
    const window = new RevocationWindow(1_000);
    window.reserveEdge(WEB, 0);
    expect(window.used(0)).toBe(0);
    window.confirmEdge(WEB);
    expect(window.used(0)).toBe(1);
    // It is removed, whatever an earlier draft of it leaves open.
    window.reopenEdge(WEB);
    expect(window.used(0)).toBe(1);
    // After a restart the plans of the fleet count it again as long as it is unknown.
    window.restore(window.toText());
    expect(window.used(0)).toBe(1);
    window.reopenEdge(WEB);
    expect(window.used(0)).toBe(0);
    window.reserveEdge(WEB, 500);
    window.confirmEdge(WEB);
    expect([window.used(500), window.used(1_400), window.used(1_500)]).toEqual([1, 1, 0]);
    window.reserveEdge(API, 1_500);
    window.reserveEdge(WEB, 1_500);
    window.confirmEdge(API);
    window.releaseEdge(WEB);
    expect([window.used(1_500), JSON.parse(window.toText())]).toEqual([
      1,
      [{ at: 1_500, edges: 1, subject: API }],
    ]);
  });

  test('gives an edge back once', () => {
    const window = new RevocationWindow(1_000);
    window.reserveEdge(WEB, 0);
    window.confirmEdge(WEB);
    window.reserveEdge(WEB, 100);
    window.releaseEdge(WEB);
    window.releaseEdge(WEB);
    expect(window.used(100)).toBe(1);
  });

  test('counts after a restart what was reserved, and what it replaced once that is given back', () => {
    const window = new RevocationWindow(1_000);
    window.reserveEdge(WEB, 0);
    window.confirmEdge(WEB);
    window.reserveEdge(WEB, 300);
    window.reserveEdge(API, 400);
    window.restore(window.toText());
    expect([window.used(400), window.underWay(400)]).toEqual([2, 0]);
    window.releaseEdge(WEB);
    expect([window.used(400), window.used(1_000)]).toEqual([2, 1]);
    window.releaseEdge(API);
    window.releaseEdge(API);
    expect(window.used(400)).toBe(0);
  });

  test('forgets in time what was reserved before an edge that is stored twice', () => {
    const window = new RevocationWindow(1_000);
    window.reserveEdge(WEB, 0);
    window.confirmEdge(WEB);
    window.reserveEdge(API, 100);
    window.reserveEdge(WEB, 300);
    window.restore(window.toText());
    expect([window.used(1_099), window.used(1_100), window.used(1_300)]).toEqual([2, 1, 0]);
  });

  test('counts the edges of one destination, whose share it limits', () => {
    const window = new RevocationWindow(1_000);
    window.addRemovals(5, 0);
    for (const subject of [WEB, API]) {
      window.reserveEdge(subject, 0);
      window.confirmEdge(subject);
    }
    expect(window.usedOf((subject) => subject.startsWith('intention/default/default/orders/'), 0)).toBe(1);
    expect(window.used(0)).toBe(7);
  });

  test('does not count for longer because the clock was set back', () => {
    const window = new RevocationWindow(1_000);
    window.addRemovals(1, 5_000);
    expect([window.used(100), window.used(1_099), window.used(1_100)]).toEqual([1, 1, 0]);
  });

  test('forgets nothing early because a caller took the time long before it reserves', () => {
    const window = new RevocationWindow(60_000);
    for (let second = 0; second < 20; second++) {
      window.reserveEdge(`edge/${second}`, 1_000 * second);
      window.confirmEdge(`edge/${second}`);
    }
    window.reserveEdge('acl/late', 0);
    expect(window.used(65_000)).toBe(14);
  });

  test('is stored once for all who ask while it is being stored, with what each of them reserved', async () => {
    const window = new RevocationWindow(1_000);
    const texts: string[] = [];
    let end = () => {};
    const keyValues = {
      set: (_name: string, text: string) =>
        new Promise<void>((resolve) => {
          texts.push(text);
          end = resolve;
        }),
    };
    const remove = (subject: string) => {
      window.reserveEdge(subject, 0);
      return window.store(keyValues);
    };
    const first = remove('a');
    await Promise.resolve().then(() => {});
    const others = ['b', 'c', 'd'].map(remove);
    end();
    await first;
    await new Promise(setImmediate);
    end();
    await Promise.all(others);
    expect(texts.map((text) => JSON.parse(text).map(({ subject }: { subject: string }) => subject))).toEqual([
      ['a'],
      ['a', 'b', 'c', 'd'],
    ]);
  });

  test('gives back what was counted for a store that failed, and nothing that another caller reserved', async () => {
    const window = new RevocationWindow(1_000);
    const full = { set: () => Promise.reject(new Error('full')) };
    window.addRemovals(1, 0);
    window.reserveEdge(API, 0);
    await expect(window.reserveStored([WEB, API], 0, full)).rejects.toThrow('full');
    expect([window.used(0), window.underWay(0)]).toEqual([1, 1]);
    await expect(window.addStored(3, 0, full)).rejects.toThrow('full');
    expect(window.used(0)).toBe(1);
    window.confirmEdge(API);
    expect(window.used(0)).toBe(2);
    await window.addStored(3, 0, { set: async () => {} });
    expect(window.used(0)).toBe(5);
  });

  test('is stored again after a store that failed', async () => {
    const window = new RevocationWindow(1_000);
    window.reserveEdge('a', 0);
    const failing = window.store({ set: () => Promise.reject(new Error('full')) });
    await expect(failing).rejects.toThrow('full');
    const texts: string[] = [];
    await window.store({ set: async (_name, text) => void texts.push(text) });
    expect(texts.map((text) => JSON.parse(text))).toMatchObject([[{ subject: 'a' }]]);
  });

  test('counts as a list of all removals would, whatever happens and whatever the clock does', () => {
    const subject = fc.constantFrom('a/x', 'a/y', 'b/x');
    const step = fc.record({
      what: fc.constantFrom('reserve', 'confirm', 'reopen', 'release', 'count', 'restore'),
      subject,
      by: fc.integer({ min: -700, max: 700 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const window = new RevocationWindow(1_000);
        let list: readonly { at: number; edges: number; subject?: string }[] = [];
        /** The removals that count again if a later one of the edge is released. */
        let earlier: typeof list = [];
        const without = (all: typeof list, name: string) => all.filter((each) => each.subject !== name);
        const open = new Set<string>();
        /** What an earlier process reserved, and nobody decided. */
        let restored = new Set<string>();
        let now = 10_000;
        for (const { what, subject: of, by } of steps) {
          now += by;
          const inWindow = (all: typeof list) =>
            all.map((each) => ({ ...each, at: Math.min(each.at, now) })).filter(({ at }) => at > now - 1_000);
          list = inWindow(list);
          earlier = inWindow(earlier);
          if (what === 'reserve') {
            window.reserveEdge(of, now);
            if (!open.has(of))
              earlier = list.filter((each) => each.subject === of).concat(without(earlier, of));
            list = [...without(list, of), { at: now, edges: 1, subject: of }];
            open.add(of);
            restored.delete(of);
          } else if (what === 'confirm') {
            window.confirmEdge(of);
            earlier = without(earlier, of);
            open.delete(of);
            restored.delete(of);
          } else if (what === 'reopen') {
            window.reopenEdge(of);
            if (restored.delete(of)) open.add(of);
          } else if (what === 'release') {
            window.releaseEdge(of);
            if (open.has(of) || restored.has(of)) {
              list = [...without(list, of), ...earlier.filter((each) => each.subject === of)];
              earlier = without(earlier, of);
            }
            open.delete(of);
            restored.delete(of);
          } else if (what === 'count') {
            window.addRemovals(2, now);
            list = [...list, { at: now, edges: 2 }];
          } else {
            window.restore(window.toText());
            open.clear();
            restored = new Set(list.flatMap(({ subject: name }) => name ?? []));
          }
          const made = list.filter((each) => each.subject === undefined || !open.has(each.subject));
          expect(window.used(now)).toBe(made.reduce((sum, { edges }) => sum + edges, 0));
          expect(window.usedOf((each) => each.startsWith('a/'), now)).toBe(
            made.filter((each) => each.subject?.startsWith('a/')).length,
          );
        }
      }),
      {
        ...runsOf(5_000, 500),
        examples: [
          // An earlier removal is out of the window, and the clock is set back.
          [
            [
              { what: 'reserve', subject: 'a/x', by: 0 },
              { what: 'confirm', subject: 'a/x', by: 167 },
              { what: 'reserve', subject: 'a/x', by: 663 },
              { what: 'reserve', subject: 'a/x', by: 170 },
              { what: 'release', subject: 'a/x', by: -1 },
            ],
          ],
        ],
      },
    );
  });
});

describe('a removal that a person rejected', () => {
  const rejected = (at: number) => ({ by: { id: 'bob' }, at: new Date(at).toISOString() });
  const window = () => new RevocationWindow(1_000).rejections;

  test('counts for one window, and then no more', () => {
    const rejections = window();
    rejections.put('orders', new Map([[WEB, rejected(0)]]));
    expect([0, 999, 1_000].map((now) => rejections.countOf([WEB, API], now))).toEqual([2, 2, 1]);
  });

  test('is what the job of its key found last', () => {
    const rejections = window();
    rejections.put('orders', new Map([[WEB, rejected(0)]]));
    rejections.put('pay', new Map([[API, rejected(0)]]));
    rejections.put('orders', new Map());
    expect([rejections.of(WEB), rejections.of(API)]).toEqual([undefined, rejected(0)]);
  });

  test('leaves the count of the fleet after its window, within the share of its key', () => {
    const rejections = window();
    rejections.put('orders', new Map([WEB, API].map((subject) => [subject, rejected(0)])));
    const removals = {
      total: (most = Number.POSITIVE_INFINITY) => Math.min(5, most) + 2,
      lossOf: (subject: string) =>
        subject === WEB || subject === API ? { key: 'orders', removals: 5 } : undefined,
    };
    expect(rejections.countIn(removals, 999)).toBe(7);
    expect(rejections.countIn(removals, 1_000)).toBe(5);
    // Three are left of five: as many as the share, so the rejections change nothing.
    expect(rejections.countIn(removals, 1_000, 3)).toBe(5);
    expect(rejections.countIn(removals, 1_000, 4)).toBe(5);
  });
});
