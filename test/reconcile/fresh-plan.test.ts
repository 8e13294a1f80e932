import { describe, expect, it } from 'vitest';
import { isConfirmed, planFresh } from '../../src/reconcile/fresh-plan.js';
import { entry } from '../plan/scene.js';
import { jobOf, planRig, subjectOf } from './plan-basis.js';

const never = new AbortController().signal;

describe('a fresh plan', () => {
  it('that removes nothing asks Consul nothing', async () => {
    const { deps, basis, reads } = planRig();
    const fresh = await planFresh(basis(), deps, never);
    expect(fresh.plan.changes).toEqual([]);
    expect([fresh.reading, fresh.isFresh, reads]).toEqual([undefined, false, []]);
  });

  it('has no evidence if its triggers have none', async () => {
    const { deps, basis } = planRig();
    expect((await planFresh(basis(), deps, never)).input.evidence).toEqual([]);
  });

  it('is fresh by an entry that was read in this run', async () => {
    const { deps, basis } = planRig();
    expect((await planFresh(basis({ isFresh: true }), deps, never)).isFresh).toBe(true);
  });

  it('made from what Consul has now is fresh, reads nothing again and waits for nothing', async () => {
    const { deps, basis, entry: now, lose, reads } = planRig();
    lose('web');
    void deps.clientReads.run(() => new Promise(() => {}));
    const read = { entry: now, wildcard: undefined, isAsKnown: true };
    const fresh = await planFresh(basis({ read }), deps, never);
    expect(fresh.plan.changes.map(({ subject }) => subject)).toEqual([subjectOf('web')]);
    expect(fresh).toMatchObject({ isFresh: true });
    expect([fresh.reading, fresh.waitMs, reads]).toEqual([undefined, undefined, []]);
  });

  it('with an edge that is gone waits for what Consul has, and is made once if that is the same', async () => {
    const { deps, basis, lose, onlyRecorded, reads, plans } = planRig();
    lose('gone');
    onlyRecorded('web', 'api', 'gone');
    const fresh = await planFresh(basis({ seesGone: true }), deps, never);
    expect(fresh.gone.map(({ subject }) => subject)).toEqual([subjectOf('gone')]);
    expect([fresh.reading, fresh.isFresh, reads]).toEqual([undefined, true, ['orders', '*']]);
    expect(plans).toHaveBeenCalledTimes(1);
  });
});

describe('a plan of which drafts are recorded', () => {
  /** A removal whose read is under way. */
  async function drafted(...stored: Parameters<typeof planRig>) {
    const rig = planRig(...stored);
    rig.lose('web');
    const job = jobOf(['web']);
    const fresh = await planFresh(rig.basis({ job: () => job }), rig.deps, never);
    expect(fresh.reading).toBeDefined();
    return { ...rig, fresh, job };
  }

  it('is confirmed if Consul has what was known', async () => {
    const { deps, fresh, job } = await drafted();
    expect(await isConfirmed(fresh, { job: () => job }, deps)).toBe(true);
  });

  it('is not confirmed if there is another trigger, whose cause and evidence it does not have', async () => {
    const { deps, fresh } = await drafted();
    const informed = jobOf(['web', 'api']);
    expect(await isConfirmed(fresh, { job: () => informed }, deps)).toBe(false);
  });

  it('is not confirmed if Consul has another entry', async () => {
    const { deps, fresh, job } = await drafted(
      new Map([['orders', { ...entry('orders'), modifyIndex: 99 }]]),
    );
    expect(await isConfirmed(fresh, { job: () => job }, deps)).toBe(false);
  });
});
