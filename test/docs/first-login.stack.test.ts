import { expect, it, onTestFinished } from 'vitest';
import { blocks, section } from './manual.js';
import { runOnDemo } from './run-on-demo.js';

it('the lines of start-a-new-service.md for the demo register a service with its own login', async () => {
  const page = section('docs/how-to/start-a-new-service.md', 'Try it on the demo');
  const [settings = ''] = blocks(page, 'yaml');
  const [lines = ''] = blocks(page, 'sh');
  const stdout = await runOnDemo(lines, { 'try-first-login.yaml': settings }, onTestFinished);
  expect(stdout).toContain('role of service shop  ServiceNamed');
  expect(stdout.trimEnd().split('\n').at(-1)).toBe('shop');
}, 300_000);
