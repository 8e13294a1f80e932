import { beforeEach, describe, expect, it } from 'vitest';
import { settleAll, toSettled } from '../../src/apply/settle.js';
import { NOW } from '../plan/scene.js';
import { type ApplyRig, applyRig, draft, KEY } from './apply-rig.js';

let rig: ApplyRig;
beforeEach(() => {
  rig = applyRig();
});

const applied = (source: string) => toSettled(draft(source, rig), { outcome: 'applied' }, NOW);

describe('a settlement', () => {
  it('of nothing writes nothing, and does not wake the relay', async () => {
    await settleAll(KEY, [], { lastApplied: new Map([['s', 'x']]) }, rig.deps);
    expect(rig.log).toEqual([]);
  });

  it('of many decisions is one step, and is counted decision by decision', async () => {
    const failed = toSettled(draft('api', rig), { outcome: 'failed', reason: 'Conflict' }, NOW);
    await settleAll(KEY, [applied('web'), failed], {}, rig.deps);
    expect(rig.log).toEqual([`settle ${KEY} web applied+api failed`, 'woke the relay']);
    expect(rig.counted).toEqual([
      'scopemesh_decisions_total ScopeGranted applied',
      'scopemesh_decisions_total Conflict failed',
    ]);
  });

  it('that cannot be made durable counts nothing, and does not wake the relay', async () => {
    const broken = {
      ...rig.deps,
      journal: { ...rig.deps.journal, settle: () => Promise.reject(new Error('no disk')) },
    };
    await expect(settleAll(KEY, [applied('web')], {}, broken)).rejects.toThrow('no disk');
    expect([rig.log, rig.counted]).toEqual([[], []]);
  });

  it('measures from the event to the write only what an event caused and what was applied', async () => {
    const noticed = { ...draft('api', rig), cause: { ...draft('api', rig).cause, kind: 'resync' as const } };
    const polled = { ...draft('api', rig), cause: { ...draft('api', rig).cause, kind: 'poll' as const } };
    await settleAll(
      KEY,
      [
        applied('web'),
        toSettled(draft('db', rig), { outcome: 'failed', reason: 'Conflict' }, NOW),
        toSettled(noticed, { outcome: 'applied' }, NOW + 700),
        toSettled(polled, { outcome: 'applied' }, NOW + 500),
      ],
      {},
      rig.deps,
    );
    expect(rig.timed).toEqual([
      'scopemesh_event_to_commit_seconds 1.5',
      'scopemesh_event_to_commit_seconds 2',
    ]);
  });
});

describe('a settled decision', () => {
  it('keeps the reason of its change where it was made, and names the failure where it was not', () => {
    const [made, lost] = [
      applied('web'),
      toSettled(draft('web', rig), { outcome: 'unknown', reason: 'Interrupted' }, NOW),
    ];
    expect([made.type, made.reason]).toEqual(['dev.scopemesh.intention.created', 'ScopeGranted']);
    expect([lost.type, lost.reason]).toEqual(['dev.scopemesh.intention.failed', 'Interrupted']);
  });

  it('shows nothing of the record that only recovery needs', () => {
    const made = applied('web');
    expect(made).not.toHaveProperty('expectedIndex');
    expect(made).not.toHaveProperty('opensBy');
  });
});
