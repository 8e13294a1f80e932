import { describe, expect, it, vi } from 'vitest';
import { planGuarded } from '../../src/reconcile/guarded-plan.js';
import { jobOf, planRig, recordOf, subjectOf, TEXT } from './plan-basis.js';

const never = new AbortController().signal;
const NO_REMOVAL = { maxRevocations: { percent: 0, atLeast: 0, windowMs: 600_000 } };

/** A plan that removes `web`, for the identity provider reported its loss. */
function reported() {
  const rig = planRig();
  rig.lose('web');
  const job = jobOf(['web']);
  return { ...rig, job: () => job };
}

describe('the plan of a removal after the guards', () => {
  it('is given while Consul is read, if nothing is held or counted', async () => {
    const { deps, basis, job, reads } = reported();
    const { plan, reading, isFresh } = await planGuarded(basis({ job }), deps, never);
    expect(plan.changes.map(({ subject }) => subject)).toEqual([subjectOf('web')]);
    expect([reading instanceof Promise, isFresh, reads]).toEqual([true, false, ['orders', '*']]);
    await reading;
  });

  it('waits for what Consul has, and asks the guards once, if Consul has what was known', async () => {
    const { deps, basis, lose } = planRig();
    lose('web');
    const asked = vi.spyOn(deps.window.rejections, 'put');
    const guarded = await planGuarded(basis(), deps, never);
    expect(guarded).not.toHaveProperty('reading');
    expect(guarded).toMatchObject({ isFresh: true, used: [], plan: { changes: [{ isInferred: true }] } });
    expect(asked).toHaveBeenCalledTimes(1);
  });

  it('waits if one of its losses is inferred, and another was reported', async () => {
    const { deps, basis, job, lose } = reported();
    lose('api');
    const guarded = await planGuarded(basis({ job }), deps, never);
    expect(guarded.plan.changes.map(({ isInferred }) => isInferred).toSorted()).toEqual([false, true]);
    expect(guarded).not.toHaveProperty('reading');
  });

  it('waits if a hold begins with it', async () => {
    const { world, deps, basis, job, lose } = reported();
    world.setMapping({ ...world.mapping, ...NO_REMOVAL });
    lose('api');
    const guarded = await planGuarded(basis({ job }), deps, never);
    expect(guarded.plan.holds.map(({ subject }) => subject)).toEqual([subjectOf('api')]);
    expect(guarded).not.toHaveProperty('reading');
  });

  it.each(['ends', 'goes on'])('waits if a recorded hold %s with it', async (what) => {
    const { world, deps, basis, job, lose } = reported();
    world.setMapping({ ...world.mapping, ...NO_REMOVAL });
    if (what === 'goes on') lose('api');
    const record = { ...basis().record, ...recordOf('api', 'RevocationLimit') };
    const guarded = await planGuarded(basis({ job, record }), deps, never);
    expect(guarded.plan.holds).toHaveLength(what === 'ends' ? 0 : 1);
    expect(guarded).not.toHaveProperty('reading');
  });

  it('waits if an edge that it leaves must be recorded', async () => {
    const { deps, basis, job, onlyRecorded } = reported();
    onlyRecorded('web');
    const guarded = await planGuarded(basis({ job }), deps, never);
    expect([...(guarded.plan.records?.keys() ?? [])]).toEqual([subjectOf('api')]);
    expect(guarded.plan.changes.map(({ isInferred }) => isInferred)).toEqual([false]);
    expect(guarded).not.toHaveProperty('reading');
  });

  it('asks no guard and keeps the rejections while it waits for the reads of clients', async () => {
    const { deps, basis, lose } = planRig();
    lose('web');
    void deps.clientReads.run(() => new Promise(() => {}));
    deps.window.rejections.put(TEXT, new Map([[subjectOf('web'), { by: { id: 'ann' }, at: '' }]]));
    const guarded = await planGuarded(basis(), deps, never);
    expect(guarded).toMatchObject({ waitMs: 20, used: [] });
    expect(deps.window.rejections.of(subjectOf('web'))?.by.id).toBe('ann');
  });
});
