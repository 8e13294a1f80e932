import { afterEach, beforeEach, expect, it } from 'vitest';
import { type CommandLine, createCommandLine } from '../../../support/command-line.js';
import { type Mesh, startMesh } from '../../../support/mesh.js';

let mesh: Mesh;
let cli: CommandLine;
const web = { clientId: 'web-app', scopes: ['orders:read'], attributes: { 'consul-services': 'web' } };

beforeEach(async () => {
  mesh = await startMesh();
  cli = createCommandLine(mesh);
  await mesh.speaks('orders', 'http');
  await mesh.register('orders');
  await mesh.register('web', { client: 'web-app' });
  cli.idp(web);
  await cli.run(['apply', '--yes']);
});
afterEach(async () => {
  cli.close();
  await mesh.consul.close();
});

it('shows the decision that made an edge also after later ones, such as a hold', async () => {
  cli.configure({ mode: 'extend' });
  cli.idp({ ...web, scopes: [] });
  await cli.run(['apply', '--yes']);
  const { out } = await cli.run(['explain', 'web', 'orders']);
  expect(out).toMatch(/^ {2}decision .* applied +grant +web -> orders +ScopeGranted/m);
  expect(out).toMatch(/^ {2}decision .* revoke +web -> orders +ModeForbids/m);
  expect((await cli.run(['explain', 'web', 'orders', '--json'])).json()).toMatchObject({
    lastDecision: { data: { reason: 'ModeForbids' } },
    lastChange: { data: { reason: 'ScopeGranted' } },
  });
});
