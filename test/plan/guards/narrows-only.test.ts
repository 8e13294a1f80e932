import { describe, expect, test } from 'vitest';
import { guarded } from '../guarded.js';
import { ALLOW, entriesOf, entry, mapping, ourSource, planOf, rule, scene, sceneAfter } from '../scene.js';

const BEFORE_LIST = { narrowsOnly: true };
const l7 = (...methods: readonly string[]) =>
  mapping({ rules: [rule('orders', 'orders', { methods, path: '/' })] });

describe('before the first complete read of Consul', () => {
  test('nothing opens, and what closes is closed', () => {
    const opening = planOf(scene({ mapping: mapping({ rules: [rule('orders', 'orders')] }) }));
    expect(opening.changes).toMatchObject([{ widens: true }]);
    expect(guarded(opening, BEFORE_LIST)).toMatchObject({ changes: [], holds: [] });
    const open = { entries: entriesOf(entry('orders', ourSource('web', ALLOW))) };
    const closing = planOf(scene({ mapping: mapping({ rules: [] }), ...open }));
    expect(closing.changes).toMatchObject([{ narrows: true, widens: false }]);
    expect(guarded(closing, BEFORE_LIST)).toMatchObject({ changes: closing.changes, holds: [] });
  });

  test('a replacement becomes the intersection, and the rest is not remembered as written', () => {
    const before = scene({ mapping: l7('GET', 'DELETE') });
    const plan = planOf({ ...sceneAfter(before, [planOf(before)]), mapping: l7('GET', 'PUT') });
    const { changes, holds } = guarded(plan, BEFORE_LIST);
    const permissions = [{ methods: ['GET'], pathPrefix: '/' }];
    expect(changes).toMatchObject([{ after: { kind: 'http', permissions }, widens: false }]);
    expect(changes[0]).not.toHaveProperty('remembered');
    expect(holds).toEqual([]);
  });
});
