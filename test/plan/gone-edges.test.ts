import { describe, expect, it } from 'vitest';
import { goneEdges } from '../../src/plan/gone-edges.js';
import { REMOVED, toLastAppliedText, toUncertainText } from '../../src/plan/last-applied.js';
import { planDestination } from '../../src/plan/plan-destination.js';
import { createSelection } from '../../src/plan/selection.js';
import { clientText } from '../../src/plan/world.js';
import {
  ALLOW,
  client,
  DENY,
  entriesOf,
  entry,
  inputsOf,
  mapping,
  named,
  ourSource,
  type Scene,
  scene,
  source,
} from './scene.js';

const subject = 'intention/default/default/orders/web';
const WEB = clientText({ provider: 'main', clientId: 'web' });
const WRITTEN = new Map([[subject, toLastAppliedText(ALLOW, ['orders'])]]);

const gone = (changes: Partial<Scene>) =>
  inputsOf(
    scene({
      clients: [client('web', [])],
      entries: entriesOf(entry('orders')),
      written: WRITTEN,
      ...changes,
    }),
  )
    .flatMap(goneEdges)
    .map((each) => each.subject);

describe('an edge with a record that is not in Consul', () => {
  it('is gone if nothing wants it any more', () => {
    expect(gone({})).toEqual([subject]);
    expect(gone({ entries: entriesOf(entry('orders', source('other', ALLOW))) })).toEqual([subject]);
    expect(gone({ written: new Map([[subject, toUncertainText([])]]) })).toEqual([subject]);
  });

  it('is not gone if it is wanted: it is put back', () => {
    expect(gone({ clients: [client('web', ['orders'])] })).toEqual([]);
  });

  it('is not gone if it is wanted once its claim is recorded, or its record can be read', () => {
    const first = { ...scene().mapping, claims: 'first' as const };
    const records = [
      { provider: 'main', clientId: 'web', service: named(''), modifyIndex: 1, unreadableKey: 'its key' },
    ];
    for (const changes of [{ mapping: first }, { mapping: first, records }]) {
      expect(gone({ ...changes, clients: [client('web', ['orders'])] })).toEqual([]);
      expect(gone(changes)).toEqual([subject]);
    }
  });

  it('is not gone if it is a deny and a wider intention opens: it is put back as drift', () => {
    const written = new Map([[subject, toLastAppliedText(DENY, [])]]);
    const wild = entry('*', source('*', ALLOW));
    const lost = scene({ clients: [client('web', [])], entries: entriesOf(entry('orders'), wild), written });
    const at = (world: Scene) => inputsOf(world).filter(({ destination }) => destination.name === 'orders');
    const changes = (world: Scene) => at(world).flatMap((input) => planDestination(input).changes);
    expect(at(lost).flatMap(goneEdges)).toEqual([]);
    expect(changes(lost)).toMatchObject([
      { subject, verb: 'created', action: 'revoke', reason: 'DriftCorrected', after: DENY, narrows: true },
    ]);
    const there = { ...lost, entries: entriesOf(entry('orders', ourSource('web', DENY)), wild) };
    expect(changes(there)).toEqual([]);
    expect(gone({ ...lost, entries: entriesOf(entry('orders')) })).toEqual([subject]);
  });

  it.each([
    ['was written', WRITTEN],
    ['may have been written', new Map([[subject, toUncertainText([])]])],
  ])('is not gone if it %s and a wider intention opens: a deny is put there', (_, written) => {
    const wild = entry('*', source('*', ALLOW));
    const lost = scene({ clients: [client('web', [])], entries: entriesOf(entry('orders'), wild), written });
    const at = (world: Scene) => inputsOf(world).filter(({ destination }) => destination.name === 'orders');
    expect(at(lost).flatMap(goneEdges)).toEqual([]);
    expect(at(lost).flatMap((input) => planDestination(input).changes)).toMatchObject([
      {
        subject,
        verb: 'created',
        action: 'revoke',
        reason: 'WildcardWouldAllow',
        after: DENY,
        narrows: true,
      },
    ]);
    expect(at({ ...lost, clients: [client('web', ['orders'])] }).flatMap(goneEdges)).toEqual([]);
    expect(gone({ ...lost, entries: entriesOf(entry('orders')) })).toEqual([subject]);
  });

  it('gets no deny under a wider intention if its client is outside the selection', () => {
    const deniesFor = (clients: string[]) => {
      const lost = scene({
        clients: [client('web', [])],
        entries: entriesOf(entry('orders'), entry('*', source('*', ALLOW))),
        written: WRITTEN,
        mapping: mapping({ select: createSelection({ clients }) }),
      });
      return inputsOf(lost).flatMap((input) => planDestination(input).changes);
    };
    expect(deniesFor(['web'])).toMatchObject([{ subject, after: DENY }]);
    expect(deniesFor(['other'])).toEqual([]);
  });

  it.each<[string, Partial<Scene>]>([
    ['the directory is unread', { unread: ['main'] }],
    ['the catalog is unread', { isCatalogRead: false }],
    ['its client was read alone', { unread: ['main'], readAlone: new Map([[WEB, client('web', [])]]) }],
    ['its client cannot be read', { unreadable: new Set([WEB]) }],
    ['the records are unknown', { written: new Map(), unrecorded: new Set() }],
    ['scopemesh removed it', { written: new Map([[subject, REMOVED]]) }],
    ['it is there', { entries: entriesOf(entry('orders', ourSource('web', ALLOW))) }],
    ['it is there without its mark', { entries: entriesOf(entry('orders', source('web', ALLOW))) }],
  ])('is not reported if %s', (_, changes) => {
    expect(gone(changes)).toEqual([]);
  });

  it('is not reported if its destination is outside the selection', () => {
    const select = (services: string[]) =>
      gone({ mapping: mapping({ select: createSelection({ services }) }) });
    expect(select(['orders'])).toEqual([subject]);
    expect(select(['billing'])).toEqual([]);
  });

  it('is gone if only a source of a peer or of another namespace has its name', () => {
    for (const changes of [{ peer: 'east' }, { namespace: 'team' }])
      expect(gone({ entries: entriesOf(entry('orders', source('web', ALLOW, '', changes))) })).toEqual([
        subject,
      ]);
  });

  it('is reported with its client, its scopes and what the record says of its access', () => {
    const found = (text: string, changes: Partial<Scene> = {}) =>
      inputsOf(
        scene({
          clients: [client('web', [])],
          entries: entriesOf(entry('orders')),
          written: new Map([[subject, text]]),
          ...changes,
        }),
      ).flatMap(goneEdges)[0];
    expect(found(toLastAppliedText(ALLOW, ['orders', '["x","y"]']))).toEqual({
      subject,
      resource: expect.objectContaining({ kind: 'intention', source: 'web', destination: 'orders' }),
      client: { provider: 'main', clientId: 'web', actorKind: 'workload' },
      scopes: ['orders', 'y'],
      before: ALLOW,
      isUncertain: false,
    });
    expect(found(toLastAppliedText(DENY, []))?.before).toEqual(DENY);
    expect(found('["http x",[]]')?.before).toEqual({ kind: 'other' });
    expect(found(toUncertainText([]))).toMatchObject({ before: { kind: 'other' }, isUncertain: true });
    expect(found('["of an unknown form"')).toMatchObject({
      scopes: [],
      before: { kind: 'other' },
      isUncertain: false,
    });
    expect(found(toLastAppliedText(ALLOW, []), { services: [] })).not.toHaveProperty('client');
  });

  it('is gone if only a source of another partition has its name', () => {
    const far = source('web', ALLOW, '', { partition: 'far' });
    expect(gone({ entries: entriesOf(entry('orders', far)) })).toEqual([subject]);
  });
});
