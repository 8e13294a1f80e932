import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startDemo } from '../demo/demo-process.js';
import { BUILT } from '../e2e/scopemesh.js';
import { createRunDirectory, removeRunDirectory } from '../stack/process.js';
import { runLines } from './run-lines.js';

/** Of the lines alone: with the start of the demo it must stay below the limit of the test, or nothing says what they said. */
const MAX_MS = 400_000;

/** What lines of the manual print, run beside a demo whose line of JSON is in `demo.json`. */
export async function runOnDemo(
  lines: string,
  files: Readonly<Record<string, string>>,
  atEnd: (work: () => Promise<void>) => void,
): Promise<string> {
  const cwd = await createRunDirectory('demo-lines');
  atEnd(() => removeRunDirectory(cwd));
  const demo = startDemo(['--json'], { program: [BUILT] });
  atEnd(async () => {
    await demo.stop('SIGKILL');
  });
  await demo.until((stdout) => stdout.includes('\n'));
  for (const [name, text] of Object.entries({ ...files, 'demo.json': demo.stdout }))
    await writeFile(join(cwd, name), text);
  // A program, no function of the shell: lines may stop it by its process ID.
  const command = `#!/bin/sh\nexec "${process.execPath}" "${BUILT}" "$@"\n`;
  await mkdir(join(cwd, 'bin'));
  await writeFile(join(cwd, 'bin', 'scopemesh'), command, { mode: 0o755 });
  return runLines(`PATH="$PWD/bin:$PATH"\n${lines}`, cwd, AbortSignal.timeout(MAX_MS));
}
