import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { configJsonSchema } from '../../config/json-schema.js';
import { loadConfig } from '../../config/load.js';
import { COMMANDS, helpOf } from '../../docs/command-help.js';
import { configurationKeys } from '../../docs/configuration-keys.js';
import { MEANINGS } from '../../docs/configuration-meanings.js';
import { CHAPTERS, withGenerated } from '../../docs/generated.js';
import { METRICS } from '../../src/observe.js';
import { secretOf } from '../support/idp.js';
import { blocks, filesIn, OTHER_PAGES, PAGES, rows, section, textOf } from './manual.js';

const keys = configurationKeys(configJsonSchema());

const MINIMAL = {
  owner: 'payments',
  mode: 'observe',
  consul: { address: 'http://127.0.0.1:8500' },
  providers: [
    {
      name: 'main',
      kind: 'oidc',
      issuer: 'https://idp.example.com',
      directory: 'https://idp.example.com/c',
      audience: 'consul',
    },
  ],
  scopes: { 'orders:read': { to: 'orders' } },
};

const GENERATED = PAGES.filter((page) => textOf(page).includes('<!-- generated: '));
const generated = GENERATED.flatMap((page) =>
  [...textOf(page).matchAll(/<!-- generated: ([^>]+) -->/g)].map(([, name]) => name),
);

describe('the lists of the manual', () => {
  it.each(GENERATED)(
    'in %s are the generated ones (else run `npx tsx docs/write-tables.ts`)',
    async (page) => {
      expect(await withGenerated(textOf(page))).toBe(textOf(page));
    },
  );

  it('have the metrics, every chapter of the configuration and every command', () => {
    const expected = [
      'metrics',
      'commands',
      'options of every command',
      ...CHAPTERS.map(([name]) => `keys of ${name}`),
    ];
    expect(generated.toSorted()).toEqual(expected.toSorted());
  });

  it('have every command that the program lists, with all of its options', async () => {
    const page = textOf('docs/reference/command-line.md').replaceAll(/\n {2}/g, ' ');
    const listed = [...(await helpOf('')).matchAll(/^ {2}([a-z][a-z-]*) .* {2,}/gm)].map(
      ([, name = '']) => name,
    );
    expect(listed.length).toBeGreaterThan(25);
    for (const name of listed) if (!['help', 'scopemesh'].includes(name)) expect(COMMANDS).toContain(name);
    for (const command of COMMANDS) {
      const [line = ''] = page.split('\n').filter((each) => each.startsWith(`- \`scopemesh ${command}`));
      const help = await helpOf(command);
      for (const [, flag = ''] of help.matchAll(/^ {2}(?:-\w, )?(--[\w-]+)/gm))
        if (flag !== '--help') expect(line, command).toContain(`\`${flag}`);
      expect(line, command).not.toMatch(/: \.|undefined/);
    }
  });

  it('have every key of the configuration once, with a meaning', () => {
    expect(keys.length).toBeGreaterThan(60);
    for (const { path, description } of keys) {
      expect(
        CHAPTERS.filter(([, begins]) => begins.test(path)),
        path,
      ).toHaveLength(1);
      expect(MEANINGS[path] ?? description, path).not.toBe('');
    }
  });

  it('give no meaning to a key that is not there', () => {
    expect(Object.keys(MEANINGS).filter((path) => !keys.some((key) => key.path === path))).toEqual([]);
  });

  it('tell the bounds of every duration', () => {
    const durations = keys.filter(({ type }) => type.startsWith('duration'));
    expect(durations.length).toBeGreaterThan(4);
    for (const { path, type } of durations) expect(type, path).toMatch(/^duration, \d+\w+ to \d+\w+$/);
  });

  it('call secret whatever the schema wraps as one', () => {
    const secrets = keys.filter(({ type }) => type.includes('secret')).map(({ path }) => path);
    expect(secrets).toEqual([
      'consul.token',
      'providers[].webhook.secrets',
      'providers[].ssf.pushTokens',
      'providers[].ssf.token',
      'providers[].ssf.clientSecret',
      'providers[].clientSecret',
      'providers[].directoryToken',
      'providers[].privateKey',
      'providers[].apiToken',
      'queue.url',
      'decisions.webhooks[].secrets',
      'decisions.sasl.password',
      'http.tokens[].token',
      'http.console.login[].clientSecret',
    ]);
  });
});

/** Former words for an identity provider, what is inferred, and the local index. */
const FORMER_WORDS = /\bIdPs?\b|\b[bB]y inferences?\b|\b[tT]opic index\b/;

