import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { IntentionEntry, IntentionSource } from '../../../src/model/intention.js';
import { admits, type HttpRequestShape } from '../../../src/plan/access.js';
import { clientOfDescription } from '../../../src/plan/ownership.js';
import { type Change, intentionSubject, type Plan } from '../../../src/plan/plan.js';
import { clientText } from '../../../src/plan/world.js';
import { runsOf } from '../../support/soak.js';
import { guarded } from '../guarded.js';
import { entriesAfter, keyOf, plansOf, type Scene, sceneAfter } from '../scene.js';
import { SAMPLES, someScene } from '../worlds.js';

type Entries = Scene['entries'];

const MODES = fc.constantFrom('enforce' as const, 'extend' as const);
const RUNS = runsOf(300, 100);

/**
 * The requests of a pair that Consul lets through. Consul's own rule, written a second time: of all intentions about a
 * pair the one of the highest precedence decides alone. Without one the default decides, which is deny. What cannot be
 * read is taken to let everything through.
 */
function openedBy(entries: Entries, source: string, destination: string): readonly HttpRequestShape[] {
  const about = (name: string) =>
    (entries.get(keyOf(name))?.sources ?? []).filter((each) => each.peer === undefined);
  const ranked = [
    [9, about(destination).find((each) => each.name === source)],
    [8, about(destination).find((each) => each.name === '*')],
    [6, about('*').find((each) => each.name === source)],
    [5, about('*').find((each) => each.name === '*')],
  ] as const;
  const deciding = ranked.find(([, each]) => each !== undefined)?.[1];
  if (deciding === undefined) return [];
  const { access } = deciding;
  return access.kind === 'other' ? SAMPLES : SAMPLES.filter((request) => admits(access, request));
}

const PAIRS = ['web', 'api', 'job', 'Web', 'old', 'never'].flatMap((source) =>
  ['orders', 'reports', 'vault'].map((destination) => [source, destination] as const),
);

/** Everything in an entry that scopemesh did not write, as texts that tell any change. */
function foreignContent(entries: Entries): readonly string[] {
  return [...entries.values()]
    .flatMap((entry) =>
      entry.sources
        .filter((each) => !isMarked(each))
        .map((each) => JSON.stringify([entry.destination, each.raw])),
    )
    .toSorted();
}

function isMarked(source: IntentionSource): boolean {
  return (
    source.peer === undefined &&
    source.name !== '*' &&
    (source.description === 'scopemesh:pay' || source.description.startsWith('scopemesh:pay '))
  );
}

/** The second scene is the first one after the world moved on: other clients, other services. */
const twoScenes = fc.tuple(someScene, someScene, MODES).map(([a, b, mode]): readonly [Scene, Scene] => [
  { ...a, mapping: { ...a.mapping, mode } },
  {
    ...a,
    mapping: { ...a.mapping, mode },
    clients: b.clients,
    services: b.services,
    clientBlocks: b.clientBlocks,
  },
]);

/** The entries after each prefix of the plans, beginning with none. */
function prefixes(scene: Scene, plans: readonly Plan[]): readonly Entries[] {
  const result: Entries[] = [scene.entries];
  for (const { key, changes } of plans) {
    if (key.kind !== 'destination') continue;
    const destination = { partition: key.partition, namespace: key.namespace, name: key.service };
    for (const change of changes) {
      const last = result.at(-1) ?? new Map<string, IntentionEntry>();
      result.push(entriesAfter(last, destination, change, scene.mapping.owner));
    }
  }
  return result;
}

