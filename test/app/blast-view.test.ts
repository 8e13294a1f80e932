import { join } from 'node:path';
import { beforeEach, expect, it } from 'vitest';
import { meshNow } from '../../src/app/blast-view.js';
import { WorldState } from '../../src/state/world-state.js';
import { entry, mapping, NOW, SETTINGS, source } from '../plan/scene.js';
import type { CommandLine } from '../support/command-line.js';
import type { Mesh } from '../support/mesh.js';
import { openCommandLine } from '../support/open-command-line.js';

let mesh: Mesh;
let cli: CommandLine;
let configuration: Readonly<Record<string, unknown>>;

beforeEach(async () => {
  ({ mesh, cli } = await openCommandLine());
  const directory = join(cli.directory, 'clients.json');
  const provider = (name: string) => ({
    name,
    kind: 'oidc',
    issuer: `http://127.0.0.1:9/${name}`,
    directory,
  });
  configuration = {
    providers: [provider('main'), provider('partners')],
    scopes: {
      batch: [
        { provider: 'main', to: 'orders' },
        { provider: 'partners', to: 'billing' },
      ],
    },
  };
  cli.configure(configuration);
  cli.idp({ clientId: 'batch', scopes: ['batch'], attributes: { 'consul-services': 'one,two' } });
  await mesh.register('one', { tags: ['oauth-client=batch', 'oauth-provider=main'] });
  await mesh.register('two', { tags: ['oauth-client=batch', 'oauth-provider=partners'] });
  await cli.run(['apply', '--yes']);
});

it.each([[[]], [['--at', '0s']]])(
  'a client ID of several providers is refused, and not taken for that of the first one, with %j',
  async (at) => {
    const reached = async (name: string) => {
      const { json } = await cli.run(['blast-radius', name, ...at, '--json']);
      return (json().reached as { readonly service: string }[]).map(({ service }) => service);
    };
    expect(await reached('main/batch')).toEqual(['orders']);
    expect(await reached('partners/batch')).toEqual(['billing']);
    expect(await cli.run(['blast-radius', 'batch', ...at])).toMatchObject({
      status: 1,
      err: expect.stringContaining('several clients have this name; write one of'),
    });
  },
);

it('says with select that other destinations are missing', async () => {
  const ask = async () => (await cli.run(['blast-radius', 'partners/batch'])).out;
  expect(await ask()).not.toContain('select');
  cli.configure({ ...configuration, select: { services: ['orders'] } });
  const out = await ask();
  expect(out).toContain('0 services in reach from two');
  expect(out).toContain('what is open to other destinations is not in this answer');
});

it('a name of a client and of another service has the reach of both', async () => {
  const names = { clientId: 'two', scopes: ['batch'], attributes: { 'consul-services': 'three' } };
  cli.idp({ clientId: 'batch', scopes: ['batch'], attributes: { 'consul-services': 'one,two' } }, names);
  await mesh.register('three', { tags: ['oauth-client=two', 'oauth-provider=main'] });
  await cli.run(['apply', '--yes']);
  expect((await cli.run(['blast-radius', 'two', '--json'])).json()).toMatchObject({
    client: { provider: 'main', clientId: 'two' },
    starts: ['three', 'two'],
    reached: [
      { service: 'billing', staysReachable: true },
      { service: 'orders', staysReachable: false },
    ],
  });
});

it('walks a large mesh in turns of the event loop, which has revocations to make', async () => {
  const world = new WorldState(mapping(), SETTINGS);
  const marked = source('web', { kind: 'allow' }, 'scopemesh:pay client=main/web');
  const entries = Array.from({ length: 1_000 }, (_, at) => ({
    ...entry(`d${at}`, marked),
    modifyIndex: at + 1,
  }));
  world.putEntries(entries, NOW);
  let turns = 0;
  let isOver = false;
  const count = () => {
    turns++;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  const { forged } = await meshNow('web', world, NOW);
  isOver = true;
  expect(turns).toBeGreaterThanOrEqual(10);
  expect(forged.size).toBe(0);
});
