import { beforeEach, expect, it } from 'vitest';
import type { CommandLine } from '../../support/command-line.js';
import type { Mesh } from '../../support/mesh.js';
import { openCommandLine } from '../../support/open-command-line.js';

let mesh: Mesh;
let cli: CommandLine;
beforeEach(async () => {
  ({ mesh, cli } = await openCommandLine());
  cli.idp({ clientId: 'web-app', scopes: [] });
});

async function shared() {
  const { findings } = (await cli.run(['doctor', '--json'])).json() as {
    findings: { id: string; severity: string; message: string; remedy: string }[];
  };
  return findings.find(({ id }) => id === 'claims.shared');
}

const sourceOf = (owner: string, provider: string) => ({
  Name: 'web',
  Action: 'allow',
  Description: `scopemesh:${owner} client=${provider}/web-app`,
});

it('names another instance whose provider has the same name, because both read each other’s claims', async () => {
  await mesh.write('orders', [sourceOf('shipping', 'main')]);
  expect(await shared()).toMatchObject({
    severity: 'notice',
    message: expect.stringContaining('owner shipping also has a provider named main'),
    remedy: expect.stringContaining('oauth-provider'),
  });
  cli.configure({ services: { claims: 'first' } });
  expect(await shared()).toMatchObject({ severity: 'warning' });
});

it('says nothing about an instance whose providers have other names, or about its own marks', async () => {
  await mesh.write('orders', [sourceOf('shipping', 'other')]);
  await mesh.write('billing', [sourceOf('payments', 'main')]);
  expect(await shared()).toBeUndefined();
});
