import { describe, expect, it } from 'vitest';
import type { Change, Hold, Plan } from '../../src/plan/plan.js';
import { planDestination } from '../../src/plan/plan-destination.js';
import { isStillPlanned } from '../../src/plan/still-planned.js';
import { inputOf } from '../../src/state/fleet.js';
import { WorldState } from '../../src/state/world-state.js';
import {
  ALLOW,
  claiming,
  client,
  DENY,
  entriesOf,
  entry,
  mapping,
  NOW,
  named,
  ourSource,
  planOf,
  rule,
  SETTINGS,
  scene,
} from './scene.js';

const web = { provider: 'main', clientId: 'web' };
const api = { provider: 'main', clientId: 'api' };

/** `web` has its edge already; `api` is to get one. */
function planned() {
  const world = new WorldState(mapping({ rules: [rule('orders', 'orders')] }), SETTINGS);
  const clients = [client('web', ['orders']), client('api', ['orders'])];
  world.putDirectory('main', clients, world.beginRead(), NOW);
  const services = [claiming('web', 'web'), claiming('api', 'api')];
  world.putCatalog({ services, protocols: new Map(), defaultProtocol: 'http' }, NOW);
  world.putEntries([entry('orders', ourSource('web', ALLOW))], NOW);
  const planNow = () => planDestination(inputOf(world, named('orders'), NOW));
  const plan = planNow();
  return { world, isStill: () => isStillPlanned(plan.changes, plan, planNow()) };
}

describe('a recorded plan', () => {
  it('still holds where nothing changed, or only what it is not about', () => {
    const { world, isStill } = planned();
    expect(isStill()).toBe(true);
    world.putClient({ provider: 'main', clientId: 'far' }, client('far', ['orders']), world.beginRead());
    expect(isStill()).toBe(true);
  });

  it('does not hold once a client lost what an edge of it opens by', () => {
    const { world, isStill } = planned();
    world.putClient(api, client('api', []), world.beginRead());
    expect(isStill()).toBe(false);
  });

  it('does not hold once something else is to be closed', () => {
    const { world, isStill } = planned();
    world.putClient(web, client('web', []), world.beginRead());
    expect(isStill()).toBe(false);
  });
});

describe('a recorded deletion', () => {
  const deny = entry('orders', ourSource('web', DENY));
  const removing = (kind: 'allow' | 'deny') => {
    const [change] = planOf(scene()).changes;
    if (change === undefined) throw new Error('the scene changes nothing');
    return {
      ...change,
      before: { kind },
      after: undefined,
      verb: 'deleted' as const,
      narrows: kind === 'allow',
      widens: false,
    };
  };
  const fresh = (...changes: readonly Change[]): Plan => ({
    ...planOf(scene({ entries: entriesOf(deny) })),
    holds: [],
    changes,
  });

  it('of a deny does not hold once the deny must stay', () => {
    const change = removing('deny');
    expect(isStillPlanned([change], fresh(change), fresh())).toBe(false);
    expect(isStillPlanned([change], fresh(change), fresh(change))).toBe(true);
  });

  it('of an allow holds although the new plan has nothing about it, and not if that has a deny instead', () => {
    const change = removing('allow');
    expect(isStillPlanned([change], fresh(change), fresh())).toBe(true);
    const denied = { ...change, after: DENY, verb: 'updated' as const };
    expect(isStillPlanned([change], fresh(change), fresh(denied))).toBe(false);
  });
});

describe('a recorded change', () => {
  const [first] = planOf(scene()).changes;
  if (first === undefined) throw new Error('nothing is planned');
  const grant: Change = first;
  const loss: Change = { ...grant, subject: 'loss', narrows: true, widens: false };
  const plan = (changes: readonly Change[], holds: readonly Hold[] = []): Plan => ({
    key: { kind: 'destination', partition: '', namespace: '', service: '' },
    changes,
    holds,
  });
  const hold = (action: Hold['action']): Hold => ({
    subject: 'loss',
    reason: 'Frozen',
    detail: '',
    action,
    scopes: [],
    resource: grant.resource,
  });
  const isStill = (recorded: readonly Change[], fresh: readonly Change[], holds: readonly Hold[] = []) =>
    isStillPlanned(recorded, plan([], holds), plan(fresh));

  it('that widens must be planned alike: the access, the Description and what it opens by', () => {
    expect(isStill([grant], [grant])).toBe(true);
    const others: readonly Partial<Change>[] = [{ after: DENY }, { description: 'x' }, { opensBy: ['x'] }];
    for (const change of others) expect(isStill([grant], [{ ...grant, ...change }])).toBe(false);
    expect(isStill([grant], [])).toBe(false);
    expect(isStill([loss, grant], [])).toBe(false);
  });

  it('that narrows needs no plan, and one that is planned must be recorded or held', () => {
    expect(isStill([loss], [])).toBe(true);
    expect(isStill([loss, grant], [loss, grant])).toBe(true);
    expect(isStill([grant], [grant, loss])).toBe(false);
    expect(isStill([{ ...grant, subject: 'loss' }], [{ ...grant, subject: 'loss', narrows: true }])).toBe(
      false,
    );
    expect(isStill([grant], [grant, loss], [hold('revoke')])).toBe(true);
    expect(isStill([grant], [grant, loss], [hold('grant')])).toBe(false);
  });
});
