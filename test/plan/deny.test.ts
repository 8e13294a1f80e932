import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { localPerson } from '../../src/model/cause.js';
import type { Deny } from '../../src/model/ruling.js';
import { covers } from '../../src/plan/access.js';
import { denyOfDescription, describeDeny } from '../../src/plan/ownership.js';
import { clientText } from '../../src/plan/world.js';
import { glass, HOUR } from './break-glass-scene.js';
import { guarded } from './guarded.js';
import {
  ALLOW,
  claiming,
  client,
  DENY,
  entriesOf,
  entry,
  inputsOf,
  keyOf,
  mapping,
  NOW,
  ourSource,
  planOf,
  plansOf,
  type Scene,
  scene,
  sceneAfter,
  source,
} from './scene.js';
import { someScene } from './worlds.js';

const SUBJECT = 'intention/default/default/orders/web';
const ANA = localPerson('ana');

function deny(changes: Partial<Deny> = {}, name = 'web'): Deny {
  const about = { source: name, destination: 'orders', partition: 'default', namespace: 'default' };
  return { about, reason: 'INC-1', by: ANA, since: NOW, until: NOW + HOUR, ...changes };
}

const applied = (before: Scene): Scene => sceneAfter(before, plansOf(before));
const open = applied(scene());
const denied = applied({ ...open, denies: [deny()] });
const webOf = ({ entries }: Scene) =>
  entries.get(keyOf('orders'))?.sources.find(({ name }) => name === 'web');
const wide = entriesOf(entry('*', source('*', ALLOW)));

describe('the deny of an edge', () => {
  test('closes it whatever the identity provider grants, and says who, why and until when', () => {
    const { changes, holds } = planOf({ ...open, denies: [deny()] });
    expect(changes).toMatchObject([
      {
        ...{ subject: SUBJECT, reason: 'PersonDenied', action: 'revoke', before: ALLOW, after: DENY },
        ...{ isInferred: false, narrows: true, widens: false },
        ruling: {
          by: ANA,
          detail: expect.stringMatching(/^local \(ana\) denied this edge until .*: INC-1$/),
        },
      },
    ]);
    expect(holds).toMatchObject([
      { subject: SUBJECT, reason: 'PersonDenied', scopes: ['orders'], after: ALLOW },
    ]);
    expect(webOf(denied)?.access).toEqual(DENY);
    expect(planOf(denied).changes).toEqual([]);
  });

  test('keeps an edge closed that does not exist yet', () => {
    const before = applied(scene({ clients: [client('web', [])], denies: [deny()] }));
    const granted = { ...before, clients: [client('web', ['orders'])] };
    expect(planOf(granted)).toMatchObject({ changes: [], holds: [{ reason: 'PersonDenied' }] });
  });

  test('wins over a break-glass grant, a directory and a catalog that nobody could read, and a missing claim', () => {
    const on = mapping({ rules: [], breakGlass: { longestMs: 4 * HOUR, never: [] } });
    const glassed = applied(scene({ mapping: on, breakGlass: [glass()] }));
    expect(webOf(glassed)?.access).toEqual(ALLOW);
    for (const each of [
      glassed,
      { ...open, unread: ['main'] },
      { ...open, isCatalogRead: false },
      { ...open, services: [] },
    ])
      expect(planOf({ ...each, denies: [deny()] }).changes).toMatchObject([
        { reason: 'PersonDenied', after: DENY },
      ]);
  });

  test('waits for no guard: neither a freeze, nor the mass guard, nor a missing record', () => {
    const facts = {
      freeze: { kind: 'started', since: NOW } as const,
      isContended: () => true,
      budget: { ownedAtStart: 1, used: 9, planned: 9, maxRevocations: mapping().maxRevocations },
      isStoreLow: true,
    };
    const unrecorded = { ...open, written: new Map(), unrecorded: new Set([SUBJECT]) };
    for (const each of [open, unrecorded])
      expect(guarded(planOf({ ...each, denies: [deny()] }), facts).changes).toHaveLength(1);
  });

  test('takes away what only a wider intention of others gives, and gives that back at its end', () => {
    const before = applied(scene({ clients: [client('web', [])], entries: wide, denies: [deny()] }));
    expect(webOf(before)?.access).toEqual(DENY);
    const after = planOf({ ...before, now: NOW + HOUR });
    expect(after.changes).toMatchObject([{ reason: 'DenyEnded', after: undefined, widens: true }]);
    expect(guarded(after, { freeze: { kind: 'started', since: NOW } }).changes).toEqual([]);
  });

  test('leaves no edge open that scopemesh had closed against a wider intention', () => {
    const lost = applied({
      ...applied({ ...open, entries: new Map([...open.entries, ...wide]) }),
      clients: [client('web', [])],
    });
    expect(webOf(lost)?.access).toEqual(DENY);
    const ended = { ...applied({ ...lost, denies: [deny()] }), now: NOW + HOUR };
    expect(webOf(ended)?.access).toEqual(DENY);
    expect(planOf(ended).changes).toEqual([]);
  });

  test('opens at its end only what is granted by then', () => {
    const later = { ...denied, now: NOW + HOUR };
    expect(planOf(later).changes).toMatchObject([
      { reason: 'DenyEnded', before: DENY, after: ALLOW, action: 'grant' },
    ]);
    expect(webOf(applied(later))).toMatchObject({
      access: ALLOW,
      description: 'scopemesh:pay client=main/web',
    });
    const gone = applied({ ...later, clients: [client('web', [])] });
    expect(webOf(gone)).toBeUndefined();
    const blocked = {
      ...later,
      clientBlocks: new Map([
        [clientText({ provider: 'main', clientId: 'web' }), 'ClientQuarantined' as const],
      ]),
    };
    expect(webOf(applied(blocked))?.access).not.toEqual(ALLOW);
  });

  test('is in effect without a store, by its mark, until the mark says', () => {
    const lost = { ...denied, denies: [] };
    expect(planOf(lost)).toMatchObject({ changes: [], holds: [{ reason: 'PersonDenied' }] });
    const unwritten = { ...lost, written: new Map(), unrecorded: undefined };
    expect(planOf(unwritten)).toMatchObject({ changes: [], records: expect.any(Map) });
    expect(planOf({ ...lost, now: NOW + HOUR }).changes).toMatchObject([{ after: ALLOW }]);
  });

  test('that a person ended is not brought back by its mark', () => {
    const ended = { ...denied, denies: [deny({ endedAt: NOW + 1 })], now: NOW + 2 };
    expect(planOf(ended).changes).toMatchObject([{ reason: 'DenyEnded', after: ALLOW }]);
  });

  test('in a mark that names an end far away is not believed', () => {
    const mark = `scopemesh:pay deny=2099-01-01T00:00:00.000Z client=main/web`;
    const forged = { ...open, entries: entriesOf(entry('orders', source('web', DENY, mark))) };
    expect(planOf(forged).changes).toMatchObject([{ after: ALLOW }]);
  });

  test('changes no intention of others, and says so', () => {
    const foreign = scene({ entries: entriesOf(entry('orders', source('web', ALLOW))), denies: [deny()] });
    const { changes, holds } = planOf(foreign);
    expect(changes).toEqual([]);
    expect(holds.map(({ reason }) => reason)).toContain('ForeignSource');
  });

  test('touches no other edge', () => {
    const services = [claiming('web', 'web'), claiming('api', 'api')];
    const two = scene({ services, clients: [client('web', ['orders']), client('api', ['orders'])] });
    expect(planOf({ ...applied(two), denies: [deny()] }).changes.map(({ subject }) => subject)).toEqual([
      SUBJECT,
    ]);
  });

  test('never gives anybody more, in any world', () => {
    fc.assert(
      fc.property(someScene, (world) => {
        const destinations = inputsOf(world).map(({ destination }) => destination.name);
        for (const destination of destinations) {
          const about = { source: 'web', destination, partition: 'default', namespace: 'default' };
          const rulings = [deny({ about, since: world.now, until: world.now + HOUR })];
          const before = planOf(world, destination).changes;
          for (const change of planOf({ ...world, denies: rulings }, destination).changes) {
            if (change.source.name === 'web') expect(change).toMatchObject({ after: DENY, widens: false });
            else {
              const same = before.find(({ subject }) => subject === change.subject);
              expect(covers(same?.after, change.after)).toBe(true);
            }
          }
        }
      }),
    );
  });
});

