import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { z } from 'zod';
import { type Check, check, expectThat, run } from './run.js';
import { tryDemo } from './try-demo.mjs';

export const MOST_FILES = 80;
export const MOST_BYTES = 1_500_000;

const LOCK = z.looseObject({
  packages: z.record(z.string(), z.looseObject({ dev: z.boolean().optional() })),
});
const PACKED = z.object({ filename: z.string(), files: z.array(z.unknown()), integrity: z.string() });

export interface Packed {
  readonly file: string;
  /** The number of files in it. */
  readonly files: number;
  /** As a lock of npm has it. */
  readonly integrity: string;
}

/**
 * Packs the built tree into this directory. `npm-shrinkwrap.json` in the package names every package that it needs by its
 * content, so that who installs it gets what the tests ran with.
 */
export function pack(root: string, directory: string): Packed {
  const stage = mkdtempSync(join(tmpdir(), 'scopemesh-pack-'));
  try {
    run('tar', ['-xzf', npmPack(root, stage).file, '-C', stage]);
    const own = join(stage, 'package');
    const {
      devDependencies: _,
      scripts: __,
      overrides: ___,
      ...manifest
    } = readJson(join(root, 'package.json'));
    writeFileSync(join(own, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
    const { packages, ...lock } = LOCK.parse(readJson(join(root, 'package-lock.json')));
    const needed = Object.entries(packages).filter(([path, { dev }]) => path !== '' && dev !== true);
    const { name, version, license, dependencies, bin, engines } = manifest;
    const all = { '': { name, version, license, dependencies, bin, engines }, ...Object.fromEntries(needed) };
    writeFileSync(
      join(own, 'npm-shrinkwrap.json'),
      `${JSON.stringify({ ...lock, packages: all }, null, 2)}\n`,
    );
    mkdirSync(directory, { recursive: true });
    return npmPack(own, directory);
  } finally {
    rmSync(stage, { recursive: true, force: true, maxRetries: 5 });
  }
}

function npmPack(folder: string, directory: string): Packed {
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', directory];
  // A list, or with newer versions of npm an object by name.
  const said = z
    .unknown()
    .transform((list) => Object.values(Object(list)))
    .pipe(z.tuple([PACKED]));
  const [packed] = said.parse(JSON.parse(run('npm', args, { cwd: folder })));
  return {
    file: join(directory, packed.filename),
    files: packed.files.length,
    integrity: packed.integrity,
  };
}

const readJson = (file: string) => z.looseObject({}).parse(JSON.parse(readFileSync(file, 'utf8')));

/** Whether the package is small and says its exports right. */
export async function checkPacked(root: string, { file, files }: Packed): Promise<Check[]> {
  return [
    await check('small', () => {
      const { size } = statSync(file);
      expectThat(files <= MOST_FILES && size <= MOST_BYTES, `${files} files, ${size} bytes`);
      return `${files} files of at most ${MOST_FILES}, ${size} bytes of at most ${MOST_BYTES}`;
    }),
    await check('publint', async () => {
      const tarball = new Uint8Array(readFileSync(file)).buffer;
      const { messages, pkg } = await publint({ pack: { tarball }, strict: true });
      expectThat(messages.length === 0, messages.map((each) => formatMessage(each, pkg)).join('\n'));
    }),
    await check('arethetypeswrong', () => {
      const attw = join(root, 'node_modules/@arethetypeswrong/cli/dist/index.js');
      const texts = ['docs/asyncapi.yaml', 'docs/openapi.yaml'];
      run(process.execPath, [attw, file, '--profile', 'esm-only', '--exclude-entrypoints', ...texts]);
    }),
  ];
}

/** Whether the package works in an empty folder, in which nothing is compiled. */
export async function checkInstalled(root: string, { file }: Packed, version: string): Promise<Check[]> {
  const folder = mkdtempSync(join(tmpdir(), 'scopemesh-package-'));
  try {
    return [
      await check('installs', () => install(folder, file)),
      await check('--version', () => {
        const said = run('npx', ['--no-install', 'scopemesh', '--version'], { cwd: folder }).trim();
        expectThat(said.split('+')[0] === version, `says ${said}`);
        return said;
      }),
      await check('types', () => checkTypes(root, folder)),
      await check('demo', () => tryDemo(join(folder, 'node_modules/.bin/scopemesh'))),
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

function install(folder: string, file: string) {
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }\n');
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error'];
  run('npm', ['install', ...quiet, file], { cwd: folder });
  run(
    process.execPath,
    ['--input-type=module', '-e', "await import('scopemesh'); await import('scopemesh/decisions')"],
    {
      cwd: folder,
    },
  );
}

/** Throws if a program in a folder that has the package does not compile; both exports share their types. */
export function checkTypes(root: string, folder: string) {
  writeFileSync(
    join(folder, 'program.ts'),
    `import { planDestination, Secret, type Decision } from 'scopemesh';
import { parseCloudEvent, Secret as SameSecret } from 'scopemesh/decisions';
export const plan: (input: Parameters<typeof planDestination>[0]) => unknown = planDestination;
export const secret: Secret = new SameSecret('s');
export const decision: Decision = parseCloudEvent('{}');
// @ts-expect-error What is wrong is seen: the types are not \`any\`.
export const wrong: number = parseCloudEvent('{}');
`,
  );
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const types = ['--types', 'node', '--typeRoots', join(root, 'node_modules/@types')];
  run(
    process.execPath,
    [tsc, '--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2023', ...types, 'program.ts'],
    {
      cwd: folder,
    },
  );
}
