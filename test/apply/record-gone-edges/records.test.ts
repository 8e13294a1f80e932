import { beforeEach, describe, expect, it } from 'vitest';
import { goneTriggers, recordGone } from '../../../src/apply/record-gone-edges.js';
import { clientKey, formatKey } from '../../../src/model/key.js';
import { silentLogger } from '../../../src/observe.js';
import { type GoneEdge, goneEdges } from '../../../src/plan/gone-edges.js';
import { REMOVED, toLastAppliedText, toUncertainText } from '../../../src/plan/last-applied.js';
import { intentionResource, intentionSubject } from '../../../src/plan/plan.js';
import type { ReconcilerDeps } from '../../../src/reconcile/deps.js';
import { inputOf } from '../../../src/state/fleet.js';
import type { WorldState } from '../../../src/state/world-state.js';
import { ALLOW, DENY, entry, NOW, named, ourSource, source } from '../../plan/scene.js';
import { depsOf, worldWithTwo } from '../../reconcile/deps.js';
import { CAUSE, KEY, ORDERS } from '../apply-rig.js';

const WRITTEN = toLastAppliedText(ALLOW, ['orders']);
const ofSource = (name: string) => intentionSubject(ORDERS, name);

let world: WorldState;
let made: ReturnType<typeof depsOf>;
let deps: ReconcilerDeps;
let log: string[];
beforeEach(() => {
  world = worldWithTwo();
  made = depsOf(world, {});
  log = [];
  deps = {
    ...made.deps,
    onSettled: () => log.push('woke the relay'),
    logger: { ...silentLogger, info: (fields, text) => log.push(`${text} ${JSON.stringify(fields)}`) },
  };
});

/** An edge that is missing in Consul. */
const gone = (name: string, changes: Partial<GoneEdge> = {}): GoneEdge => ({
  subject: ofSource(name),
  resource: intentionResource(ORDERS, name),
  scopes: ['orders'],
  before: ALLOW,
  isUncertain: false,
  ...changes,
});

describe('the record of an edge that is gone', () => {
  it('is not made where none is', async () => {
    await recordGone(KEY, [], CAUSE, deps);
    expect([made.decisions, log]).toEqual([[], []]);
  });

  it('is one decision of each, a line of the log, and the memory that it was removed', async () => {
    world.rememberWritten(KEY, new Map([[ofSource('api'), WRITTEN]]));
    const ofWeb = { provider: 'main', clientId: 'web', actorKind: 'workload' } as const;
    const cause = { ...CAUSE, principal: { id: 'ann' } };
    await recordGone(KEY, [gone('web', { client: ofWeb }), gone('db', { isUncertain: true })], cause, deps);
    expect(made.decisions).toMatchObject([
      { subject: ofSource('web'), outcome: 'observed', reason: 'RemovedElsewhere', client: ofWeb },
      { subject: ofSource('db'), outcome: 'observed', reason: 'RemovedElsewhere' },
    ]);
    expect(made.decisions.map(({ detail }) => detail)).toEqual([
      expect.stringContaining('no record of its removal'),
      expect.stringContaining('perhaps it was never written'),
    ]);
    expect(made.decisions[1]).not.toHaveProperty('client');
    for (const { cause: seen } of made.decisions) expect(seen).toEqual(CAUSE);
    expect([...world.records.of(KEY)]).toEqual([
      [ofSource('api'), WRITTEN],
      [ofSource('web'), REMOVED],
      [ofSource('db'), REMOVED],
    ]);
    expect([...(await deps.journal.read(KEY)).lastApplied.keys()]).toEqual([ofSource('web'), ofSource('db')]);
    const text =
      'what scopemesh wrote is missing in Consul, and nothing wants it any more; it counts as removed';
    const [first, second] = made.decisions;
    expect(log).toEqual([
      `${text} {"subject":"${ofSource('web')}","decision":"${first?.id}"}`,
      `${text} {"subject":"${ofSource('db')}","decision":"${second?.id}"}`,
      'woke the relay',
    ]);
  });
});

describe('a destination is looked at', () => {
  const triggers = () => goneTriggers(CAUSE, deps).map(({ key, cause }) => [key, cause]);
  const ORDERS_KEY = { kind: 'destination', partition: 'default', namespace: 'default', service: 'orders' };
  const remember = (...records: readonly (readonly [string, string])[]) =>
    world.rememberWritten(KEY, new Map(records));

  it('where an edge is gone that nothing wants', () => {
    remember([ofSource('old'), WRITTEN]);
    expect(triggers()).toEqual([[ORDERS_KEY, CAUSE]]);
  });

  it('where it is unknown whether such an edge was written', () => {
    remember([ofSource('old'), toUncertainText([])]);
    expect(triggers()).toEqual([[ORDERS_KEY, CAUSE]]);
  });

  it('where a deny is gone without which a wider intention opens', () => {
    world.putEntries([entry('orders', ourSource('web', ALLOW)), entry('*', source('*', ALLOW))], NOW);
    remember([ofSource('old'), toLastAppliedText(DENY, [])]);
    expect(goneEdges(inputOf(world, named('orders'), NOW))).toEqual([]);
    expect(triggers()).toEqual([[ORDERS_KEY, CAUSE]]);
  });

  it.each([
    ['while its edges are there', [ofSource('web'), WRITTEN] as const],
    ['while what is gone was removed by scopemesh', [ofSource('old'), REMOVED] as const],
  ])('not %s', (_, record) => {
    remember(record);
    expect(triggers()).toEqual([]);
  });

  it('not for the records of a client, and for no text that is no key', () => {
    world.rememberWritten(formatKey(clientKey('main', 'old')), new Map([[ofSource('old'), WRITTEN]]));
    world.rememberWritten('acl/pay', new Map([[ofSource('old'), WRITTEN]]));
    expect(triggers()).toEqual([]);
  });
});
