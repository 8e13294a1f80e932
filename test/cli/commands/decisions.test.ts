import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CommandLine, createCommandLine } from '../../support/command-line.js';

let cli: CommandLine;

beforeEach(() => {
  // No command here asks Consul anything.
  cli = createCommandLine({ consul: { address: 'http://127.0.0.1:9', managementToken: 'unused' } });
});
afterEach(() => cli.close());

describe('decisions without a log', () => {
  it('list says only on stderr that there are none, and names the directory', async () => {
    const state = join(cli.directory, 'state');
    expect(await cli.run(['decisions', 'list', '--json'])).toMatchObject({
      status: 0,
      out: '',
      err: `there are no decisions yet in ${state} (state.directory)\n`,
    });
    expect(existsSync(state)).toBe(false);
  });

  it('tail says so too, and continues', async () => {
    const stop = AbortSignal.abort(new Error('stopped by a signal'));
    const { status, err } = await cli.run(['decisions', 'tail'], { signal: stop });
    expect([status, err]).toEqual([0, expect.stringContaining('no decisions yet in ')]);
  });

  it('are an error if the state directory is a file', async () => {
    const file = join(cli.directory, 'file');
    writeFileSync(file, '');
    cli.configure({ state: { directory: file } });
    for (const command of ['list', 'tail', 'verify']) {
      const { status, err } = await cli.run(['decisions', command]);
      expect([status, err]).toEqual([
        1,
        expect.stringContaining(`state.directory ${file} is not a directory; set`),
      ]);
    }
  });
});

describe('decisions verify of a file that cannot be read', () => {
  it.each(['nope', ''])('names the option, the file and the remedy: "%s"', async (name) => {
    const path = join(cli.directory, name);
    const { status, err } = await cli.run(['decisions', 'verify', '--input', path]);
    expect([status, err]).toEqual([
      1,
      expect.stringContaining(`scopemesh: --input ${path} cannot be read (`),
    ]);
    expect(err).toContain('give a file that scopemesh decisions export wrote');
  });
});

describe('decisions beside a configuration file that is wrong', () => {
  const state = () => join(cli.directory, 'state');

  it.each(['list', 'verify'])(
    '%s works with what the file says of owner, decisions and state',
    async (name) => {
      cli.configure({ scopes: { 'orders:read': { too: 'orders' } }, providers: [] });
      const { out, err } = await cli.run(['decisions', name]);
      expect(out).toBe('');
      expect(err).toContain('scopes."orders:read".too');
      expect(err).toContain('uses only owner, decisions and state from it');
      expect(err).toContain(`no decisions yet in ${state()}`);
      expect(err).not.toContain('scopemesh doctor');
    },
  );

  it('exits 0 for list, and 1 where one of those three is wrong too', async () => {
    cli.configure({ scopes: 7 });
    expect((await cli.run(['decisions', 'list'])).status).toBe(0);
    cli.configure({ scopes: 7, decisions: { kind: 'kafka' } });
    expect(await cli.run(['decisions', 'list'])).toMatchObject({
      status: 1,
      err: expect.stringContaining('decisions.brokers'),
    });
    writeFileSync(cli.configFile, 'owner: [');
    expect((await cli.run(['decisions', 'list'])).status).toBe(1);
  });
});
