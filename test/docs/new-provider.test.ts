import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT, textOf } from './manual.js';

const TEMPLATE = join(ROOT, 'docs/providers/template');

/** The template as the manual's `sed` makes an adapter of it: by file, as it would stand in src/identity/acme/. */
function copied(): ReadonlyMap<string, string> {
  const [, script = ''] = /sed -i '([^']+)'/.exec(textOf('docs/providers/new.md')) ?? [];
  const edits = script.split('; ').map((edit) => {
    const [, delimiter = '/'] = edit;
    const [, from = '', to = '', flags = ''] = edit.split(delimiter);
    return { from: new RegExp(from, flags), to };
  });
  return new Map(
    readdirSync(TEMPLATE).map((file) => {
      const lines = readFileSync(join(TEMPLATE, file), 'utf8').split('\n');
      const edited = lines.map((line) => edits.reduce((text, { from, to }) => text.replace(from, to), line));
      return [file.replace('template', 'acme'), edited.join('\n')];
    }),
  );
}

describe('a provider made from the template as the manual says', () => {
  const files = copied();

  it('has the files that the manual names', () => {
    const named = [...textOf('docs/providers/new.md').matchAll(/^\| `([a-z]+\.ts)`/gm)].map(
      ([, file]) => file,
    );
    expect(named.toSorted()).toEqual([...files.keys()].toSorted());
  });

  it('imports only what is there, and what an adapter may', () => {
    const imported = [...files.values()].flatMap((text) =>
      [...text.matchAll(/from '(\.[^']+)\.js'/g)].map(([, path = '']) => path),
    );
    expect(imported.length).toBeGreaterThan(20);
    for (const path of imported) {
      if (path.startsWith('./')) expect(files.has(`${path.slice(2)}.ts`)).toBe(true);
      else expect(existsSync(`${resolve(ROOT, 'src/identity/acme', path)}.ts`)).toBe(true);
      expect(path).toMatch(/^(\.\/[a-z]+|\.\.\/[a-z-]+|\.\.\/\.\.\/(clock|errors|observe|model\/[a-z]+))$/);
    }
  });

  it('keeps nothing of the name of the template', () => {
    for (const text of files.values()) expect(text).not.toMatch(/template/i);
  });
});
