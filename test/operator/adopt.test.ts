import { expect, it } from 'vitest';
import { destinationKey, formatKey } from '../../src/model/key.js';
import type { Mapping } from '../../src/model/rule.js';
import { adopt, planAdoptions } from '../../src/operator/adopt.js';
import { CAUSE, NEVER } from '../apply/apply-rig.js';
import { ALLOW, entry, NOW, named, source } from '../plan/scene.js';
import { depsOf, worldWithTwo } from '../reconcile/deps.js';

it.each([
  ['gets its mark', undefined, 1],
  ['gets no mark, and leaves no draft, if a reload came between its record and its write', {}, 0],
])('an adopted source %s', async (_what, reload: Partial<Mapping> | undefined, marks) => {
  const world = worldWithTwo();
  const unmarked = { ...entry('orders', source('web', ALLOW, 'by hand')), modifyIndex: 99 };
  world.putEntries([unmarked], NOW);
  const { deps, decisions } = depsOf(world, {});
  let written = 0;
  const intentions: typeof deps.consul.intentions = {
    ...deps.consul.intentions,
    read: async () => unmarked,
    async write() {
      written++;
      return { kind: 'written' };
    },
  };
  const journal: typeof deps.journal = {
    ...deps.journal,
    async record(key, drafts, replaced) {
      await deps.journal.record(key, drafts, replaced);
      if (drafts.length > 0 && reload !== undefined) world.setMapping({ ...world.mapping, ...reload });
    },
  };
  const subjects = new Set(planAdoptions(world, NOW).flatMap((each) => each.changes.map((it) => it.subject)));
  expect(subjects.size).toBe(1);
  const learning = { ...deps, journal, consul: { ...deps.consul, intentions } };
  expect(await adopt(named('orders'), CAUSE, learning, NEVER, subjects)).toBe(marks);
  expect([written, decisions.length]).toEqual([marks, marks]);
  expect(
    (await deps.journal.read(formatKey(destinationKey('orders', 'default', 'default')))).pending,
  ).toEqual([]);
});
