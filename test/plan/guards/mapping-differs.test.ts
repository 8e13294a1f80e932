import { describe, expect, test } from 'vitest';
import type { MappingDoubtFacts } from '../../../src/plan/guards/guard.js';
import { guarded } from '../guarded.js';
import {
  ALLOW,
  claiming,
  client,
  entriesOf,
  entry,
  mapping,
  ourSource,
  planOf,
  rule,
  scene,
  sceneAfter,
} from '../scene.js';

const access = (...methods: readonly string[]) =>
  ({ kind: 'http', permissions: [{ methods, pathPrefix: '/' }] }) as const;
const l7 = (...methods: readonly string[]) =>
  mapping({ rules: [rule('orders', 'orders', { methods, path: '/' })] });
const doubt = (more: Partial<MappingDoubtFacts> = {}) => ({
  doubt: { isHeld: () => true, approvedBy: () => undefined, ...more },
});

describe('while the mapping of a leader is in doubt', () => {
  test('nothing opens, and what closes is closed', () => {
    const opening = planOf(scene({ mapping: mapping({ rules: [rule('orders', 'orders')] }) }));
    expect(guarded(opening, doubt())).toMatchObject({ changes: [], holds: [{ reason: 'MappingDiffers' }] });
    const open = { entries: entriesOf(entry('orders', ourSource('web', ALLOW))) };
    const closing = planOf(scene({ mapping: mapping({ rules: [] }), ...open }));
    expect(closing.changes).toMatchObject([{ narrows: true, widens: false }]);
    expect(guarded(closing, doubt())).toMatchObject({ changes: closing.changes, holds: [] });
  });

  test('a replacement becomes the intersection, and the rest is not remembered as written', () => {
    const before = scene({ mapping: l7('GET', 'DELETE') });
    const plan = planOf({ ...sceneAfter(before, [planOf(before)]), mapping: l7('GET', 'PUT') });
    const { changes, holds } = guarded(plan, doubt());
    expect(changes).toMatchObject([{ after: access('GET'), widens: false }]);
    expect(changes[0]).not.toHaveProperty('remembered');
    expect(holds).toMatchObject([{ reason: 'MappingDiffers' }]);
  });

  test('what scopemesh had written comes back, and so does what only the identity provider changed', () => {
    const before = scene({ mapping: mapping({ rules: [rule('orders', 'orders')] }) });
    const drifted = planOf({ ...sceneAfter(before, [planOf(before)]), entries: entriesOf() });
    expect(drifted.changes).toMatchObject([{ reason: 'DriftCorrected', widens: true }]);
    expect(guarded(drifted, doubt()).changes).toEqual(drifted.changes);
    const granted = planOf(before);
    expect(guarded(granted, doubt({ isHeld: () => false })).changes).toEqual(granted.changes);
  });

  test('an approval opens one edge, and stays valid while a freeze holds it', () => {
    const plan = planOf(
      scene({
        mapping: mapping({ rules: [rule('orders', 'orders')] }),
        clients: [client('web', ['orders']), client('api', ['orders'])],
        services: [claiming('web', 'web'), claiming('api', 'api')],
      }),
    );
    const by = { id: 'os:alice' };
    const facts = doubt({ approvedBy: ({ subject }) => (subject.endsWith('/web') ? by : undefined) });
    const approved = guarded(plan, facts);
    expect(approved.changes).toMatchObject([{ source: { name: 'web' }, approvedBy: by }]);
    expect(approved.holds).toMatchObject([{ reason: 'MappingDiffers', resource: { source: 'api' } }]);
    expect(approved.used).toMatchObject([{ reason: 'MappingDiffers', resource: { source: 'web' } }]);
    const frozen = guarded(plan, { ...facts, freeze: { kind: 'started', since: 0, by } });
    expect(frozen).toMatchObject({ changes: [], used: [] });
    const reasons = frozen.holds.map(({ reason, resource }) => `${resource.source} ${reason}`);
    expect(reasons.toSorted()).toEqual(['api MappingDiffers', 'web Frozen', 'web MappingDiffers']);
  });
});
