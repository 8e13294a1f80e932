import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const FILES = ['src', 'workers', 'config', 'test', 'bench'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
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
  expect(FILES.filter((file) => isUnclear(basename(file, '.ts')))).toEqual([]);
});

it('exported names have no word that says nothing', () => {
  const names = FILES.flatMap((file) =>
    [...readFileSync(join(root, file), 'utf8').matchAll(EXPORT)].map(([, name = '']) => ({ file, name })),
  );
  expect(names.length).toBeGreaterThan(1_000);
  expect(names.filter(({ name }) => isUnclear(name)).map(({ file, name }) => `${file}: ${name}`)).toEqual([]);
});
