// Builds dist/: the command line and the library in some files instead of a thousand, which take half a second to load.
// The console's page is built beside them.
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { buildConsole } from './console.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const dist = join(root, 'dist');
// Most commands need them, and their files take long to load. All other packages stay beside dist/.
const INSIDE = ['commander', 'croner', 'picocolors', 'prom-client', 'ulid', 'undici', 'yaml', 'zod'];
const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const outside = Object.keys(dependencies).filter((name) => !INSIDE.includes(name));

rmSync(dist, { recursive: true, force: true });
const bundle = await rolldown({
  cwd: root,
  platform: 'node',
  input: {
    'workers/main': 'workers/main.ts',
    'workers/question-thread': 'workers/question-thread.ts',
    'src/index': 'src/index.ts',
    'src/decisions/index': 'src/decisions/index.ts',
  },
  resolve: { alias: { undici$: join(root, 'deploy/undici.mjs') } },
  external: outside.flatMap((name) => [name, new RegExp(`^${name}/`)]),
});
const { output } = await bundle.write({
  dir: dist,
  format: 'esm',
  // Beside the entries, which find the files of the package from where they are.
  chunkFileNames: 'workers/[name]-[hash].js',
  sourcemap: true,
  codeSplitting: {
    groups: [{ name: 'shared', test: /[\\/](src|config)[\\/](?!.*node_modules)/, minShareCount: 12 }],
  },
});
await bundle.close();

const modules = [
  ...output.flatMap((chunk) => ('moduleIds' in chunk ? chunk.moduleIds : [])),
  ...(await buildConsole(root)),
];
const inside = modules.flatMap((id) => /^.*node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+/.exec(id)?.[0] ?? []);
const licences = [...new Set(inside)].sort().map((folder) => {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  const text = file === undefined ? license : readFileSync(join(folder, file), 'utf8').trim();
  return `${name} ${version}\n\n${text}\n`;
});
writeFileSync(join(dist, 'LICENCES.txt'), licences.join(`\n${'-'.repeat(60)}\n\n`));
