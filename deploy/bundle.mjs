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

const within = (folder, names) =>
  new RegExp(`[\\/]${folder.replaceAll('/', '[\\\\/]')}[\\/](${names})\\.ts$`);
const commands = (names) => within('src/cli/commands', names);
// Each file has what its modules import and no file above has: a quick command loads the first ones alone.
const LAYERS = [
  ['start', within('src/cli', 'program')],
  ['configuration', /[\\/](config[\\/]load|commands[\\/]validate)\.ts$/],
  ['logger', within('src/cli', 'logger')],
  ['explain', /[\\/](commands[\\/]explain|workers[\\/]wire|http-consul|oidc[\\/]oidc)\.ts$/],
  ['stores', within('src/(queue|decisions)/embedded', '[\\w-]+')],
  ['ask', commands('approve|parked|freeze|grant|quarantine|deny|webhooks|providers|completion|tokens')],
  ['plan', commands('plan|apply|adopt|eject|backup|test|doctor|import|trial')],
  ['trail', commands('who-can-call|what-can|blast-radius|history|access|decisions|logs|evidence')],
  ['reconciler', within('src/reconcile', 'reconciler')],
  ['answers', within('src/daemon', 'answer-question')],
  ['daemon', /[\\/](workers[\\/]daemon|commands[\\/]run|app[\\/]metrics)\.ts$/],
  ['providers', within('src/identity/(keycloak|okta|entra|auth0|ssf)', '\\w+')],
  ['kafka', within('src/decisions/kafka', 'kafka-decision-log')],
  ['demo', /[\\/](demo[\\/](demo|reporter)|commands[\\/]demo|embedded-consul)\.ts$/],
];

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
/** What loads a file that only hands on names of another file loads the other file. */
const withoutFacades = {
  name: 'without-facades',
  generateBundle(_, output) {
    const facades = new Map(
      Object.values(output).flatMap(({ fileName, code = '' }) => {
        const [, names = ' as ', whole] = /^export \{(.*)\} from "(\.\/[^"]+)";\s*$/.exec(code) ?? [];
        return names.includes(' as ') ? [] : [[`./${fileName.split('/').at(-1)}`, { fileName, whole }]];
      }),
    );
    for (const { fileName } of facades.values()) delete output[fileName];
    for (const chunk of Object.values(output))
      if (chunk.type === 'chunk')
        chunk.code = chunk.code.replace(
          /(?<=\bimport\(")[^"]+(?="\))/g,
          (file) => facades.get(file)?.whole ?? file,
        );
  },
};
const { output } = await bundle.write({
  dir: dist,
  format: 'esm',
  plugins: [withoutFacades],
  minifyInternalExports: false,
  // Beside the entries, which find the files of the package from where they are.
  chunkFileNames: 'workers/[name]-[hash].js',
  sourcemap: true,
  codeSplitting: { groups: LAYERS.map(([name, test], at) => ({ name, test, priority: LAYERS.length - at })) },
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
