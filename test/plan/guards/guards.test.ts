import { describe, expect, test } from 'vitest';
import { sourcesAfter } from '../../../src/apply/entry-sources.js';
import { guardableEdges } from '../../../src/plan/guards/edges.js';
import { MAX_ENTRY_BYTES } from '../../../src/plan/guards/entry-size.js';
import { guard } from '../../../src/plan/guards/guards.js';
import { guardableJwtProviders } from '../../../src/plan/jwt-provider-change.js';
import { toLastAppliedText } from '../../../src/plan/last-applied.js';
import { policyOf } from '../../../src/plan/mode.js';
import type { Change } from '../../../src/plan/plan.js';
import type { JwtProviderChange } from '../../../src/plan/plan-jwt-providers.js';
import { entryText } from '../../../src/plan/user-tokens.js';
import { clientText } from '../../../src/plan/world.js';
import { guarded, NOTHING_IN_THE_WAY } from '../guarded.js';
import {
  ALLOW,
  claiming,
  client,
  DENY,
  entriesOf,
  entry,
  mapping,
  ourSource,
  planOf,
  rule,
  type Scene,
  scene,
  sceneAfter,
} from '../scene.js';

const access = (...methods: readonly string[]) =>
  ({ kind: 'http', permissions: [{ methods, pathPrefix: '/' }] }) as const;

/** Written as it should be, and then changed by hand. */
function editedTo(by: Parameters<typeof ourSource>[1] | undefined, methods = ['GET', 'PUT']): Scene {
  const before = scene({ mapping: mapping({ rules: [rule('orders', 'orders', { methods, path: '/' })] }) });
  const written = sceneAfter(before, [planOf(before)]);
  const entries = by === undefined ? [] : [entry('orders', ourSource('web', by))];
  return { ...written, entries: entriesOf(...entries) };
}

const CONTENDED = { isContended: () => true };

describe('a subject that somebody corrects again and again', () => {
  test('is still narrowed, and only the widening part is held', () => {
    const narrowing = planOf(editedTo(ALLOW));
    expect(narrowing.changes).toMatchObject([{ reason: 'DriftCorrected', narrows: true, widens: false }]);
    expect(guarded(narrowing, CONTENDED)).toMatchObject({ changes: narrowing.changes, holds: [] });
    const widening = planOf(editedTo(undefined));
    expect(guarded(widening, CONTENDED)).toMatchObject({
      changes: [],
      holds: [{ reason: 'Contended', action: 'grant' }],
    });
    expect(guarded(widening).changes).toEqual(widening.changes);
  });

  test('becomes the intersection of old and new access, and stays contended', () => {
    const edited = editedTo(access('GET', 'DELETE'));
    const plan = planOf(edited);
    expect(plan.changes).toMatchObject([{ reason: 'DriftCorrected', narrows: true, widens: true }]);
    const { changes, holds } = guarded(plan, CONTENDED);
    expect(changes).toMatchObject([{ action: 'revoke', after: access('GET'), widens: false }]);
    expect(holds).toMatchObject([{ reason: 'Contended' }]);
    // What is remembered is what is wanted: the rest is drift, and held as long as it is fought over.
    const written = changes.map(({ subject, remembered, opensBy }): [string, string] => [
      subject,
      toLastAppliedText(remembered, opensBy),
    ]);
    const after = { ...sceneAfter(edited, [{ ...plan, changes }]), written: new Map(written) };
    expect(guarded(planOf(after), CONTENDED)).toMatchObject({
      changes: [],
      holds: [{ reason: 'Contended' }],
    });
    expect(guarded(planOf(after)).changes).toMatchObject([{ action: 'grant', reason: 'DriftCorrected' }]);
  });

  test('is held for its drift alone, and holds nothing of its neighbour', () => {
    const granted = planOf(scene());
    expect(granted.changes).toMatchObject([{ reason: 'ScopeGranted', widens: true }]);
    expect(guarded(granted, CONTENDED).changes).toEqual(granted.changes);
    const rules = [rule('orders', 'orders', { methods: ['GET', 'PUT'], path: '/' })];
    const two = scene({
      mapping: mapping({ rules }),
      clients: [client('web', ['orders']), client('api', ['orders'])],
      services: [claiming('web', 'web'), claiming('api', 'api')],
    });
    const written = sceneAfter(two, [planOf(two)]);
    const plan = planOf({
      ...written,
      entries: entriesOf(entry('orders', ourSource('api', access('GET', 'DELETE')))),
    });
    expect(plan.changes).toMatchObject([
      { source: { name: 'api' }, narrows: true, widens: true },
      { source: { name: 'web' }, narrows: false, widens: true },
    ]);
    const { changes, holds } = guarded(plan, { isContended: (subject) => subject.endsWith('/web') });
    expect(changes).toEqual(plan.changes.slice(0, 1));
    expect(holds).toMatchObject([{ reason: 'Contended', resource: { source: 'web' } }]);
  });

  test('is closed if the existing access cannot be compared', () => {
    const { changes } = guarded(planOf(editedTo({ kind: 'other' })), CONTENDED);
    expect(changes).toMatchObject([{ after: DENY, widens: false }]);
  });
});

