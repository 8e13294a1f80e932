import { describe, expect, it } from 'vitest';
import { planEjections } from '../../src/plan/plan-ejection.js';
import { ALLOW, DENY, entry, named, ourSource, source } from './scene.js';

const text = 'scopemesh:pay client=main/web text=by hand';

describe('an ejection', () => {
  it('is of every entry with a mark of this owner, and of no other', () => {
    const entries = [
      entry('a', source('web', ALLOW)),
      entry('b', source('web', ALLOW, 'scopemesh:other client=main/web')),
      entry('c', ourSource('web', ALLOW)),
    ];
    expect(planEjections('pay', entries).map(({ entry: { destination } }) => destination.name)).toEqual([
      'c',
    ]);
  });

  it('takes the marks alone, and keeps the place, the access and the fields of every source', () => {
    const other = source('job', DENY, 'by hand');
    const marked = { ...source('web', ALLOW, text), raw: { Name: 'web', Description: text, Odd: 1 } };
    const bare = { ...ourSource('api', ALLOW), raw: { Name: 'api', Description: 'mark' } };
    const [found] = planEjections('pay', [entry('orders', other, marked, bare)]);
    expect(found?.sources).toEqual([
      other,
      { ...marked, description: 'by hand', raw: { Name: 'web', Odd: 1, Description: 'by hand' } },
      { ...bare, description: '', raw: { Name: 'api' } },
    ]);
    expect(found?.why).toBeUndefined();
  });

  it('has a decision for each mark, which changes no access', () => {
    const odd = { ...source('odd', { kind: 'other' }, 'scopemesh:pay') };
    const [found] = planEjections('pay', [
      entry('orders', source('web', ALLOW, text), odd, source('x', ALLOW)),
    ]);
    const same = {
      action: 'change',
      verb: 'updated',
      reason: 'Ejected',
      scopes: [],
      opensBy: [],
      isInferred: false,
      narrows: false,
      widens: false,
    };
    expect(found?.changes).toEqual([
      {
        ...same,
        subject: 'intention/default/default/orders/web',
        resource: expect.objectContaining({ kind: 'intention', source: 'web', destination: 'orders' }),
        source: named('web'),
        before: ALLOW,
        after: ALLOW,
        description: 'by hand',
        client: { provider: 'main', clientId: 'web', actorKind: 'unknown' },
      },
      {
        ...same,
        subject: 'intention/default/default/orders/odd',
        resource: expect.objectContaining({ source: 'odd' }),
        source: named('odd'),
        before: { kind: 'other' },
        after: undefined,
        description: '',
      },
    ]);
  });

  it('leaves an entry that cannot be written, and says why', () => {
    const managed = {
      ...entry('orders', ourSource('web', ALLOW)),
      meta: { 'external-source': 'kubernetes' },
    };
    const legacy = entry('orders', ourSource('web', ALLOW), source('old', ALLOW, '', { isLegacy: true }));
    expect(planEjections('pay', [managed, legacy]).map(({ why }) => why)).toEqual([
      expect.stringContaining('another tool manages this entry'),
      expect.stringContaining('old intentions API'),
    ]);
  });
});