describe('the mark of a denied edge', () => {
  const until = NOW + HOUR;
  const WEB = { provider: 'main', clientId: 'web' };

  test('says until when, and survives the text of an adopted source', () => {
    const description = describeDeny(
      'pay',
      WEB,
      { until, isNew: true },
      'of the team deny=2000-01-01T00:00:00.000Z',
    );
    expect(denyOfDescription(description)).toEqual({ until, isNew: true });
    expect(denyOfDescription(describeDeny('pay', undefined, { until, isNew: false }, ''))).toEqual({
      until,
      isNew: false,
    });
    expect(
      denyOfDescription('scopemesh:pay client=main/web text=x deny=2099-01-01T00:00:00.000Z'),
    ).toBeUndefined();
    expect(denyOfDescription('scopemesh:pay deny=soon client=main/web')).toBeUndefined();
  });

  test('keeps the text if not everything fits', () => {
    for (const length of [0, 400, 440, 480, 490]) {
      const text = 'x'.repeat(length);
      const description = describeDeny('pay', WEB, { until, isNew: true }, text);
      expect(Buffer.byteLength(description)).toBeLessThanOrEqual(512);
      expect(description.endsWith(text)).toBe(true);
    }
  });

  test('of an edge whose claim is gone is forgotten with the deny', () => {
    expect(
      webOf(applied({ ...denied, denies: [], now: NOW + HOUR, services: [], clients: [client('web', [])] })),
    ).toBeUndefined();
    expect(
      planOf(scene({ entries: entriesOf(entry('orders', ourSource('web', DENY))), written: open.written }))
        .changes,
    ).toMatchObject([{ after: ALLOW }]);
  });
});
