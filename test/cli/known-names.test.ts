import { beforeEach, describe, expect, it } from 'vitest';
import type { CommandLine, DoctorFinding } from '../support/command-line.js';
import type { Mesh } from '../support/mesh.js';
import { openCommandLine } from '../support/open-command-line.js';

let mesh: Mesh;
let cli: CommandLine;
const MARKED = { Name: 'web', Action: 'allow', Description: 'scopemesh:payments client=main/web-app' };

/** `web` may call `orders` by its scope, `billing` by an intention of somebody else, and `vault` by a forged mark. */
beforeEach(async () => {
  ({ mesh, cli } = await openCommandLine());
  cli.configure({ scopes: { 'orders:read': { to: 'orders' } }, guards: { protected: ['vault'] } });
  cli.idp({ clientId: 'web-app', scopes: ['orders:read'], attributes: { 'consul-services': 'web' } });
  await mesh.register('web', { client: 'web-app' });
  for (const name of ['orders', 'billing', 'vault']) await mesh.register(name);
  await cli.run(['apply', '--yes']);
  await mesh.write('billing', [{ Name: 'web', Action: 'allow' }]);
  await mesh.write('vault', [MARKED]);
});

describe('a name that neither side knows', () => {
  it.each([
    [['who-can-call', 'ordrs']],
    [['what-can', 'wbe']],
    [['history', 'wbe']],
    [['blast-radius', 'wbe']],
    [['explain', 'web', 'ordrs']],
    [['explain', 'wbe', 'orders']],
  ])('is an error of %j', async (args) => {
    const { status, err, out } = await cli.run(args);
    expect([status, out]).toEqual([1, '']);
    expect(err).toMatch(/no (client, )?service.* has the name (wbe|ordrs)/);
  });

  it('is told from a service without callers', async () => {
    expect(await cli.run(['who-can-call', 'web'])).toMatchObject({ status: 0 });
    expect(await cli.run(['what-can', 'billing'])).toMatchObject({ status: 0 });
  });

  it('is told from a service that has only its service-defaults', async () => {
    await mesh.speaks('later', 'http');
    const { status, err, out } = await cli.run(['explain', 'web', 'later']);
    expect([status, err]).toEqual([4, '']);
    expect(out).toContain('later');
  });
});

describe('access that scopemesh did not open', () => {
  it('is listed with what a service or its client may do, and marked', async () => {
    for (const name of ['web', 'main/web-app']) {
      const { json } = await cli.run(['what-can', name, '--json']);
      expect(json().foreign).toEqual([
        { source: 'web', destination: 'billing', access: { kind: 'allow' } },
        { source: 'web', destination: 'vault', access: { kind: 'allow' } },
      ]);
      expect((await cli.run(['what-can', name])).out).toContain(
        'not owned by scopemesh: an intention in Consul allows web -> billing',
      );
    }
  });

  it('is listed with the callers of a service although it has a forged mark', async () => {
    const { json } = await cli.run(['who-can-call', 'vault', '--json']);
    expect(json()).toMatchObject({ callers: [], foreign: [{ source: 'web' }] });
  });

  it('does not end at a quarantine although it has a forged mark', async () => {
    const { json } = await cli.run(['blast-radius', 'main/web-app', '--json']);
    expect(json()).toMatchObject({
      reached: [
        { service: 'billing', staysReachable: true, edge: { writer: 'foreign' } },
        { service: 'orders', staysReachable: false, edge: { writer: 'scopemesh' } },
        { service: 'vault', staysReachable: true, edge: { writer: 'foreign' } },
      ],
      endsAtQuarantine: [{ destination: 'orders' }],
    });
  });
});

it.each([
  ['by an intention', async () => {}],
  [
    'by a wildcard',
    async () => {
      await mesh.remove('vault');
      await mesh.write('*', [{ Name: '*', Action: 'allow' }]);
    },
  ],
])('a protected service that is open %s is the first error of doctor', async (_, open) => {
  await open();
  const findings = (await cli.run(['doctor', '--json'])).json().findings as readonly DoctorFinding[];
  expect(findings.find(({ severity }) => severity === 'error')).toMatchObject({
    id: 'protected.open',
    message: expect.stringContaining('the protected service vault is open to'),
  });
});

it('a protected service that nobody may call is no finding', async () => {
  await mesh.write('vault', [{ Name: '*', Action: 'deny' }]);
  const findings = (await cli.run(['doctor', '--json'])).json().findings as readonly DoctorFinding[];
  expect(findings.map(({ id }) => id)).not.toContain('protected.open');
});
