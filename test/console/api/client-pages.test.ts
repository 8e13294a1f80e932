import { expect, it } from 'vitest';
import { ClientPage, Clients, Found } from '../../../src/console/answers.js';
import { listClients, readClient } from '../../../src/console/api/client-pages.js';
import { NoSuchThing } from '../../../src/console/api/parts.js';
import { search } from '../../../src/console/api/search.js';
import { claiming, client, entriesOf, entry, mapping, ourSource, rule } from '../../plan/scene.js';
import { GET, holdOn, partsOf, signal } from './console-world.js';

const PARTS = partsOf(
  {
    mapping: mapping({ rules: [rule('orders', 'orders'), rule('orders', 'stock')] }),
    clients: [client('web', ['orders', 'idle'], { name: 'The shop' }), client('off', [], { enabled: false })],
    services: [
      claiming('web', 'web'),
      claiming('site', 'off'),
      claiming('app', 'off'),
      claiming('orders', ''),
      claiming('ghost', 'nobody'),
    ],
    entries: entriesOf(entry('orders', ourSource('web', GET)), entry('old', ourSource('web', GET))),
  },
  [holdOn('web', 'stock', 'ProtocolUnsuitable'), holdOn('web', 'later', 'Frozen')],
);
const QUERY = { q: '', sort: 'name', limit: 10 } as const;

it('lists the clients of the providers, and those that only a claim names', async () => {
  const { rows, total } = Clients.parse(await listClients(PARTS, QUERY, signal));
  expect(total).toBe(3);
  expect(rows).toEqual([
    expect.objectContaining({ id: 'nobody', enabled: null, services: ['ghost'], scopes: 0 }),
    expect.objectContaining({ id: 'off', enabled: false, services: ['app', 'site'] }),
    {
      provider: 'main',
      id: 'web',
      name: 'The shop',
      enabled: true,
      kind: 'workload',
      services: ['web'],
      scopes: 2,
      edges: 2,
      blocked: null,
    },
  ]);
});

it.each([
  ['shop', ['web']],
  ['GHOST', ['nobody']],
  ['site', ['off']],
  ['main/', ['nobody', 'off', 'web']],
])('finds by %j in the ID, the name and the service', async (q, ids) => {
  const { rows } = await listClients(PARTS, { ...QUERY, q }, signal);
  expect(rows.map(({ id }) => id)).toEqual(ids);
});

it('shows what each scope opens, and what else its services have', async () => {
  const page = ClientPage.parse(await readClient(PARTS, { provider: 'main', clientId: 'web' }, signal));
  expect(page.scopes).toMatchObject([
    {
      name: 'orders',
      limited: false,
      edges: [
        { from: 'web', to: 'orders', state: 'open', access: 'http' },
        { from: 'web', to: 'stock', state: 'held', access: 'none', reason: 'ProtocolUnsuitable' },
      ],
    },
    { name: 'idle', edges: [] },
  ]);
  expect(page.others).toMatchObject([
    { from: 'web', to: 'old', state: 'open' },
    { from: 'web', to: 'later', state: 'held', reason: 'Frozen' },
  ]);
});

it('does not know a client that nothing names', async () => {
  await expect(readClient(PARTS, { provider: 'main', clientId: 'x' }, signal)).rejects.toThrow(NoSuchThing);
});

it('finds names that begin with a text first, and a decision by its ID', async () => {
  expect(Found.parse(await search(PARTS, 'o', signal)).map(({ kind, name }) => `${kind} ${name}`)).toEqual([
    'service old',
    'service orders',
    'service ghost',
    'client main/off',
    'client main/web',
  ]);
  expect(await search(PARTS, '01J00000000000000000000000', signal)).toEqual([
    { kind: 'decision', name: '01J00000000000000000000000', url: '/changes/01J00000000000000000000000' },
  ]);
});
