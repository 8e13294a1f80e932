import { beforeEach, expect, it } from 'vitest';
import type { CommandLine } from '../../../support/command-line.js';
import type { Mesh } from '../../../support/mesh.js';
import { openCommandLine } from '../../../support/open-command-line.js';

let mesh: Mesh;
let cli: CommandLine;
const web = { clientId: 'web-app', scopes: ['orders:read'], attributes: { 'consul-services': 'web' } };

beforeEach(async () => {
  ({ mesh, cli } = await openCommandLine());
  await mesh.speaks('orders', 'http');
  await mesh.register('orders');
  await mesh.register('web', { client: 'web-app' });
  cli.idp(web);
  await cli.run(['apply', '--yes']);
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
