import { expect, test, vi } from 'vitest';
import { providerKey } from '../../src/model/key.js';
import { askForJwtProviders, causesToKeep } from '../../src/reconcile/jwt-waiting.js';
import { jobOf, planRig, TEXT } from './plan-basis.js';

test('a destination that waits asks for its jwt-provider once, and again once it has waited no more', async () => {
  const { deps } = planRig();
  const add = vi.spyOn(deps.queue, 'add');
  const job = jobOf();
  for (const awaits of [['main'], ['main'], [], ['main']]) await askForJwtProviders(TEXT, awaits, job, deps);
  const asked = [{ key: providerKey('main'), cause: job.triggers[0]?.cause, urgent: true }];
  expect(add.mock.calls).toEqual([[asked], [asked]]);
});

test('a destination that waits keeps whose change opens it, and no evidence, which would excuse later losses', () => {
  const { key, triggers } = jobOf(['web']);
  const client = { provider: 'main', clientId: 'web' };
  const own = triggers.map((each) => ({ ...each, client, urgent: true }));
  expect(own[0]).toHaveProperty('evidence');
  const cause = own[0]?.cause;
  expect(causesToKeep({ key, triggers: [...triggers, ...own], attempts: 0 })).toEqual([
    { key, cause, client },
  ]);
});
