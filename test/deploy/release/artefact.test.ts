import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Artefact, checksums, report, topSection } from '../../../deploy/release/artefact.js';
import { check, expectThat, run } from '../../../deploy/release/run.js';

function artefact(changes: Partial<Artefact> = {}): Artefact {
  const file = join(mkdtempSync(join(tmpdir(), 'scopemesh-release-')), 'scopemesh-1.0.0.tgz');
  writeFileSync(file, 'abc');
  const checks = [{ name: 'small', ok: true, detail: '1 file' }];
  return { what: 'npm package', file, checks, publish: `npm publish ${file}`, ...changes };
}

describe('the report of a release', () => {
  it('says of each artefact what was made and seen, and ends with the commands of a person', () => {
    const text = report('1.0.0', 'abc', [
      artefact(),
      { what: 'image', checks: [], left: 'there is no podman' },
    ]);
    expect(text).toMatch(
      /^scopemesh 1\.0\.0, commit abc\n\nok {5}npm package {2}scopemesh-1\.0\.0\.tgz, 3 bytes\n {4}ok {5}small: 1 file\nok {5}image {2}not made: there is no podman\n/,
    );
    expect(text).toMatch(/To publish it, a person runs:\n {2}npm publish \S+\n$/);
  });

  it('tells nobody to publish anything if a check failed, and shows why', async () => {
    const failed = await check('publint', () => expectThat(false, 'one\ntwo'));
    const text = report('1.0.0', 'abc', [artefact(), artefact({ what: 'chart', checks: [failed] })]);
    expect(text).toContain('FAILED chart');
    expect(text).toContain('    FAILED publint: one\n      two\n');
    expect(text).not.toContain('npm publish');
    expect(text).toMatch(/Publish nothing of it: a check failed\.\n$/);
  });

  it('calls a version before the release a trial', () => {
    expect(report('1.0.0-dev', 'abc', [artefact()])).toContain('1.0.0-dev is a trial.');
  });
});

it('checksums are lines that sha256sum checks', () => {
  const one = artefact();
  expect(checksums([one, { what: 'image', checks: [] }])).toBe(
    'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  scopemesh-1.0.0.tgz\n',
  );
});

it('release notes are the topmost section of the changelog', () => {
  expect(topSection('# C\n\n## 1.0.0 - x\n\n### Added\n\n- a\n\n## 0.9.0\n\n- b\n')).toEqual({
    title: '1.0.0 - x',
    text: '### Added\n\n- a',
  });
  expect(topSection('# C\n\n## Unreleased\n\n- a').text).toBe('- a');
});

it('a program that fails says how and why', () => {
  expect(() => run('sh', ['-c', 'echo why >&2; exit 3'])).toThrow(/sh -c failed \(3\)\nwhy/);
  expect(run('echo', ['a'])).toBe('a\n');
});
