import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startDemo } from '../demo/demo-process.js';
import { BUILT } from '../e2e/scopemesh.js';
import { createRunDirectory, removeRunDirectory } from '../stack/process.js';

const LONGEST_MS = 280_000;

/** What lines of the manual print, run beside a demo whose line of JSON is in `demo.json`. */
export async function runOnDemo(
  lines: string,
  files: Readonly<Record<string, string>>,
  atEnd: (work: () => Promise<void>) => void,
): Promise<string> {
  const cwd = await createRunDirectory('demo-lines');
  atEnd(() => removeRunDirectory(cwd));
  const demo = startDemo(['--json']);
  atEnd(async () => {
    await demo.stop('SIGKILL');
  });
  await demo.until((stdout) => stdout.includes('\n'));
  for (const [name, text] of Object.entries({ ...files, 'demo.json': demo.stdout }))
    await writeFile(join(cwd, name), text);
  const script = `set -euo pipefail\nscopemesh() { "${process.execPath}" "${BUILT}" "$@"; }\n${lines}`;
  try {
    return (await promisify(execFile)('bash', ['-c', script], { cwd, timeout: LONGEST_MS })).stdout;
  } catch (error) {
    const { stdout, stderr } = Object(error);
    throw new Error(`the lines failed after this: ${stdout}\n${stderr}`);
  }
}
