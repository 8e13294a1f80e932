import { describe, expect, test } from 'vitest';
import type { Access } from '../../../src/model/intention.js';
import { isOfEdge } from '../../../src/plan/break-glass.js';
import { desiredAccess } from '../../../src/plan/desired-access.js';
import type { DestinationInput } from '../../../src/plan/destination-input.js';
import { isOwnedNow, isRecorded, needsRecord } from '../../../src/plan/edge-record.js';
import { REMOVED, toLastAppliedText } from '../../../src/plan/last-applied.js';
import { missingDenies } from '../../../src/plan/missing-denies.js';
import { createSelection } from '../../../src/plan/selection.js';
import { clientText } from '../../../src/plan/world.js';
import { glass, HOUR } from '../break-glass-scene.js';
import {
  ALLOW,
  claiming,
  client,
  DENY,
  entriesOf,
  entry,
  inputsOf,
  mapping,
  NOW,
  named,
  ourSource,
  planOf,
  rule,
  type Scene,
  scene,
  source,
} from '../scene.js';

const GET: Access = { kind: 'http', permissions: [{ methods: ['GET'] }] };
const WEB = { provider: 'main', clientId: 'web' };
const SUBJECT = 'intention/default/default/orders/web';
/** A name that is the same but for one part. */
const OTHERS = [{ name: 'other' }, { namespace: 'other' }, { partition: 'other' }];

const inputOf = (changes: Partial<Scene> = {}, name = 'orders'): DestinationInput => {
  const found = inputsOf(scene(changes)).find(({ destination }) => destination.name === name);
  if (found === undefined) throw new Error(`nothing is about ${name}`);
  return found;
};

describe('what a scope opens at one destination', () => {
  const two = {
    mapping: mapping({ rules: [rule('all', 'orders'), rule('read', 'billing', { methods: ['GET'] })] }),
    clients: [client('web', ['all', 'read'])],
  };
  const at = (place: object, changes: Partial<Scene> = {}) => {
    const input = inputOf({ ...two, ...changes });
    const claimed = { kind: 'claimed', service: named('web'), client: WEB, addNothing: false } as const;
    return desiredAccess(
      named('web'),
      claimed,
      { ...input, destination: { ...input.destination, ...place } },
      undefined,
    );
  };

  test('opens no other one', () => {
    expect(planOf(scene(two), 'orders').changes).toMatchObject([{ after: ALLOW, scopes: ['all'] }]);
    expect(planOf(scene(two), 'billing').changes).toMatchObject([{ after: GET, scopes: ['read'] }]);
  });

  test('opens nothing of another name, namespace or partition', () => {
    expect(at({})).toMatchObject({ access: ALLOW, scopes: ['all'] });
    expect(at({ name: 'Orders' })).toMatchObject({ access: ALLOW, scopes: ['all'] });
    for (const place of OTHERS) expect(at(place)).toMatchObject({ access: undefined, scopes: [] });
  });

  test('is held in quarantine there alone, and not where the destination is protected anyway', () => {
    const clientBlocks = new Map([[clientText(WEB), 'ClientQuarantined' as const]]);
    expect(at({}, { clientBlocks }).holds).toMatchObject([{ reason: 'ClientQuarantined', scopes: ['all'] }]);
    for (const place of OTHERS) expect(at(place, { clientBlocks }).holds).toEqual([]);
    const guarded = { ...two.mapping, protectedServices: ['orders'] };
    expect(at({ name: 'Orders' }, { clientBlocks, mapping: guarded }).holds).toEqual([]);
  });

  test('is held there alone if it can never be opened', () => {
    const held = { mapping: mapping({ rules: [rule('all', 'orders'), rule('dot', 'a.b')] }) };
    const changes = { ...held, clients: [client('web', ['all', 'dot'])] };
    expect(at({}, changes).holds).toEqual([]);
    expect(at({ name: 'a.b' }, changes).holds).toMatchObject([{ scopes: ['dot'] }]);
  });

  test('is held as protected with every scope that would open it', () => {
    const rules = [rule('all', 'orders'), rule('read', 'orders', { methods: ['GET'] })];
    const guarded = mapping({ rules, protectedServices: ['orders'] });
    expect(at({}, { mapping: guarded }).holds).toMatchObject([
      { reason: 'ProtectedDestination', scopes: ['all', 'read'] },
    ]);
    const none = { clients: [client('web', [])], entries: entriesOf(entry('orders')) };
    expect(at({}, { mapping: guarded, ...none }).holds).toEqual([]);
  });
});

