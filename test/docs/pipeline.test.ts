import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { createCommandLine } from '../support/command-line.js';
import { blocks, textOf } from './manual.js';

const PAGE = 'docs/how-to/check-the-mapping-in-a-pipeline.md';

it('the cases of the page about pipelines pass by the mapping of the page, and are judged as it shows', async () => {
  const [mapping = ''] = blocks(textOf(PAGE), 'yaml');
  const [cases = ''] = blocks(textOf(PAGE), 'yml');
  const [shown = ''] = blocks(textOf(PAGE), 'text');
  const cli = createCommandLine({ consul: { address: '', managementToken: '' } });
  const directory = mkdtempSync(join(tmpdir(), 'scopemesh-page-'));
  writeFileSync(join(directory, 'scopemesh.yaml'), mapping);
  writeFileSync(join(directory, 'scopemesh.test.yaml'), cases);
  const { status, out } = await cli.run(['-c', join(directory, 'scopemesh.yaml'), 'test']);
  cli.close();
  expect([status, out]).toEqual([0, expect.stringContaining(shown.trim())]);
  expect(out).toContain('6 passed, 0 failed.');
});

const EXAMPLES = ['github-actions.yml', 'gitlab-ci.yml'];

it.each(EXAMPLES)('the example %s is YAML with commands that exist', (file) => {
  const text = textOf(`deploy/ci/${file}`);
  expect(parse(text)).toEqual(expect.any(Object));
  expect(text).toContain('.bin/scopemesh test -c scopemesh.yaml');
  expect(text).toMatch(/\.bin\/scopemesh plan -c \S+ --what-if file=\S+ --format markdown/);
});

it.each(EXAMPLES)('the example %s fetches only what a lock pins, and nothing of it sees a secret', (file) => {
  const text = textOf(`deploy/ci/${file}`);
  expect(text).not.toMatch(/\b(npx|npm (exec|install|i)|pnpm|yarn)\b|git clone/);
  const installs = text.split('\n').filter((line) => line.includes('npm ci'));
  expect(installs).toHaveLength(2);
  for (const line of installs) {
    expect(line).toMatch(/ npm ci --prefix \S*\.scopemesh --ignore-scripts$/);
    // Every job of GitLab has the secrets of the project in its environment.
    if (file === 'gitlab-ci.yml') expect(line).toContain('env -i ');
  }
});

it('the example for GitHub gives secrets to steps that fetch no program', () => {
  const STEPS = z.object({
    jobs: z.record(
      z.string(),
      z.object({
        env: z.undefined().optional(),
        steps: z.array(
          z.looseObject({ run: z.string().optional(), env: z.record(z.string(), z.string()).optional() }),
        ),
      }),
    ),
  });
  const { jobs } = STEPS.parse(parse(textOf('deploy/ci/github-actions.yml')));
  const secret = Object.values(jobs).flatMap(({ steps }) => steps.filter(({ env }) => env !== undefined));
  expect(secret).toHaveLength(2);
  for (const { run } of secret)
    expect(run).toMatch(/^(base\/\.scopemesh\/node_modules\/\.bin\/scopemesh plan|gh pr) /);
});
