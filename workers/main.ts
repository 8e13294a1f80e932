#!/usr/bin/env node
import '../src/cli/engine-flags.js';
import { setMaxListeners } from 'node:events';
import { userInfo } from 'node:os';
import { createProgram } from '../src/cli/program.js';

const stop = new AbortController();
// Every wait of the process listens to it. Node would report more than ten listeners as a leak, not as JSON.
setMaxListeners(0, stop.signal);
let signals = 0;
const onSignal = () => {
  signals++;
  // The first signal drains, the second means now.
  if (signals > 1) process.exit(1);
  stop.abort(new Error('stopped by a signal'));
};
process.on('SIGINT', onSignal);
process.on('SIGTERM', onSignal);

// The reader of stdout has closed it, as `head` does.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

process.exitCode = await createProgram({
  adapters: async () => (await import('./wire.js')).adapters,
  // Commands do not need the daemon.
  runDaemon: async (...given) => (await import('./daemon.js')).runDaemon(...given),
  signal: stop.signal,
  environment: process.env,
  onReload: (listener) => process.on('SIGHUP', listener),
  stdout: process.stdout,
  stderr: process.stderr,
  stdin: process.stdin,
  user: userName(),
  ...(process.send === undefined ? {} : { report: (progress: object) => process.send?.(progress) }),
}).run(process.argv);

/** A user without an entry in the system's list has only a number. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}
