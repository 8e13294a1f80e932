import { describe, expect, it, vi } from 'vitest';
import { planGuarded } from '../../src/reconcile/guarded-plan.js';
import { entry } from '../plan/scene.js';
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

describe('the plan of a destination', () => {
  it('that removes nothing asks Consul nothing, and has no evidence if its triggers have none', async () => {
    const { deps, basis, reads } = planRig();
    const { plan, input, reading } = await planGuarded(basis(), deps, never);
    expect([plan.changes, input.evidence, reading, reads]).toEqual([[], [], undefined, []]);
  });

  it('with an edge that is gone waits for what Consul has, and is made once if that is the same', async () => {
    const { deps, basis, lose, onlyRecorded, reads, plans } = planRig();
    lose('gone');
    onlyRecorded('web', 'api', 'gone');
    const { gone, reading } = await planGuarded(basis({ seesGone: true }), deps, never);
    expect(gone.map(({ subject }) => subject)).toEqual([subjectOf('gone')]);
    expect([reading, reads]).toEqual([undefined, ['orders', '*']]);
    expect(plans).toHaveBeenCalledTimes(1);
  });
});

describe('the plan of a removal after the guards', () => {
  it('is given while Consul is read, if nothing is held or counted', async () => {
    const { deps, basis, job, reads } = reported();
    const { plan, reading } = await planGuarded(basis({ job }), deps, never);
    expect(plan.changes.map(({ subject }) => subject)).toEqual([subjectOf('web')]);
    expect([reading instanceof Promise, reads]).toEqual([true, ['orders', '*']]);
    await reading;
  });

  it('waits for what Consul has, and asks the guards once, if Consul has what was known', async () => {
    const { deps, basis, lose } = planRig();
    lose('web');
    const asked = vi.spyOn(deps.window.rejections, 'put');
    const guarded = await planGuarded(basis(), deps, never);
    expect(guarded).not.toHaveProperty('reading');
    expect(guarded).toMatchObject({ used: [], plan: { changes: [{ isInferred: true }] } });
    expect(asked).toHaveBeenCalledTimes(1);
  });

  it('is made again from another entry that Consul has', async () => {
    const now = { ...entry('orders'), modifyIndex: 99 };
    const { deps, basis, lose } = planRig(new Map([['orders', now]]));
    lose('web');
    const { from, plan, reading } = await planGuarded(basis(), deps, never);
    expect([from.entry, reading]).toEqual([now, undefined]);
    expect(plan.changes.map(({ subject }) => subject)).toEqual([subjectOf('api')]);
  });

  it('waits for what Consul has once drafts are recorded', async () => {
    const { deps, basis, job } = reported();
    expect(await planGuarded(basis({ job, isFirst: false }), deps, never)).not.toHaveProperty('reading');
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
    const { deps, basis, lose, reads } = planRig();
    lose('web');
    void deps.clientReads.run(() => new Promise(() => {}));
    deps.window.rejections.put(TEXT, new Map([[subjectOf('web'), { by: { id: 'ann' }, at: '' }]]));
    const guarded = await planGuarded(basis(), deps, never);
    expect(guarded).toMatchObject({ waitMs: 20, used: [] });
    expect(reads).toEqual([]);
    expect(deps.window.rejections.of(subjectOf('web'))?.by.id).toBe('ann');
  });
});
