import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { parseAst } from 'vitest/node';

const root = fileURLToPath(new URL('..', import.meta.url));
const FILES = ['src', 'workers', 'config', 'test', 'bench'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.tsx?$/.test(file))
    .map((file) => join(folder, file)),
);

/** Words that say nothing of what a thing is, and former words of this code. */
const UNUSED =
  /^(managers?|helpers?|utils?|common|shared|base|misc|processors?|data|infos?|closures?|wanted|wanters?|stands|told|heard|leftovers?|lookout|cell|ambience|bell)$/;
/** Names that say too little alone: a word of Consul, and one of many kinds of token. */
const BARE = /^(service|token)$/i;
const EXPORT =
  /^export (?:declare |abstract |async )*(?:function\*?|const|let|class|interface|type|enum) (\w+)/gm;

/** `readAclToken`, `acl-token.test` and `MAX_BODY` as their words. */
const wordsOf = (name: string) =>
  name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z0-9]+/);
const isUnclear = (name: string) => BARE.test(name) || wordsOf(name).some((word) => UNUSED.test(word));

it('file names have no word that says nothing', () => {
  expect(FILES.filter((file) => isUnclear(basename(file).replace(/\.tsx?$/, '')))).toEqual([]);
});

it('exported names have no word that says nothing', () => {
  const names = FILES.flatMap((file) =>
    [...readFileSync(join(root, file), 'utf8').matchAll(EXPORT)].map(([, name = '']) => ({ file, name })),
  );
  expect(names.length).toBeGreaterThan(1_000);
  expect(names.filter(({ name }) => isUnclear(name)).map(({ file, name }) => `${file}: ${name}`)).toEqual([]);
});

/** Where locals are checked: a test names a fixture as the case does. */
const PRODUCT = /^(src|workers|config)\//;
/** Names that say too little of a variable. A longer name may hold them, as `isShared`. */
const LOCAL = /^(service|token|data|info|manager|helper|util|common|shared|misc)$/;
/** Such a name in a text: most files have none, and to parse them all takes more than a second. */
const MENTIONED = new RegExp(`(?<![\\w.-])${LOCAL.source.slice(1, -1)}(?= *[,;:=?)\\]}]| of | in )`);

it('locals and parameters have no bare name that says nothing', () => {
  const found = FILES.filter((file) => PRODUCT.test(file)).flatMap((file) =>
    bareNames(readFileSync(join(root, file), 'utf8'), /x$/.test(file) ? 'tsx' : 'ts').map(
      (name) => `${file}: ${name}`,
    ),
  );
  expect(found).toEqual([]);
});

it('finds a bare name in every kind of declaration', () => {
  const text = `
    const token = 1;
    for (const [key, service] of map) f(key);
    const { answer: data, kept: { info = 0 }, ...shared } = g();
    const h = async (manager: string, util?: number, [helper]: T = [], ...common: T[]) => misc;
    interface Port { read(service: string): (token: string) => void }
    class Box { constructor(readonly token: string) {} }`;
  expect(bareNames(text).toSorted()).toEqual(
    'common data helper manager service service shared token token token util'.split(' '),
  );
});

function bareNames(text: string, lang: 'ts' | 'tsx' = 'ts'): readonly string[] {
  if (!MENTIONED.test(text)) return [];
  return declaredNames(parseAst(text, { lang })).filter((name) => LOCAL.test(name));
}

/** The names of variables and parameters. A name that a pattern takes from a property is the name of the property. */
function declaredNames(node: unknown): readonly string[] {
  if (Array.isArray(node)) return node.flatMap(declaredNames);
  if (!isNode(node)) return [];
  const own = node.type === 'VariableDeclarator' ? namesIn(node.id) : namesIn(node.params);
  return [...own, ...Object.values(node).flatMap(declaredNames)];
}

function namesIn(pattern: unknown): readonly string[] {
  if (Array.isArray(pattern)) return pattern.flatMap(namesIn);
  if (!isNode(pattern)) return [];
  const { type, name, elements, properties, value, left, argument, parameter, shorthand } = pattern;
  if (type === 'Identifier') return typeof name === 'string' ? [name] : [];
  if (type === 'Property') return shorthand === true ? [] : namesIn(value);
  return [elements, properties, left, argument, parameter].flatMap(namesIn);
}

function isNode(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
