import { describe, expect, it } from 'vitest';
import { draftOf } from '../../src/apply/decision-drafts.js';
import { writePlan } from '../../src/apply/write-plan.js';
import type { Change } from '../../src/plan/plan.js';
import { NOW } from '../plan/scene.js';
import { depsOf, worldWithTwo } from '../reconcile/deps.js';
import { applyRig, CAUSE, change, entryOf, KEY, loss, NEVER, ORDERS } from './apply-rig.js';

const { subject } = loss('web');

/** A write after the inferred removal of `web`, whose answer was lost. */
async function writeAfterLostRemoval(changes: readonly Change[], kind: 'conflict' | 'written') {
  const { deps } = depsOf(worldWithTwo(), {});
  deps.window.reserveEdge(subject, NOW - 1);
  deps.window.reopenEdge(subject);
  const answer = async () => (kind === 'written' ? { kind, modifyIndex: 8 } : { kind });
  const overtaken = [draftOf(loss('web', { isInferred: true }), CAUSE, 7, applyRig().stamp)];
  await writePlan(
    {
      key: KEY,
      destination: ORDERS,
      entry: entryOf('web', 'api'),
      changes,
      replaced: [],
      overtaken,
      baseOf: async () => ({ base: entryOf('web', 'api') }),
    },
    () => CAUSE,
    {
      ...deps,
      consul: { ...deps.consul, intentions: { ...deps.consul.intentions, write: answer } },
      journal: { ...deps.journal, record: async () => {}, settle: async () => {} },
    },
    NEVER,
  );
  return deps.window;
}

describe('an inferred removal whose answer was lost', () => {
  it('counts if it was made, although the next write of the edge met a conflict', async () => {
    const window = await writeAfterLostRemoval([loss('web', { isInferred: true })], 'conflict');
    window.confirmEdge(subject);
    expect(window.used(NOW)).toBe(1);
  });

  it('counts once if the next write makes it', async () => {
    const window = await writeAfterLostRemoval([loss('web', { isInferred: true })], 'written');
    expect(window.used(NOW)).toBe(1);
  });

  it.each([
    ['leaves its edge alone', [change('db')]],
    ['widens its edge', [change('web', undefined, { verb: 'updated', after: { kind: 'allow' } })]],
  ])('does not count if the next write %s', async (_, changes) => {
    const window = await writeAfterLostRemoval(changes, 'written');
    expect(window.used(NOW)).toBe(0);
  });
});

it('a grant that meets a conflict leaves an earlier removal of its edge counted', async () => {
  const { deps } = depsOf(worldWithTwo(), {});
  deps.window.reserveEdge(subject, NOW - 1);
  deps.window.confirmEdge(subject);
  await writePlan(
    {
      key: KEY,
      destination: ORDERS,
      entry: entryOf('api'),
      changes: [change('web')],
      replaced: [],
      overtaken: [],
      baseOf: async (_, isLost) => (isLost ? undefined : { base: entryOf('api') }),
    },
    () => CAUSE,
    {
      ...deps,
      consul: {
        ...deps.consul,
        intentions: { ...deps.consul.intentions, write: async () => ({ kind: 'conflict' }) },
      },
      journal: { ...deps.journal, record: async () => {}, settle: async () => {} },
    },
    NEVER,
  );
  expect(deps.window.used(NOW)).toBe(1);
});
