import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import type { CommandLine, DoctorFinding } from '../../support/command-line.js';
import type { Mesh } from '../../support/mesh.js';
import { openCommandLine } from '../../support/open-command-line.js';

let mesh: Mesh;
let cli: CommandLine;

beforeEach(async () => {
  ({ mesh, cli } = await openCommandLine('1.16.1'));
  await mesh.register('billing');
  await mesh.register('web', { client: 'web-app' });
});

function grant(scopes: readonly string[], attributes: Readonly<Record<string, string>> = {}): void {
  cli.idp({ clientId: 'web-app', scopes, attributes: { 'consul-services': 'web', ...attributes } });
}

function configure(parts: Readonly<Record<string, unknown>>): void {
  const directory = join(cli.directory, 'clients.json');
  const main = { name: 'main', kind: 'oidc', issuer: 'http://127.0.0.1:9', audience: 'mesh', directory };
  cli.configure({ providers: [main], ...parts });
}

async function examined(id: string): Promise<readonly DoctorFinding[]> {
  const { json } = await cli.run(['doctor', '--json']);
  return (json().findings as DoctorFinding[]).filter((finding) => finding.id === id);
}

async function heldReasons(): Promise<readonly unknown[]> {
  const { json } = await cli.run(['plan', '--json']);
  return (json().holds as { reason: string }[]).map(({ reason }) => reason);
}

it('names services that differ in case alone, and no others', async () => {
  grant([]);
  expect(await examined('services.case')).toEqual([]);
  await mesh.register('WEB');
  expect(await examined('services.case')).toMatchObject([
    {
      severity: 'warning',
      message: expect.stringContaining('WEB, web'),
      remedy: expect.stringContaining('deregister'),
    },
  ]);
});

describe('doctor finds what is held because the destination speaks tcp', () => {
  it('if the scope names the destination and the rule has methods', async () => {
    configure({ scopes: { '{service}:read': { to: '{service}', methods: ['GET'] } } });
    grant(['billing:read']);
    const [finding, ...others] = await examined('rules.protocol');
    expect(others).toEqual([]);
    expect(finding).toMatchObject({
      severity: 'warning',
      message: expect.stringMatching(
        /^Consul enforces methods, paths and headers .* tcp, .* held: billing \(by billing:read\)$/,
      ),
      remedy: expect.stringContaining(
        'set Protocol = "http" (or http2, grpc) in the service-defaults entry of billing',
      ),
    });
    expect(await heldReasons()).toEqual(['ProtocolUnsuitable']);
    await mesh.speaks('billing', 'http');
    expect(await examined('rules.protocol')).toEqual([]);
    expect(await heldReasons()).toEqual([]);
  });

  it('if the scope names the destination and the rule requires a user', async () => {
    configure({ scopes: { '{service}:read': { to: '{service}', user: 'required' } } });
    grant(['billing:read']);
    expect(await examined('rules.protocol')).toMatchObject([
      {
        message: expect.stringMatching(
          /^Consul enforces user: required .* held: billing \(by billing:read\)$/,
        ),
      },
    ]);
    expect(await heldReasons()).toEqual(['UserTokenUnenforceable']);
  });

  it('if the actor kind of the client requires the user and no rule does', async () => {
    configure({
      scopes: { '{service}:connect': { to: '{service}' }, 'x:y': { to: 'billing' } },
      actors: {
        classify: [{ attribute: 'actor', equals: 'agent', kind: 'agent' }],
        agent: { onBehalfOf: 'human' },
      },
    });
    grant(['billing:connect', 'x:y'], { actor: 'agent' });
    expect(await examined('rules.protocol')).toMatchObject([
      {
        message: expect.stringMatching(
          /^Consul enforces onBehalfOf: human .* held: billing \(by billing:connect of main\/web-app, of actor kind agent, x:y of /,
        ),
        remedy: expect.stringContaining('service-defaults entry of billing'),
      },
    ]);
    grant(['billing:connect', 'x:y']);
    expect(await examined('rules.protocol')).toEqual([]);
  });

  it('once if the rule names it and a client has the scope', async () => {
    configure({ scopes: { 'b:*': { to: 'billing', methods: ['GET'] } } });
    grant([]);
    const [unheld] = await examined('rules.protocol');
    expect(unheld?.message).toMatch(/held: billing \(by b:\*\)$/);
    grant(['b:one']);
    const [held] = await examined('rules.protocol');
    expect(held?.message).toMatch(/held: billing \(by b:one\)$/);
  });

  it('and not at a protected destination, which stays closed anyway', async () => {
    configure({
      scopes: { '{service}:read': { to: '{service}', methods: ['GET'] } },
      guards: { protected: ['billing'] },
    });
    grant(['billing:read']);
    expect(await examined('rules.protocol')).toEqual([]);
  });

  it('only for directories that could be read, and names the others', async () => {
    configure({ scopes: { '{service}:read': { to: '{service}', methods: ['GET'] } } });
    cli.brokenIdp('{');
    expect(await examined('rules')).toMatchObject([
      { severity: 'ok', message: expect.stringContaining('the scopes of main are not checked') },
    ]);
  });
});
