import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { type Artefact, checksums, isGood, report, topSection } from './artefact.js';
import { makeChart } from './chart.js';
import { makeImage } from './image.js';
import { checkInstalled, checkPacked, pack } from './package.js';
import { check, expectThat, run } from './run.js';
import { makeSbom, missingIn } from './sbom.js';
import { makeSite } from './site.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const { values } = parseArgs({
  options: {
    out: { type: 'string', default: 'release' },
    // Such as image, which takes minutes.
    without: { type: 'string', multiple: true, default: [] },
    // Each is given to the build of the image, as --image-option=--pull=never.
    'image-option': { type: 'string', multiple: true, default: [] },
  },
});
const out = resolve(values.out);
const { version } = z
  .object({ version: z.string() })
  .parse(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')));
const commit = run('git', ['rev-parse', '--short=12', 'HEAD'], { cwd: root }).trim();
const isTrial = version.includes('-');

async function source(): Promise<Artefact> {
  const { title } = topSection(readFileSync(join(root, 'CHANGELOG.md'), 'utf8'));
  return {
    what: 'source',
    checks: [
      await check('committed', () => {
        const changed = run('git', ['status', '--porcelain'], { cwd: root }).trim();
        expectThat(changed === '', `these files are not committed:\n${changed}`);
      }),
      await check('changelog', () => {
        const expected = isTrial ? 'Unreleased' : version;
        expectThat(title.split(' ')[0] === expected, `its top section is "${title}", not "${expected}"`);
        return title;
      }),
      await check('build', () => void run('npm', ['run', 'build'], { cwd: root })),
    ],
    left: 'it is the commit',
    ...(isTrial ? {} : { publish: `git tag --sign v${version} ${commit} && git push origin v${version}` }),
  };
}

async function npmPackage(): Promise<Artefact> {
  const packed = pack(root, out);
  return {
    what: 'npm package',
    file: packed.file,
    checks: [
      ...(await checkPacked(root, packed)),
      ...(await checkInstalled(root, packed, version)),
      { name: 'integrity', ok: true, detail: packed.integrity },
    ],
    publish: `npm publish ${packed.file}`,
  };
}

async function sbom(): Promise<Artefact> {
  const file = join(out, `scopemesh-${version}-sbom.json`);
  const document = makeSbom(root);
  writeFileSync(file, `${JSON.stringify(document, null, 2)}\n`);
  const complete = await check('complete', () => {
    const missing = missingIn(root, document);
    expectThat(missing.length === 0, `it lacks ${missing.join(', ')}`);
    return `${document.components.length} components`;
  });
  return { what: 'SBOM', file, checks: [complete] };
}

/** Messages of the command line name pages of the manual, which the package does not have. */
function manual(): Artefact {
  const file = join(out, `scopemesh-${version}-manual.tgz`);
  const folder = mkdtempSync(join(tmpdir(), 'scopemesh-manual-'));
  try {
    const isText = (path: string) =>
      !path.endsWith('/deploy/site') && (!/\.(ts|mjs)$/.test(path) || path.includes('providers/template'));
    for (const name of [
      'docs',
      'README.md',
      'CHANGELOG.md',
      'src/plan/SPEC.md',
      'deploy',
      'config/example.yaml',
    ])
      cpSync(join(root, name), join(folder, `scopemesh-${version}`, name), {
        recursive: true,
        filter: isText,
      });
    run('tar', ['-czf', file, '-C', folder, `scopemesh-${version}`]);
  } finally {
    rmSync(folder, { recursive: true });
  }
  return { what: 'manual', file, checks: [] };
}

async function notes(): Promise<Artefact> {
  const file = join(out, `scopemesh-${version}-notes.md`);
  const { text } = topSection(readFileSync(join(root, 'CHANGELOG.md'), 'utf8'));
  writeFileSync(file, `# scopemesh ${version}\n\n${text}\n`);
  return {
    what: 'release notes',
    file,
    checks: [await check('not empty', () => expectThat(text !== '', 'no text'))],
  };
}

mkdirSync(out, { recursive: true });
if (readdirSync(out).length > 0)
  throw new Error(`${out} is not empty; remove it, or name another folder by --out`);
const artefacts = [await source()];
const made = async (what: string, make: () => Artefact | Promise<Artefact>) => {
  if (values.without.includes(what)) {
    artefacts.push({ what, checks: [], left: 'left out by --without' });
    return;
  }
  process.stderr.write(`release: ${what} ...\n`);
  try {
    artefacts.push(await make());
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    artefacts.push({ what, checks: [{ name: 'made', ok: false, detail }], left: 'it failed' });
  }
};
await made('npm package', npmPackage);
await made('image', () =>
  makeImage(root, {
    version,
    commit,
    file: join(out, `scopemesh-${version}-image.tar`),
    options: values['image-option'],
  }),
);
if (existsSync(join(root, 'deploy/chart'))) await made('chart', () => makeChart(root, version, out));
await made('SBOM', sbom);
await made('manual', manual);
await made('site', () => makeSite(root, join(out, `scopemesh-${version}-site.tgz`)));
await made('release notes', notes);
writeFileSync(join(out, 'SHA256SUMS'), checksums(artefacts));
const text = report(version, commit, artefacts);
writeFileSync(join(out, 'report.txt'), text);
process.stdout.write(text);
process.exitCode = artefacts.every(isGood) ? 0 : 1;