describe('a store that works on the space that it kept back', () => {
  const LOW = { isStoreLow: true };

  test('lets nothing widen, and holds nothing', () => {
    const before = scene({ mapping: mapping({ rules: [rule('orders', 'orders')] }) });
    const opening = planOf(before);
    expect(opening.changes).toMatchObject([{ action: 'grant' }]);
    expect(guarded(opening, LOW)).toMatchObject({ changes: [], holds: [] });
    expect(guarded(opening).changes).toEqual(opening.changes);
  });

  test('lets what narrows pass, and of what also widens the narrowing part', () => {
    const narrowing = planOf(editedTo(ALLOW));
    expect(guarded(narrowing, LOW)).toMatchObject({ changes: narrowing.changes, holds: [] });
    const both = planOf(editedTo(access('GET', 'DELETE')));
    expect(both.changes).toMatchObject([{ narrows: true, widens: true }]);
    expect(guarded(both, LOW)).toMatchObject({
      changes: [{ action: 'revoke', after: access('GET'), widens: false }],
      holds: [],
    });
  });

  test('keeps the holds of other guards', () => {
    const widening = planOf(editedTo(undefined));
    expect(guarded(widening, { ...LOW, ...CONTENDED })).toMatchObject({
      changes: [],
      holds: [{ reason: 'Contended' }],
    });
  });
});

describe('a jwt-provider', () => {
  const entryOf = (audience: string) => ({
    name: 'idp',
    issuer: 'https://idp',
    audiences: [audience],
    jwksUri: 'https://idp/certs',
    meta: {},
  });
  const after = entryOf('consul');
  const written = new Map([['jwt-provider/idp', entryText(after)]]);
  const judged = (before: JwtProviderChange['before']) =>
    guard(
      guardableJwtProviders([{ name: 'idp', verb: before ? 'updated' : 'created', before, after }], written),
      { ...NOTHING_IN_THE_WAY, ...CONTENDED },
    );

  test('that somebody repeatedly removes is held, and one that accepts other tokens is corrected', () => {
    expect(judged(undefined)).toMatchObject({ changes: [], holds: [{ reason: 'Contended' }] });
    const edited = { name: 'idp', content: entryOf('theirs'), meta: {}, modifyIndex: 7 };
    expect(judged(edited)).toMatchObject({ changes: [{ reason: 'DriftCorrected' }], holds: [] });
  });
});

describe('an entry that is too large for Consul', () => {
  const names = ['a', 'b', 'c', 'd'];
  const fleet = scene({
    clients: names.map((name) => client(name, ['orders'])),
    services: names.map((name) => claiming(name, name)),
  });
  const gone = ourSource('old', ALLOW);
  const plan = planOf({ ...fleet, entries: entriesOf(entry('orders', gone)) });
  /** So many sources fit. */
  const room = (sources: number) => (changes: readonly Change[]) =>
    (sourcesAfter([gone], changes, 'pay').length / sources) * MAX_ENTRY_BYTES;
  const made = (sources: number) =>
    guarded(plan, {}, room(sources)).changes.map(({ source, verb }) => `${verb} ${source.name}`);

  test('gets as many of the new sources as fit, and each removal', () => {
    const all = ['deleted old', 'created a', 'created b', 'created c', 'created d'];
    expect(made(4)).toEqual(all);
    expect(made(3)).toEqual(all.slice(0, 4));
    expect(made(1)).toEqual(all.slice(0, 2));
    expect(made(0.5)).toEqual(['deleted old']);
  });

  test('has the others held with a reason of their own', () => {
    const { holds } = guarded({ ...plan, changes: plan.changes.toReversed() }, {}, room(2));
    expect(holds.map(({ reason, resource }) => `${reason} ${resource.source}`)).toEqual([
      'EntryTooLarge c',
      'EntryTooLarge d',
    ]);
  });
});

