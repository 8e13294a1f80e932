import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { createSupervisor } from '../../src/app/supervisor.js';
import { silentLogger } from '../../src/observe.js';
import { freePort } from '../stack/ports.js';
import { createCommandLine } from '../support/command-line.js';
import { until } from '../support/until.js';
import { newDirectory } from '../support/use-directory.js';

let directory: string;
beforeEach(() => {
  directory = newDirectory();
  const program = join(directory, 'systemd-notify');
  // It writes down its arguments, and what of the environment it got.
  writeFileSync(program, `#!/bin/sh\necho "$* $NOTIFY_SOCKET \${SECRET-none}" >> "${directory}/messages"\n`);
  chmodSync(program, 0o755);
});

const messages = () => {
  try {
    return readFileSync(join(directory, 'messages'), 'utf8').trim().split('\n');
  } catch {
    return [];
  }
};
const environment = () => ({
  NOTIFY_SOCKET: '/run/systemd/notify',
  WATCHDOG_USEC: '200000',
  PATH: `${directory}:${process.env.PATH}`,
  SECRET: 'hunter2',
});

describe('systemd', () => {
  it('hears each state in order, without the secrets of the environment', async () => {
    const supervisor = createSupervisor(environment(), silentLogger);
    expect(supervisor.watchdogMs).toBe(200);
    await Promise.all([supervisor.tell('RELOADING=1'), supervisor.tell('READY=1')]);
    expect(messages()).toEqual(['RELOADING=1 /run/systemd/notify none', 'READY=1 /run/systemd/notify none']);
  });

  it('gets no message where it did not start the process', async () => {
    const supervisor = createSupervisor({ ...environment(), NOTIFY_SOCKET: undefined }, silentLogger);
    await supervisor.tell('READY=1');
    expect(supervisor.watchdogMs).toBeUndefined();
    expect(messages()).toEqual([]);
  });

  it('without systemd-notify the log says once what to do', async () => {
    const said: string[] = [];
    const logger = { ...silentLogger, error: (_fields: object, message: string) => said.push(message) };
    const supervisor = createSupervisor({ ...environment(), PATH: '/nowhere' }, logger);
    await supervisor.tell('READY=1');
    await supervisor.tell('WATCHDOG=1');
    expect(said).toEqual([expect.stringContaining('install systemd-notify, or set Type=exec')]);
  });

  it('hears from the daemon that it is ready, works, and stops', async () => {
    const cli = createCommandLine();
    try {
      cli.idp();
      cli.configure({ http: { listen: `127.0.0.1:${await freePort()}` } });
      const stop = new AbortController();
      const running = cli.run(['--log-level', 'error', 'run', '--only', 'intake'], {
        signal: stop.signal,
        environment: environment(),
      });
      const has = (state: string) => () => messages().some((line) => line.startsWith(state));
      await until('it is ready', has('READY=1'));
      await until('it works', has('WATCHDOG=1'));
      stop.abort(new Error('stopped by a signal'));
      expect((await running).status).toBe(0);
      await until('it stops', has('STOPPING=1'));
    } finally {
      cli.close();
    }
  });
});
