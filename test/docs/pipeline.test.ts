import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
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

it.each(['github-actions.yml', 'gitlab-ci.yml'])(
  'the example %s is YAML with commands that exist',
  (file) => {
    const text = textOf(`deploy/ci/${file}`);
    expect(parse(text)).toEqual(expect.any(Object));
    expect(text).toContain('main.js test -c scopemesh.yaml');
    expect(text).toMatch(/main\.js plan -c \S+ --what-if file=\S+ --format markdown/);
  },
);

it.each(['github-actions.yml', 'gitlab-ci.yml'])(
  'the example %s runs a commit that somebody chose, and no name of a package registry',
  (file) => {
    const text = textOf(`deploy/ci/${file}`);
    expect(text).not.toMatch(/\b(npx|npm (exec|install|i)|pnpm|yarn)\b/);
    expect(text).toMatch(/SCOPEMESH_COMMIT: "[0-9a-f]{40}"/);
  },
);