/** A longer one is a section. */
const MAX_CELL_LENGTH = 200;

it.each([...PAGES, ...OTHER_PAGES])(
  'the tables of %s have no sentence that is too long for a cell',
  (page) => {
    const cells = rows(textOf(page)).flat().map(sentencesOf);
    expect(cells.filter((cell) => cell.length > MAX_CELL_LENGTH)).toEqual([]);
  },
);

/** Without what a link leads to, and without a list of source files. */
function sentencesOf(cell: string): string {
  return cell.replaceAll(/\]\([^)]*\)/g, ']').replaceAll(/, `[\w./-]+\.ts`/g, '');
}

/** A longer page answers more than one question: split it, or say here why not. */
const MAX_PAGE = 20_000;
const LONG_PAGES: Readonly<Record<string, string>> = {
  'CHANGELOG.md': 'it grows with each release',
  'docs/architecture.md': 'most of it is the one table of all mechanisms, in which people look things up',
  'docs/performance.md': 'the figures of one measurement, compared with each other',
  'src/plan/SPEC.md': 'one numbered list, by which tests name its sentences',
};

it('the pages are short enough to read at once, except for some', () => {
  const long = [...PAGES, ...OTHER_PAGES].filter((page) => textOf(page).length > MAX_PAGE);
  expect(long.filter((page) => !(page in LONG_PAGES))).toEqual([]);
});

/** Each comment of a source file in one line. */
function commentsOf(file: string): string {
  const comments = textOf(file).matchAll(/\/\*.*?\*\/|(?:^[ \t]*\/\/.*\n)+|\/\/.*/gms);
  return [...comments].map(([text]) => text.replaceAll(/\s*\n\s*(?:\*|\/\/)?\s*/g, ' ')).join('\n');
}

it('the comments of the sources say identity provider, and inferred', () => {
  const files = filesIn('src', '.ts');
  expect(files.length).toBeGreaterThan(300);
  for (const file of files) expect(commentsOf(file), file).not.toMatch(FORMER_WORDS);
});

it('everything that users read says identity provider, and inferred', async () => {
  const help = await Promise.all(['', ...COMMANDS].map(helpOf));
  const metrics = Object.values(METRICS).map(([, text]) => text);
  const settings = ['config/example.yaml', 'config/minimal.yaml', 'config/scopemesh.schema.json'].map(textOf);
  const specifications = ['src/plan/SPEC.md', 'src/acl/plan/SPEC.md'].map(textOf);
  for (const text of [...PAGES.map(textOf), ...help, ...metrics, ...settings, ...specifications])
    expect(text).not.toMatch(FORMER_WORDS);
});

describe('the examples of the manual', () => {
  // Of the values of the chart the test of the chart makes a file.
  const examples = PAGES.filter((page) => /^docs\/(how-to|reference|explanation)\//.test(page))
    .filter((page) => page !== 'docs/how-to/run-in-kubernetes.md')
    .flatMap((page) => blocks(textOf(page), 'yaml').map((example) => ({ page, example })))
    // What is a part of something else, and what is for Prometheus or Kubernetes, are no parts of a file.
    .filter(
      ({ example }) => !/…|^webhook:|^apiVersion:|scrape_configs:|^ {2}- name: scopemesh$/m.test(example),
    );

  it.each(examples)('in $page are good parts of a file', async ({ example }) => {
    const own = Object.keys(parse(example));
    const rest = Object.fromEntries(Object.entries(MINIMAL).filter(([key]) => !own.includes(key)));
    const text = `${Object.keys(rest).length === 0 ? '' : stringify(rest)}${example}`;
    const names = [...text.matchAll(/\$\{(\w+)\}/g)].map(([, name = '']) => name);
    const toValue = (name: string) => {
      if (name.endsWith('_TOKEN')) return name.padEnd(32, '0');
      return name.endsWith('_WEBHOOK_SECRET') ? secretOf(1) : 'http://127.0.0.1:9';
    };
    const environment = Object.fromEntries(names.map((name) => [name, toValue(name)]));
    await expect(
      loadConfig({ path: 'scopemesh.yaml', environment, readFile: async () => text }),
    ).resolves.toBeDefined();
  });

  it('name every mode', () => {
    const modes = keys.find(({ path }) => path === 'mode')?.type.match(/\w+/g) ?? [];
    expect(modes).toHaveLength(3);
    for (const mode of modes)
      expect(section('docs/reference/configuration.md', 'Modes')).toContain(`\`${mode}\``);
  });
});