describe('a break-glass grant of one edge', () => {
  const grant = glass({ forMs: HOUR, askedAt: NOW, openedAt: NOW });
  const on = { breakGlass: { longestMs: 3_600_000, never: [] } };

  test('is of no edge with another source, destination, namespace or partition', () => {
    expect(isOfEdge(grant, named('web'), named('orders'))).toBe(true);
    expect(isOfEdge(grant, named('web'), named('Orders'))).toBe(true);
    expect(isOfEdge(grant, named('Web'), named('orders'))).toBe(false);
    for (const change of OTHERS) {
      expect(isOfEdge(grant, { ...named('web'), ...change }, named('orders'))).toBe(false);
      expect(isOfEdge(grant, named('web'), { ...named('orders'), ...change })).toBe(false);
    }
  });

  test('opens nothing for another source at the same destination', () => {
    const both = scene({
      mapping: mapping(on),
      clients: [client('web', []), client('job', [])],
      services: [claiming('web', 'web'), claiming('job', 'job')],
      entries: entriesOf(entry('orders', ourSource('job', GET))),
      breakGlass: [grant],
    });
    expect(planOf(both).changes).toMatchObject([
      { source: { name: 'job' }, after: undefined, reason: 'ScopeRevoked' },
      { source: { name: 'web' }, after: ALLOW, reason: 'BreakGlass' },
    ]);
  });

  test('opens nothing while one of its services is excluded, whatever else is', () => {
    for (const never of [
      ['orders', 'x'],
      ['x', 'web'],
    ]) {
      const limits = { breakGlass: { longestMs: 3_600_000, never } };
      const closed = scene({ mapping: mapping(limits), clients: [client('web', [])], breakGlass: [grant] });
      expect(planOf(closed).changes).toEqual([]);
    }
  });
});

describe('the deny in place of a lost edge', () => {
  const wild = entry('*', source('*', ALLOW));
  const lost = (changes: Partial<Scene> = {}, ...sources: readonly ReturnType<typeof source>[]) =>
    missingDenies(
      inputOf({
        clients: [client('web', [])],
        written: new Map([[SUBJECT, toLastAppliedText(ALLOW, ['orders'])]]),
        entries: entriesOf(entry('orders', ...sources), wild),
        ...changes,
      }),
    ).map(({ name }) => name);

  test('is not missing where any source of that name is there', () => {
    expect(lost()).toEqual(['web']);
    expect(lost({}, ourSource('web', ALLOW))).toEqual([]);
    expect(lost({}, source('web', DENY))).toEqual([]);
    expect(lost({}, source('job', ALLOW))).toEqual(['web']);
  });

  test('is missing where only a source of a peer, another namespace or another partition has that name', () => {
    for (const place of [{ peer: 'east' }, { namespace: 'other' }, { partition: 'other' }])
      expect(lost({}, source('web', ALLOW, '', place))).toEqual(['web']);
  });

  test('is not missing where scopemesh removed the edge, or the destination is not selected', () => {
    expect(lost({ written: new Map([[SUBJECT, REMOVED]]) })).toEqual([]);
    const elsewhere = mapping({ select: createSelection({ services: ['billing'] }) });
    expect(lost({ mapping: elsewhere })).toEqual([]);
    expect(lost({ entries: entriesOf(entry('orders')) })).toEqual([]);
  });
});

describe('the record of an edge', () => {
  const written = new Map([[SUBJECT, toLastAppliedText(ALLOW, [])]]);
  const removed = new Map([[SUBJECT, REMOVED]]);
  const ours = ourSource('web', ALLOW);
  const to = named('orders');
  const of = (lastApplied: ReadonlyMap<string, string>, unrecorded?: ReadonlySet<string>) => ({
    lastApplied,
    unrecorded,
  });

  test('makes it owned now only while it was not removed since', () => {
    expect(isOwnedNow(to, ours, of(written))).toBe(true);
    expect(isOwnedNow(to, ours, of(removed))).toBe(false);
    expect(isOwnedNow(to, ours, of(new Map()))).toBe(false);
    expect(isRecorded(to, ours, of(removed))).toBe(true);
  });

  test('is of no source of another namespace or partition, and none is made for it', () => {
    for (const place of [{ namespace: 'other' }, { partition: 'other' }]) {
      expect(isRecorded(to, { ...ours, ...place }, of(written))).toBe(false);
      expect(isOwnedNow(to, { ...ours, ...place }, of(written))).toBe(false);
      expect(needsRecord(to, { ...ours, ...place }, of(new Map()))).toBe(false);
    }
  });

  test('is needed if there is no record, or one of the removal', () => {
    expect(needsRecord(to, ours, of(new Map()))).toBe(true);
    expect(needsRecord(to, ours, of(removed))).toBe(true);
    expect(needsRecord(to, ours, of(written))).toBe(false);
  });

  test('counts as there while the records are not known one by one, unless it is known to be missing', () => {
    expect(isOwnedNow(to, ours, of(new Map(), new Set()))).toBe(true);
    expect(isOwnedNow(to, ours, of(written, new Set([SUBJECT])))).toBe(false);
    expect(needsRecord(to, ours, of(new Map(), new Set([SUBJECT])))).toBe(false);
  });
});