describe('a widening', () => {
  test('waits for the ACL objects of its client without a hold', () => {
    const plan = planOf(scene());
    const opening = new Set([clientText({ provider: 'main', clientId: 'web' })]);
    expect(guarded(plan, { opening })).toMatchObject({ changes: [], holds: [] });
    for (const edited of [ALLOW, access('GET', 'DELETE')]) {
      const narrowing = planOf(editedTo(edited));
      expect(guarded(narrowing, { opening }).changes).toEqual(narrowing.changes);
    }
  });

  test('does not wait for the ACL objects of another client, nor if it is one of an ACL object', () => {
    const plan = planOf(scene());
    const opening = new Set([clientText({ provider: 'main', clientId: 'web' })]);
    const another = new Set([clientText({ provider: 'main', clientId: 'api' })]);
    expect(guarded(plan, { opening: another }).changes).toEqual(plan.changes);
    const ofAcl = { ...guardableEdges(plan), opensLast: false };
    expect(guard(ofAcl, { ...NOTHING_IN_THE_WAY, opening }).changes).toEqual(plan.changes);
  });
});

describe('mode observe', () => {
  test('holds every change as a whole, with the reason for which it would be made', () => {
    const policy = policyOf({ mode: 'observe' });
    const detail = 'mode is observe: nothing is written';
    for (const plan of [planOf(scene()), planOf(editedTo(ALLOW)), planOf(editedTo(access('GET', 'DELETE')))])
      expect(guarded(plan, { policy })).toMatchObject({
        changes: [],
        holds: [{ reason: 'ModeForbids', changeReason: plan.changes[0]?.reason, detail }],
      });
  });
});

describe('an edge with the mark and without a record', () => {
  const marked = scene({
    clients: [client('web', []), client('api', [])],
    entries: entriesOf(entry('orders', ourSource('api', ALLOW), ourSource('web', ALLOW))),
  });
  const [ofApi = '', ofWeb = ''] = planOf(marked).changes.map(({ subject }) => subject);
  const plan = planOf({ ...marked, unrecorded: new Set([ofWeb]) });

  test('waits for a person, and never counts for the revocation limit', () => {
    const { changes, holds, counted, used, rejections } = guarded(plan);
    expect(changes).toMatchObject([{ subject: ofApi }]);
    expect(holds).toMatchObject([
      {
        subject: ofWeb,
        reason: 'MarkUnrecorded',
        detail: expect.stringContaining('no record of writing it'),
      },
    ]);
    expect(counted).toEqual([ofApi]);
    expect([used, [...rejections]]).toEqual([[], []]);
  });

  test('is changed once a person approves that, and not if the person rejects it', () => {
    const ruled = (verdict: 'approved' | 'rejected') => {
      const ruling = { verdict, by: { id: 'bob' }, at: '2026-01-01T00:00:00.000Z' };
      return guarded(plan, { rulings: new Map([[ofWeb, ruling]]) });
    };
    const approved = ruled('approved');
    expect(approved.changes.map(({ subject, approvedBy }) => [subject, approvedBy?.id])).toEqual([
      [ofApi, undefined],
      [ofWeb, 'bob'],
    ]);
    expect(approved).toMatchObject({ holds: [], counted: [ofApi], used: [{ subject: ofWeb }] });
    expect(approved.used).toHaveLength(1);
    const rejected = ruled('rejected');
    expect(rejected.changes.map(({ subject }) => subject)).toEqual([ofApi]);
    expect(rejected.holds).toMatchObject([{ subject: ofWeb, reason: 'MarkUnrecorded' }]);
    expect([...rejected.rejections]).toMatchObject([[ofWeb, { by: { id: 'bob' } }]]);
  });
});
