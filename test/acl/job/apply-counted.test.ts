import { expect, it } from 'vitest';
import { applyCounted } from '../../../src/acl/job/apply-counted.js';
import { NEVER } from '../../apply/apply-rig.js';
import { application, failed, narrowRole, POLICY, role } from '../apply/memory-acl.js';
import { aclWorld } from './acl-world.js';

const SUBJECT = 'acl-role/scopemesh-pay-main-web';
const down = failed('ERR_QUEUE_UNREACHABLE', 'the store is down');

/** Narrows the role of a client whose removal counted once before. */
function narrowing() {
  const it = aclWorld();
  it.put(role(POLICY));
  const { window } = it.job;
  window.reserveEdge(SUBJECT, it.nowMs);
  window.confirmEdge(SUBJECT);
  it.nowMs += 1_000;
  const run = () =>
    applyCounted(
      application([narrowRole()]),
      { counted: [SUBJECT], used: [], holds: [] },
      () => true,
      it.job,
      NEVER,
    );
  return { it, window, run, counts: () => [window.used(it.nowMs), window.underWay(it.nowMs)] };
}

it('a window that cannot be stored gives back what it reserved, and keeps the removal from before', async () => {
  const { it: world, window, run, counts } = narrowing();
  Object.assign(world.job, { keyValues: { ...world.job.keyValues, set: () => Promise.reject(down) } });
  const before = window.toText();
  await expect(run()).rejects.toThrow(down);
  expect([window.toText(), counts()]).toEqual([before, [1, 0]]);
  expect(world.requests()).toEqual([]);
});

it('a removal that the journal cannot record is given back', async () => {
  const { it: world, window, run, counts } = narrowing();
  Object.assign(world.job, { journal: { ...world.job.journal, record: () => Promise.reject(down) } });
  const before = window.toText();
  await expect(run()).rejects.toThrow(down);
  expect([window.toText(), counts()]).toEqual([before, [1, 0]]);
});

it('a removal that the journal cannot settle counts', async () => {
  const { it: world, window, run, counts } = narrowing();
  Object.assign(world.job, { journal: { ...world.job.journal, settle: () => Promise.reject(down) } });
  await expect(run()).rejects.toThrow(down);
  expect(counts()).toEqual([1, 0]);
  expect(JSON.parse(window.toText())).toEqual([{ at: world.nowMs, edges: 1, subject: SUBJECT }]);
});

it('a removal counts although the comparison reserved it first, and gave it back because its store failed', async () => {
  const it = aclWorld();
  it.put(role(POLICY));
  const { window } = it.job;
  const changes = application([narrowRole()]);
  const counted = { counted: [SUBJECT], used: [], holds: [] };
  const comparison = window.reserveStored([SUBJECT], it.nowMs, { set: () => Promise.reject(down) });
  // The store that fails has begun.
  await Promise.resolve();
  const own = applyCounted(changes, counted, () => true, it.job, NEVER);
  await expect(comparison).rejects.toThrow(down);
  await own;
  expect([window.used(it.nowMs), window.underWay(it.nowMs)]).toEqual([1, 0]);
});
