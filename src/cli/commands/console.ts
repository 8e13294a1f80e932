import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Cli } from '../cli.js';
import { defineCommand, without } from '../command.js';
import { type DaemonClient, runningDaemon } from '../daemon-client.js';

export const openConsole = defineCommand({
  name: 'console',
  summary: 'open the console of the daemon in a browser',
  description:
    'Prints an address that opens the console of the running daemon on this machine, signed in as you, and opens it in ' +
    'a browser if the command runs on a screen. The address is good once and for 60 seconds.',
  takes: { open: without('only print the address') },
  json: 'print one JSON document: url',
  exit: '0; 1 if no daemon of this configuration answers.',
  async run({ open, json }, cli) {
    const url = await consoleAddress(await runningDaemon(cli), cli.context.user);
    if (json) return cli.screen.json({ url });
    cli.screen.line(url);
    const { environment } = cli.context;
    const hasScreen = process.platform === 'darwin' || environment.DISPLAY || environment.WAYLAND_DISPLAY;
    if (open && hasScreen && !environment.SSH_CONNECTION) await openBrowser(url, cli);
  },
});

/** The address of the console with a code of its own. */
export async function consoleAddress(daemon: DaemonClient, user: string): Promise<string> {
  const { code } = await daemon.post('/api/session/code', { user }, z.object({ code: z.string() }));
  return `${daemon.address}/#code=${code}`;
}

/**
 * Everybody on this machine can read the arguments of a process, so the browser gets the address from a file that only this
 * user reads. If that fails, the person opens the printed address.
 */
async function openBrowser(url: string, cli: Cli): Promise<void> {
  const { state } = await cli.openDaemonSettings();
  const file = join(state.directory, 'console.html');
  try {
    await writeFile(file, `<!doctype html><script>location.replace(${JSON.stringify(url)})</script>\n`, {
      mode: 0o600,
    });
  } catch {
    return;
  }
  const opener = process.platform === 'darwin' ? 'open' : 'xdg-open';
  const child = spawn(opener, [file], { stdio: 'ignore', detached: true });
  child.once('error', () => {});
  child.unref();
}
