import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { startDemo } from '../demo/demo-process.js';
import { BUILT } from '../e2e/scopemesh.js';
import { createRunDirectory, removeRunDirectory } from '../stack/process.js';
import { blocks, section } from './manual.js';

it('the lines of start-a-new-service.md for the demo register a service with its own login', async () => {
  const page = section('docs/how-to/start-a-new-service.md', 'Try it on the demo');
  const [settings = ''] = blocks(page, 'yaml');
  const [lines = ''] = blocks(page, 'sh');
  const cwd = await createRunDirectory('first-login');
  onTestFinished(() => removeRunDirectory(cwd));
  const demo = startDemo(['--json']);
  onTestFinished(async () => {
    await demo.stop('SIGKILL');
  });
  await demo.until((stdout) => stdout.includes('\n'));
  await writeFile(join(cwd, 'demo.json'), demo.stdout);
  await writeFile(join(cwd, 'try-first-login.yaml'), settings);
  const script = `set -euo pipefail\nscopemesh() { "${process.execPath}" "${BUILT}" "$@"; }\n${lines}`;
  const { stdout } = await promisify(execFile)('bash', ['-c', script], { cwd, timeout: 110_000 });
  expect(stdout).toContain('role of service shop  ServiceNamed');
  expect(stdout.trimEnd().split('\n').at(-1)).toBe('shop');
});
