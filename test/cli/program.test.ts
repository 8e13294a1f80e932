import { beforeEach, describe, expect, it } from 'vitest';
import type { CommandLine } from '../support/command-line.js';
import { startOrdersCommandLine } from '../support/orders-command-line.js';

let cli: CommandLine;

beforeEach(async () => {
  ({ cli } = await startOrdersCommandLine());
});

describe('validate', () => {
  it('says that a file is valid, or every fault with its line', async () => {
    expect(await cli.run(['validate'])).toMatchObject({ status: 0, out: 'The configuration is valid.\n' });
    expect((await cli.run(['validate', '--json'])).json()).toEqual({ valid: true, problems: [] });
    cli.configure({ mode: 'sometimes', extra: 1 });
    const { status, json } = await cli.run(['validate', '--json']);
    expect(status).toBe(1);
    expect(json()).toMatchObject({ valid: false, problems: [{ line: 1, path: 'mode' }, { path: 'extra' }] });
    expect((await cli.run(['validate'])).status).toBe(1);
  });

  it('says what a provider refuses at the start, at its line', async () => {
    const provider = { kind: 'keycloak', clientId: 'a', clientSecret: 'hunter2' };
    cli.configure({ providers: [{ name: 'main', ...provider, issuer: 'https://sso.example.com' }] });
    const { status, json } = await cli.run(['validate', '--json']);
    expect(status).toBe(1);
    expect(json()).toMatchObject({
      valid: false,
      problems: [
        {
          path: 'providers[0]',
          line: 1,
          message: expect.stringMatching(/^issuer must be the address of a realm/),
        },
      ],
    });
  });

  it('says that no token could pass where a user is required and tokens list their scopes', async () => {
    const okta = { kind: 'okta', issuer: 'https://x.okta.com/oauth2/default', apiToken: 'hunter2' };
    const validate = async (more: object) => {
      cli.configure({
        providers: [{ name: 'main', ...okta, apis: ['api://orders'], audience: 'calls', ...more }],
        scopes: { 'orders:read': { to: 'orders', user: 'required' } },
      });
      return (await cli.run(['validate', '--json'])).json();
    };
    expect(await validate({})).toMatchObject({
      problems: [{ path: 'providers', message: expect.stringContaining('list their scopes in scp') }],
    });
    expect(await validate({ claims: { scopes: 'scope' } })).toEqual({ valid: true, problems: [] });
  });
});

describe('the program', () => {
  it('knows its version, explains each command with examples, and exits 0', async () => {
    expect((await cli.run(['--version'])).out).toMatch(/^\d+\.\d+\.\d+(-[\w.]+)?(\+[\w.]+)?\n$/);
    for (const path of [
      ['run'],
      ['plan'],
      ['apply'],
      ['explain'],
      ['validate'],
      ['doctor'],
      ['adopt'],
      ['approve'],
      ['reject'],
      ['tokens'],
      ['providers'],
      ['completion'],
      ['decisions', 'list'],
      ['decisions', 'tail'],
      ['decisions', 'verify'],
    ]) {
      const { status, out } = await cli.run([...path, '--help']);
      expect([path, status]).toEqual([path, 0]);
      expect(out).toMatch(/Examples?:/);
      expect(out.split('\n').filter((line) => line.length > 100)).toEqual([]);
    }
  });

  it('suggests the command that was meant', async () => {
    expect(await cli.run(['pln'])).toMatchObject({
      status: 1,
      err: expect.stringContaining('Did you mean plan?'),
    });
  });

  it('completes commands and options in each shell', async () => {
    for (const shell of ['bash', 'zsh', 'fish']) {
      const { status, out } = await cli.run(['completion', shell]);
      expect(status).toBe(0);
      for (const word of ['plan', 'doctor', 'verify', 'detailed-exitcode']) expect(out).toContain(word);
    }
    expect((await cli.run(['completion', 'tcsh'])).status).toBe(1);
  });

  it('uses no colour without a terminal or with NO_COLOR', async () => {
    const plain = await cli.run(['plan'], { environment: { NO_COLOR: '' } });
    expect(plain.out).not.toContain('\u001b');
    const coloured = await cli.run(['plan'], { typed: '', environment: { NO_COLOR: '' } });
    expect(coloured.out).toContain('\u001b[32m+');
    expect((await cli.run(['plan'], { typed: '' })).out).not.toContain('\u001b');
  });
});
