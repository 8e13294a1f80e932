import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Decision, DraftDecision } from '../../src/model/decision.js';
import type { RecordedHold, SettledDecision } from '../../src/queue/journal.js';
import type { StartHarness, Store, StoreHarness } from './store-harness.js';

const KEY = 'destination/default/default/orders';

export function draft(id: string, subject = 's'): DraftDecision {
  return {
    id,
    type: 'dev.scopemesh.intention.updated',
    subject,
    source: 'scopemesh/test/1',
    action: 'grant',
    reason: 'ScopeGranted',
    resource: { kind: 'intention', source: 'web', destination: 'orders' },
    cause: { kind: 'webhook', receivedAt: '2026-01-01T00:00:00.000Z' },
    scopes: [],
    before: {},
    after: { Sources: [], Precedence: 9007199254740991, Name: 'ü\n"' },
    mappingRevision: 'sha256:0',
    expectedIndex: 7,
  };
}

export function settled(id: string, subject = 's'): SettledDecision {
  const { expectedIndex: _, ...rest } = draft(id, subject);
  return { ...rest, time: '2026-01-01T00:00:01.000Z', outcome: 'applied', latencyMs: 11.4 };
}

export function hold(subject: string): RecordedHold {
  return {
    subject,
    reason: 'ClaimTaken',
    decisionId: '01',
    since: '2026-01-01T00:00:00.000Z',
    detail: 'x',
    fingerprint: 'f',
  };
}

