import { cpSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, it } from 'vitest';
import type { CommandLine } from '../../support/command-line.js';
import type { Mesh } from '../../support/mesh.js';
import { openCommandLine } from '../../support/open-command-line.js';

let mesh: Mesh;
let cli: CommandLine;
beforeEach(async () => {
  ({ mesh, cli } = await openCommandLine());
  cli.configure({});
  cli.idp({ clientId: 'web-app', scopes: ['orders:connect'], attributes: { 'consul-services': 'web' } });
  await mesh.register('orders');
  await mesh.register('web', { client: 'web-app' });
});

it('A backup restores the decisions, the key and the records, and needs no secret of the file', async () => {
  const [state, backup] = [join(cli.directory, 'state'), join(cli.directory, 'backup')];
  expect((await cli.run(['backup', backup])).err).toContain('there is no state in');
  expect((await cli.run(['apply', '--yes'])).status).toBe(0);
  const before = await cli.run(['decisions', 'list', '--json']);
  cli.configure({ consul: { address: mesh.consul.address, token: '$' + '{NOT_SET}' } });
  expect((await cli.run(['backup', backup, '--json'])).json()).toMatchObject({ directory: backup });
  cli.configure({});

  rmSync(state, { recursive: true });
  cpSync(backup, state, { recursive: true });
  expect((await cli.run(['decisions', 'list', '--json'])).out).toBe(before.out);
  expect((await cli.run(['decisions', 'verify'])).status).toBe(0);
  expect((await cli.run(['plan', '--json'])).json()).toMatchObject({ changes: [], holds: [] });
  expect(readdirSync(backup)).toContain('trail-key.pem');
});
