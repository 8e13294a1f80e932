import { afterEach, beforeEach, expect, it } from 'vitest';
import { API } from '../../../support/auth0/auth0.js';
import { startAuth0World } from '../../../support/auth0/world.js';
import { type CommandLine, createCommandLine } from '../../../support/command-line.js';
import { type Mesh, startMesh } from '../../../support/mesh.js';

let mesh: Mesh;
let cli: CommandLine;
let world: Awaited<ReturnType<typeof startAuth0World>>;
beforeEach(async () => {
  mesh = await startMesh();
  cli = createCommandLine(mesh);
  world = await startAuth0World();
});
afterEach(async () => {
  cli.close();
  await world.stop();
  await mesh.consul.close();
});

const findings = async (apis: readonly string[]) => {
  cli.configure({
    providers: [{ name: 'main', audience: 'consul', ...world.settings, apis }],
    scopes: { 'orders:read': { api: API, to: 'orders' } },
  });
  const { findings: all } = (await cli.run(['doctor', '--json'])).json() as {
    findings: { id: string; severity: string; message: string }[];
  };
  return all.filter(({ id }) => id === 'provider.main.apis');
};

it('doctor names an API of which no client holds a scope, because it may be deleted or mistyped', async () => {
  await world.addClient('web-app', 'web', ['orders:read']);
  expect(await findings([API])).toEqual([]);
  expect(await findings([API, 'https://nowhere.example.com'])).toMatchObject([
    { severity: 'warning', message: expect.stringContaining('https://nowhere.example.com') },
  ]);
  world.tenant.changeApi(API, undefined);
  expect(await findings([API])).toMatchObject([{ message: expect.stringContaining(API) }]);
});