describe('for any world', () => {
  test('after a plan is applied the next one is empty', () => {
    fc.assert(
      fc.property(twoScenes, ([first, second]) => {
        for (const start of [first, { ...second, ...pick(sceneAfter(first, plansOf(first))) }]) {
          const after = sceneAfter(start, plansOf(start));
          expect(plansOf(after).flatMap((plan) => plan.changes)).toEqual([]);
        }
      }),
      RUNS,
    );
  });

  test('the order of clients, services, instances, rules, grants and sources changes nothing', () => {
    fc.assert(
      fc.property(someScene, MODES, fc.infiniteStream(fc.nat()), (it, mode, random) => {
        const shuffle = <T>(items: readonly T[]): T[] =>
          items
            .map((item) => ({ item, at: random.next().value }))
            .toSorted((a, b) => a.at - b.at)
            .map(({ item }) => item);
        const a = { ...it, mapping: { ...it.mapping, mode } };
        const b: Scene = {
          ...a,
          mapping: { ...a.mapping, rules: shuffle(a.mapping.rules) },
          clients: shuffle(a.clients).map((each) => ({ ...each, grants: shuffle(each.grants) })),
          services: shuffle(a.services).map((each) => ({ ...each, instances: shuffle(each.instances) })),
          entries: new Map(
            shuffle([...a.entries]).map(([key, each]) => [key, { ...each, sources: shuffle(each.sources) }]),
          ),
          records: shuffle(a.records),
        };
        expect(byKey(plansOf(b))).toEqual(byKey(plansOf(a)));
      }),
      RUNS,
    );
  });

  test('foreign content stays unchanged byte for byte over any sequence of plans', () => {
    fc.assert(
      fc.property(twoScenes, ([first, second]) => {
        const one = sceneAfter(first, plansOf(first));
        const moved = { ...second, ...pick(one) };
        const two = sceneAfter(moved, plansOf(moved));
        expect(foreignContent(one.entries)).toEqual(foreignContent(first.entries));
        expect(foreignContent(two.entries)).toEqual(foreignContent(first.entries));
        for (const [key, entry] of two.entries) {
          const old = one.entries.has(key) ? first.entries.get(key) : undefined;
          if (old !== undefined) expect(entry.raw).toBe(old.raw);
          for (const source of entry.sources) {
            if (isMarked(source)) continue;
            expect(first.entries.get(key)?.sources.some((each) => each.raw === source.raw)).toBe(true);
          }
        }
      }),
      RUNS,
    );
  });

  test('the fields of others in an entry survive every step of any sequence of plans', () => {
    fc.assert(
      fc.property(twoScenes, ([first, second]) => {
        const moved = { ...second, ...pick(sceneAfter(first, plansOf(first))) };
        const steps = [first, moved].flatMap((it) => prefixes(it, plansOf(it)));
        for (const [key, { raw, meta }] of first.entries) {
          if (Object.keys(meta).length === 0 && !raw.JWT && !raw.New) continue;
          for (const entries of steps) expect(entries.get(key)).toMatchObject({ raw, meta });
        }
      }),
      RUNS,
    );
  });

  test('access is at no moment wider than the wider of old and new', () => {
    fc.assert(
      fc.property(twoScenes, ([first, second]) => {
        const moved = { ...second, ...pick(sceneAfter(first, plansOf(first))) };
        const steps = prefixes(moved, plansOf(moved));
        const [before, after] = [steps[0], steps.at(-1)];
        for (const [source, destination] of PAIRS) {
          const allowed = new Set([
            ...openedBy(before ?? new Map(), source, destination),
            ...openedBy(after ?? new Map(), source, destination),
          ]);
          for (const entries of steps) {
            const opened = openedBy(entries, source, destination);
            expect(opened.filter((request) => !allowed.has(request))).toEqual([]);
          }
        }
      }),
      runsOf(150, 50),
    );
  });

  test('a change that only narrows never opens anything to anyone, for all wildcard intentions', () => {
    fc.assert(
      fc.property(someScene, (it) => {
        const narrowing = plansOf(it).map((plan) => ({
          ...plan,
          changes: plan.changes.filter((change) => !change.widens && change.before?.kind !== 'other'),
        }));
        const after = sceneAfter(it, narrowing).entries;
        for (const [source, destination] of PAIRS) {
          const old = new Set(openedBy(it.entries, source, destination));
          expect(openedBy(after, source, destination).filter((request) => !old.has(request))).toEqual([]);
        }
      }),
      RUNS,
    );
  });

  test('owned access that is not desired is closed, unless it is held', () => {
    fc.assert(
      fc.property(someScene, (it) => {
        const closed: Scene = { ...it, clients: it.clients.map((each) => ({ ...each, enabled: false })) };
        const plans = plansOf(closed);
        const after = sceneAfter(closed, plans);
        const held = new Set(plans.flatMap((plan) => plan.holds.map((hold) => hold.subject)));
        for (const entry of after.entries.values()) {
          for (const source of entry.sources.filter(isMarked)) {
            if (entry.destination.name === '*' || source.access.kind === 'deny') continue;
            expect([...held].some((subject) => subject.endsWith(`/${encodeURIComponent(source.name)}`))).toBe(
              true,
            );
          }
        }
      }),
      RUNS,
    );
  });

  test('a marked edge without a record that differs from the desired one is neither changed nor counted', () => {
    fc.assert(
      fc.property(someScene, MODES, (it, mode) => {
        const unknown: Scene = { ...it, mapping: { ...it.mapping, mode }, unrecorded: undefined };
        const plans = plansOf(unknown);
        const recorded = new Set(plans.flatMap(({ records }) => [...(records?.keys() ?? [])]));
        const isUnrecorded = ({ before, subject }: Change) => before !== undefined && !recorded.has(subject);
        expect(plans.flatMap((plan) => plan.changes).filter(isUnrecorded)).not.toContainEqual(
          expect.objectContaining({ isInferred: true }),
        );
        const made = plans.map((plan) => ({ ...plan, changes: guarded(plan).changes }));
        expect(made.flatMap((plan) => plan.changes).filter(isUnrecorded)).toEqual([]);
        const after = sceneAfter(unknown, made);
        for (const [key, { destination, sources }] of it.entries)
          for (const source of sources)
            if (isMarked(source) && !recorded.has(intentionSubject(destination, source.name)))
              expect(after.entries.get(key)?.sources).toContainEqual(source);
      }),
      RUNS,
    );
  });

  test('an edge that scopemesh wrote or recorded is never held as MarkUnrecorded', () => {
    fc.assert(
      fc.property(twoScenes, ([first, second]) => {
        const start: Scene = { ...first, unrecorded: undefined };
        const written = sceneAfter(
          start,
          plansOf(start).map((plan) => ({ ...plan, changes: guarded(plan).changes })),
        );
        const moved: Scene = { ...second, ...pick(written), unrecorded: undefined };
        for (const plan of plansOf(moved)) {
          for (const { reason, subject } of guarded(plan).holds)
            if (reason === 'MarkUnrecorded') expect([...moved.written.keys()]).not.toContain(subject);
        }
      }),
      RUNS,
    );
  });

  test('contention holds no part of a change that narrows', () => {
    fc.assert(
      fc.property(twoScenes, ([first, second]) => {
        const moved = { ...second, ...pick(sceneAfter(first, plansOf(first))) };
        // As if somebody had undone what was written.
        for (const plan of plansOf({ ...moved, entries: first.entries })) {
          const { changes } = guarded(plan, { isContended: () => true });
          const narrowed = new Map(changes.map((change) => [change.subject, change]));
          for (const { subject, narrows, before, after } of plan.changes) {
            if (!narrows) continue;
            const made = narrowed.get(subject);
            expect(made?.narrows).toBe(true);
            if (before?.kind === 'other' || made === undefined) continue;
            for (const request of SAMPLES)
              if (made.after !== undefined && admits(made.after, request))
                expect(after !== undefined && admits(after, request)).toBe(true);
          }
        }
      }),
      runsOf(150, 50),
    );
  });

  test('an unread directory deletes nothing and opens nothing, but for what an order closed or a service left', () => {
    fc.assert(
      fc.property(someScene, (it) => {
        const unread = { ...it, unread: ['main'], clients: [] };
        for (const change of plansOf(unread).flatMap((plan) => plan.changes)) {
          expect(change.widens && change.before?.kind !== 'other').toBe(false);
          expect(change.after === undefined || change.after.kind === 'deny').toBe(true);
          // What is left is the word of the catalog (complete) or of an order.
          expect(['ClaimRemoved', 'ClientQuarantined', 'WildcardWouldAllow']).toContain(change.reason);
        }
      }),
      RUNS,
    );
  });

  test('a client that was read alone before its directory gains nothing', () => {
    fc.assert(
      fc.property(someScene, (it) => {
        const readAlone = new Map(it.clients.map((each) => [clientText(each), each]));
        for (const change of plansOf({ ...it, unread: ['main'], readAlone }).flatMap((plan) => plan.changes))
          expect(change.widens).toBe(false);
      }),
      RUNS,
    );
  });

  test('an unread catalog deletes nothing and opens nothing, but for what an order closed', () => {
    fc.assert(
      fc.property(someScene, (it) => {
        for (const change of plansOf({ ...it, isCatalogRead: false }).flatMap((plan) => plan.changes))
          expect(['ClientQuarantined', 'WildcardWouldAllow']).toContain(change.reason);
      }),
      RUNS,
    );
  });

  test('a closed client keeps only what is held, for all unread facts', () => {
    fc.assert(
      fc.property(someScene, fc.boolean(), fc.boolean(), (it, isCatalogRead, isDirectoryRead) => {
        const closed: Scene = { ...it, isCatalogRead, unread: isDirectoryRead ? [] : ['main'] };
        const plans = plansOf(closed);
        const after = sceneAfter(closed, plans);
        for (const plan of plans) {
          if (plan.key.kind !== 'destination' || plan.key.service === '*' || plan.holds.length > 0) continue;
          for (const source of after.entries.get(keyOf(plan.key.service))?.sources ?? []) {
            const owner = isMarked(source) ? clientOfDescription(source.description) : undefined;
            if (owner !== undefined && closed.clientBlocks.has(clientText(owner)))
              expect(source.access.kind).toBe('deny');
          }
        }
      }),
      RUNS,
    );
  });
});

function pick({ entries, written }: Scene): Pick<Scene, 'entries' | 'written'> {
  return { entries, written };
}

function byKey(plans: readonly Plan[]): readonly Plan[] {
  const text = (plan: Plan) => JSON.stringify(plan.key);
  return plans
    .filter((plan) => plan.changes.length + plan.holds.length > 0)
    .toSorted((a, b) => (text(a) < text(b) ? -1 : 1));
}
