import { expect, it } from 'vitest';
import { ServicePage } from '../../../src/console/answers.js';
import { NoSuchThing } from '../../../src/console/api/parts.js';
import { readService, serviceNamed } from '../../../src/console/api/service-page.js';
import {
  ALLOW,
  claiming,
  client,
  DENY,
  entriesOf,
  entry,
  mapping,
  ourSource,
  rule,
  source,
} from '../../plan/scene.js';
import { GET, holdOn, partsOf, signal } from './console-world.js';

const PARTS = partsOf(
  {
    mapping: mapping({ rules: [rule('orders', 'orders'), rule('*', 'billing')] }),
    clients: [client('web', ['orders'])],
    services: [claiming('web', 'web'), claiming('orders', ''), claiming('other', 'nobody')],
    entries: entriesOf(
      entry('orders', ourSource('web', GET), source('batch', ALLOW), source('bad', DENY)),
      entry('*', source('probe', ALLOW)),
    ),
  },
  [
    holdOn('web', 'orders', 'RevocationLimit'),
    holdOn('bad', 'orders', 'ForeignSource'),
    holdOn('other', 'orders', 'ClaimUnconfirmed'),
  ],
);

it('shows each edge of a service with what opens it, what holds it and whose it is', async () => {
  const page = ServicePage.parse(await readService(PARTS, 'orders', signal));
  expect(page).toMatchObject({
    asOf: { decision: 'newest' },
    complete: true,
    name: 'orders',
    callers: 2,
    calls: 0,
    held: 3,
    claims: [{ service: 'orders', client: null, kind: 'none' }],
    out: [],
  });
  const web = { provider: 'main', id: 'web' };
  expect(page.in).toEqual([
    expect.objectContaining({ from: 'other', access: 'none', state: 'held', reason: 'ClaimUnconfirmed' }),
    {
      from: 'web',
      to: 'orders',
      client: web,
      scopes: ['orders'],
      rules: ['scopes.orders'],
      access: 'http',
      permissions: [{ methods: ['GET'], path: '/v1', user: false }],
      state: 'held',
      reason: 'RevocationLimit',
      decision: 'RevocationLimit web',
    },
    expect.objectContaining({ from: 'batch', access: 'all', state: 'foreign', client: null, scopes: [] }),
    expect.objectContaining({ from: 'bad', access: 'deny', state: 'foreign', reason: 'ForeignSource' }),
    expect.objectContaining({ from: 'probe', to: '*', state: 'foreign' }),
  ]);
});

it('shows what a service may call, by its intentions', async () => {
  const page = await readService(PARTS, 'web', signal);
  expect(page).toMatchObject({ callers: 0, calls: 1, held: 1, in: [{ from: 'probe', to: '*' }] });
  expect(page.out).toMatchObject([{ from: 'web', to: 'orders' }]);
  expect(page.claims).toEqual([
    { service: 'web', client: { provider: 'main', id: 'web' }, kind: 'claimed', detail: null },
  ]);
});

it('says why a claim does not count', async () => {
  const { claims } = await readService(PARTS, 'other', signal);
  expect(claims).toMatchObject([{ kind: 'refused', detail: expect.stringContaining('ClaimUnconfirmed') }]);
});

it('does not know a service that nothing names', async () => {
  await expect(readService(PARTS, 'nobody', signal)).rejects.toThrow(NoSuchThing);
});

it('says that it does not know what was not read', async () => {
  const parts = partsOf({ services: [claiming('web', 'web')] });
  parts.live().deps.world.forgetDirectory('main');
  expect(await readService(parts, 'web', signal)).toMatchObject({
    complete: false,
    unknown: ['The directory of main has not been read yet.'],
  });
});

it('names a service of another place by its place', () => {
  const here = { consul: { partition: 'p', namespace: 'n' } } as Parameters<typeof serviceNamed>[1];
  expect(serviceNamed('web', here)).toEqual({ partition: 'p', namespace: 'n', name: 'web' });
  expect(serviceNamed('a/b/web', here)).toEqual({ partition: 'a', namespace: 'b', name: 'web' });
});
