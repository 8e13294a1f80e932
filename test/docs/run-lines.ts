import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startProcess } from '../stack/process.js';

/** A line that fails is named with its status; a quiet curl says why it failed. */
const PREAMBLE = `exec 2>stderr
set -Eeuo pipefail
trap 'echo "line $LINENO ended with $?: $BASH_COMMAND" >&2' ERR
curl() { command curl -S -m 10 "$@"; }
`;

/**
 * What lines for bash print, run in this directory until they end. Rejects with all that they said if they fail, or if the
 * signal aborts, which also ends every process that they started.
 */
export async function runLines(lines: string, cwd: string, signal: AbortSignal): Promise<string> {
  const logFile = join(cwd, 'stdout');
  const bash = await startProcess({
    name: 'lines',
    command: 'bash',
    args: ['-c', PREAMBLE + lines],
    cwd,
    logFile,
  });
  const aborted = signal.aborted ? Promise.resolve() : once(signal, 'abort');
  const result = await Promise.race([bash.exited, aborted.then(() => 'out of time')]);
  await bash.kill();
  const stdout = await readFile(logFile, 'utf8');
  if (result === 0) return stdout;
  const stderr = await readFile(join(cwd, 'stderr'), 'utf8').catch(() => '');
  throw new Error(`the lines ended (${result}) after this: ${stdout}\n${stderr}`);
}
