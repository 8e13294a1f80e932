import { describe, expect, it } from 'vitest';
import type { IntentionSource } from '../../src/model/intention.js';
import { planAdoption } from '../../src/plan/plan-adoption.js';
import { planEjections } from '../../src/plan/plan-ejection.js';
import {
  ALLOW,
  DENY,
  entriesAfter,
  entriesOf,
  entry,
  inputsOf,
  mapping,
  named,
  ourSource,
  plansOf,
  rule,
  type Scene,
  scene,
  source,
} from './scene.js';

const adoptionsOf = (changes: Partial<Scene>) => inputsOf(scene(changes)).flatMap(planAdoption);
const READ = { kind: 'http', permissions: [{ methods: ['GET'] }] } as const;
const sceneWith = (...sources: readonly IntentionSource[]) => ({
  entries: entriesOf(entry('orders', ...sources)),
});

describe('adoption', () => {
  it('marks an equal source and changes nothing else of the entry', () => {
    const other = source('other', ALLOW, 'by hand');
    const before = scene(sceneWith(source('web', ALLOW, 'by hand'), other));
    const [change, ...more] = inputsOf(before).flatMap(planAdoption);
    expect(more).toEqual([]);
    expect(change).toMatchObject({
      reason: 'Adopted',
      before: ALLOW,
      after: ALLOW,
      narrows: false,
      widens: false,
    });
    if (change === undefined) return;
    const entries = entriesAfter(before.entries, named('orders'), change, 'pay');
    const sources = [...entries.values()].flatMap((each) => each.sources);
    expect(sources.map(({ name, description }) => [name, description])).toEqual([
      ['web', 'scopemesh:pay client=main/web text=by hand'],
      ['other', 'by hand'],
    ]);
    expect(sources[1]).toEqual(other);
    expect(plansOf({ ...before, entries }).flatMap((plan) => [...plan.changes, ...plan.holds])).toEqual([]);
  });

  it('keeps the text through each later change of access and client, and ejection gives it back', () => {
    const by = (access: IntentionSource['access'], client: string) =>
      source('web', access, `scopemesh:pay client=main/${client} text=by hand, client=main/x`);
    const now = sceneWith(by(READ, 'old'));
    const [change] = plansOf(scene(now)).flatMap(({ changes }) => changes);
    expect(change?.description).toBe(by(ALLOW, 'web').description);
    expect(plansOf(scene(sceneWith(by(ALLOW, 'web')))).flatMap(({ changes }) => changes)).toEqual([]);
    const [ejection] = planEjections('pay', sceneWith(by(ALLOW, 'web')).entries.values());
    expect(ejection?.sources).toEqual([source('web', ALLOW, 'by hand, client=main/x')]);
  });

  it('leaves a source whose text does not fit beside the mark, and says how long it may be', () => {
    const of = (text: string) => scene(sceneWith(source('web', ALLOW, text)));
    const room = 512 - 'scopemesh:pay client=main/web text='.length;
    expect(inputsOf(of('x'.repeat(room))).flatMap(planAdoption)).toHaveLength(1);
    const long = of(`${'x'.repeat(room - 1)}é`);
    expect(inputsOf(long).flatMap(planAdoption)).toEqual([]);
    expect(plansOf(long).flatMap(({ holds }) => holds.map(({ detail }) => detail))).toEqual([
      expect.stringMatching(`shorten its Description from ${room + 1} to ${room} bytes`),
    ]);
  });

  it.each<[string, Partial<Scene>]>([
    ['one that differs', sceneWith(source('web', DENY))],
    ['one whose content is not understood', sceneWith(source('web', { kind: 'other' }))],
    ['one that is ours already', sceneWith(ourSource('web', ALLOW))],
    ['one that another instance marked', sceneWith(source('web', ALLOW, 'scopemesh:other client=main/web'))],
    ['one of a peer', sceneWith(source('web', ALLOW, '', { peer: 'east' }))],
    ['a legacy one', sceneWith(source('web', ALLOW, '', { isLegacy: true }))],
    [
      'one beside a legacy one',
      sceneWith(source('web', ALLOW), source('old', ALLOW, '', { isLegacy: true })),
    ],
    ['one that exists twice', sceneWith(source('web', ALLOW), source('web', ALLOW))],
    ['one without a claim', { ...sceneWith(source('web', ALLOW)), services: [] }],
    ['one of a client that is gone', { ...sceneWith(source('web', ALLOW)), clients: [] }],
    [
      'one at a protected destination',
      {
        ...sceneWith(source('web', ALLOW)),
        mapping: mapping({ rules: [rule('orders', 'orders')], protectedServices: ['orders'] }),
      },
    ],
    [
      'anything in mode observe',
      {
        ...sceneWith(source('web', ALLOW)),
        mapping: mapping({ mode: 'observe', rules: [rule('orders', 'orders')] }),
      },
    ],
    [
      'one in an entry that another tool manages',
      {
        entries: entriesOf({
          ...entry('orders', source('web', ALLOW)),
          meta: { 'external-source': 'kubernetes' },
        }),
      },
    ],
  ])('leaves %s alone', (_what, changes) => {
    expect(adoptionsOf(changes)).toEqual([]);
  });
});