/** The contract of the port `Journal`. */
export function describeJournal(name: string, start: StartHarness, runs = 40): void {
  describe(`${name} as a journal`, () => {
    let harness: StoreHarness;
    let store: Store;
    beforeEach(async () => {
      harness = await start();
      store = await harness.open();
    });
    afterEach(() => harness.dispose());

    const afterCrash = async () => {
      await harness.crash(store);
      store = await harness.open();
      return store.journal;
    };

    it('has nothing of a key it does not know', async () => {
      expect(await store.journal.read(KEY)).toEqual({
        pending: [],
        lastApplied: new Map(),
        holds: new Map(),
      });
      expect(await store.journal.overview()).toEqual({
        pendingKeys: [],
        holds: [],
        holdCounts: {},
        outboxLength: 0,
      });
      expect(await store.journal.outbox(10)).toEqual([]);
      await store.journal.record(KEY, []);
      await store.journal.settle(KEY, []);
      await store.journal.published([]);
    });

    it('gives back what a crash left recorded and not settled, in order, and settles it once', async () => {
      await store.journal.record(KEY, [draft('b'), draft('a'), draft('c', 't')]);
      const journal = await afterCrash();
      expect((await journal.read(KEY)).pending).toEqual([draft('b'), draft('a'), draft('c', 't')]);
      expect((await journal.overview()).pendingKeys).toEqual([KEY]);
      await journal.settle(KEY, [settled('b'), settled('a')]);
      expect((await journal.read(KEY)).pending).toEqual([draft('c', 't')]);
      await journal.settle(KEY, [settled('c', 't')]);
      expect((await journal.read(KEY)).pending).toEqual([]);
      expect(await journal.overview()).toEqual({
        pendingKeys: [],
        holds: [],
        holdCounts: {},
        outboxLength: 3,
      });
    });

    it('keeps one of a draft that is recorded twice, and none of one that was settled', async () => {
      await store.journal.record(KEY, [draft('a')]);
      await store.journal.record(KEY, [draft('a')]);
      expect((await store.journal.read(KEY)).pending).toHaveLength(1);
      await store.journal.settle(KEY, [settled('a')]);
      await store.journal.record(KEY, [draft('a')]);
      expect((await store.journal.read(KEY)).pending).toEqual([]);
    });

    it('puts settled decisions whole into the outbox, numbered within their subject', async () => {
      await store.journal.settle(KEY, [settled('a'), settled('b', 't'), settled('c')]);
      const expected: Decision[] = [
        { ...settled('a'), revision: 1 },
        { ...settled('b', 't'), revision: 1 },
        { ...settled('c'), revision: 2 },
      ];
      expect(await store.journal.outbox(10)).toEqual(expected);
      expect(await store.journal.outbox(2)).toEqual(expected.slice(0, 2));
      const journal = await afterCrash();
      expect(await journal.outbox(10)).toEqual(expected);
    });

    it('changes nothing when a step is repeated, even an update that is out of date by now', async () => {
      const written = (digest: string) => ({ lastApplied: new Map([['s', digest]]) });
      await store.journal.record(KEY, [draft('a')]);
      await store.journal.settle(KEY, [settled('a')], written('old'));
      await store.journal.settle(KEY, [settled('b')], written('new'));
      await store.journal.settle(KEY, [settled('a')], written('old'));
      const journal = await afterCrash();
      await journal.settle(KEY, [settled('a'), settled('b')], written('old'));
      expect((await journal.outbox(10)).map(({ id, revision }) => [id, revision])).toEqual([
        ['a', 1],
        ['b', 2],
      ]);
      expect((await journal.read(KEY)).lastApplied).toEqual(new Map([['s', 'new']]));
    });

    it('keeps digests and holds of a key, and removes them on null', async () => {
      await store.journal.settle(KEY, [settled('a')], {
        lastApplied: new Map([
          ['s', '1'],
          ['t', '2'],
        ]),
        holds: new Map([
          ['s', hold('s')],
          ['t', hold('t')],
        ]),
      });
      await store.journal.settle(KEY, [], {
        lastApplied: new Map([['s', null]]),
        holds: new Map([['t', null]]),
      });
      const journal = await afterCrash();
      const record = await journal.read(KEY);
      expect(record.lastApplied).toEqual(new Map([['t', '2']]));
      expect(record.holds).toEqual(new Map([['s', hold('s')]]));
      expect((await journal.overview()).holds).toEqual([{ ...hold('s'), key: KEY }]);
      await journal.settle(KEY, [], { holds: new Map([['s', null]]) });
      expect((await journal.overview()).holds).toEqual([]);
    });

    it('gives holds page by page, each once and sorted by key, and counts all of them by reason', async () => {
      const held = [3, 1, 2].flatMap((key) => ['t', 's'].map((subject) => ({ key: `k${key}`, subject })));
      for (const { key, subject } of held)
        await store.journal.settle(key, [], {
          holds: new Map([
            [`${subject} ClaimTaken`, hold(subject)],
            [`${subject} Contended`, { ...hold(subject), reason: 'Contended', detail: '"reason":"x"' }],
          ]),
        });
      const journal = await afterCrash();
      const all = (await journal.overview()).holds;
      const paged: unknown[] = [];
      let after: string | undefined;
      do {
        const page = await journal.overview({ limit: 5, ...(after === undefined ? {} : { after }) });
        expect(page.holds.length).toBeLessThanOrEqual(5);
        expect(page.holdCounts).toEqual({ ClaimTaken: 6, Contended: 6 });
        paged.push(...page.holds);
        after = page.holdsAfter;
      } while (after !== undefined);
      expect(paged).toEqual(all);
      expect(all.map(({ key }) => key)).toEqual(['k1', 'k2', 'k3'].flatMap((key) => Array(4).fill(key)));
      expect(await journal.overview({ limit: 0 })).toMatchObject({ holds: [], holdCounts: { Contended: 6 } });
      expect((await journal.overview({ limit: 5, after: 'nonsense' })).holds).toEqual([]);
    });

    it('gives the record of every key that has one in one go, as read does of each', async () => {
      expect(await store.journal.readAll()).toEqual(new Map());
      const keys = Array.from({ length: 1203 }, (_, index) => `destination/default/default/ü*[${index}]`);
      await Promise.all(
        keys.map((key, index) =>
          store.journal.settle(key, [], { lastApplied: new Map([[`${index}`, `digest-${index}`]]) }),
        ),
      );
      await store.journal.record('pending-alone', [draft('b'), draft('a')]);
      await store.journal.settle('held-alone', [], { holds: new Map([['s', hold('s')]]) });
      await store.journal.record(keys[7] ?? '', [draft('c')]);
      await store.journal.settle(keys[8] ?? '', [], { lastApplied: new Map([['8', null]]) });
      const journal = await afterCrash();
      const all = await journal.readAll();
      expect(new Set(all.keys())).toEqual(
        new Set([...keys.filter((_, index) => index !== 8), 'pending-alone', 'held-alone']),
      );
      for (const key of [keys[0] ?? '', keys[7] ?? '', keys[1202] ?? '', 'pending-alone', 'held-alone']) {
        expect(all.get(key)).toEqual(await journal.read(key));
      }
    });

    it('forgets what was published, and numbers on', async () => {
      await store.journal.settle(KEY, [settled('a'), settled('b')]);
      await store.journal.published(['a', 'never-heard-of']);
      await store.journal.published(['a']);
      expect((await store.journal.outbox(10)).map(({ id }) => id)).toEqual(['b']);
      await store.journal.published(['b']);
      await store.journal.settle(KEY, [settled('a')]);
      expect(await store.journal.outbox(10)).toEqual([]);
      await store.journal.settle(KEY, [settled('c')]);
      expect((await store.journal.outbox(10)).map(({ revision }) => revision)).toEqual([3]);
    });

    it('numbers without a gap and in outbox order when many keys settle at once', async () => {
      const subjects = ['s', 't', 'u'];
      const ids = Array.from({ length: 90 }, (_, index) => `id-${index}`);
      await Promise.all(
        ids.map((id, index) =>
          store.journal.settle(`key-${index % 7}`, [settled(id, subjects[index % 3] ?? 's')]),
        ),
      );
      const outbox = await store.journal.outbox(1000);
      expect(outbox).toHaveLength(90);
      for (const subject of subjects) {
        const revisions = outbox.filter((each) => each.subject === subject).map((each) => each.revision);
        expect(revisions).toEqual(Array.from({ length: 30 }, (_, index) => index + 1));
      }
    });

    it('settles every recorded decision exactly once, wherever it crashes and however it repeats', async () => {
      const step = fc.oneof(
        fc.record({ do: fc.constantFrom('record', 'settle', 'publish'), id: fc.integer({ min: 0, max: 7 }) }),
        fc.record({ do: fc.constant('crash'), id: fc.constant(0) }),
      );
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
          const own = await start();
          try {
            let live = await own.open();
            const pending: string[] = [];
            const done: string[] = [];
            const published = new Set<string>();
            for (const { do: what, id: number } of steps) {
              const id = `id-${number}`;
              const subject = `subject-${number % 2}`;
              if (what === 'record') {
                await live.journal.record(KEY, [draft(id, subject)]);
                if (!pending.includes(id) && !done.includes(id)) pending.push(id);
              } else if (what === 'settle') {
                await live.journal.settle(KEY, [settled(id, subject)]);
                if (!done.includes(id)) done.push(id);
                if (pending.includes(id)) pending.splice(pending.indexOf(id), 1);
              } else if (what === 'publish') {
                await live.journal.published([id]);
                if (done.includes(id)) published.add(id);
              } else {
                await own.crash(live);
                live = await own.open();
              }
            }
            const revisions = new Map<string, number>();
            const expected = done.map((id) => {
              const subject = `subject-${Number(id.slice(3)) % 2}`;
              const revision = (revisions.get(subject) ?? 0) + 1;
              revisions.set(subject, revision);
              return { id, subject, revision };
            });
            expect((await live.journal.read(KEY)).pending.map(({ id }) => id)).toEqual(pending);
            expect(
              (await live.journal.outbox(100)).map(({ id, subject, revision }) => ({
                id,
                subject,
                revision,
              })),
            ).toEqual(expected.filter(({ id }) => !published.has(id)));
          } finally {
            await own.dispose();
          }
        }),
        { numRuns: runs },
      );
    }, 300_000);
  });
}
