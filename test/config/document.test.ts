// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references of the configuration file
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readDocument } from '../../config/document.js';
import { faultsOf, fileWith } from './load-text.js';

function faults(text: string): readonly string[] {
  return readDocument(text).faults.map(
    ({ line, column, path, message }) => `${line}:${column} ${path.join('.')} ${message}`,
  );
}

describe('A document that is not valid YAML is refused with the place of the fault:', () => {
  it.each([
    ['an empty file', '', ['1:1  the file is empty']],
    ['only a comment', '# nothing\n', ['1:1  the file is empty']],
    ['a repeated key', 'a: 1\nb: 2\na: 3\n', ['3:1 a the key is already set on line 1']],
    [
      'a repeated key deep inside',
      'a:\n  - b: 1\n    b: 2\n',
      ['3:5 a.0.b the key is already set on line 2'],
    ],
    ['two documents', 'a: 1\n---\nb: 2\n', ['2:1  a second document begins here']],
    ['an unquoted star', 'a: [*, b]\n', ['1:5  this is parsed as a YAML alias or anchor']],
    [
      'an unquoted star before text',
      'never: [*:admin]\n',
      ['1:9 never.0 this is parsed as a YAML alias or anchor'],
    ],
    ['an unknown alias', 'a: *b\n', ['1:4 a this is parsed as a YAML alias or anchor']],
    ['a tag', 'a: !secret b\n', ['1:4  YAML tags are not used here']],
    ['a reserved character', 'a: @b\n', ['1:4  plain text cannot begin with this character']],
    ['a tab as indentation', 'a:\n\tb: 1\n', ['2:1  a tab is used as indentation']],
    ['an unclosed quote', 'a: "b\n', ['2:1  missing closing "quote']],
    ['a number as a key', 'a: { 80: b }\n', ['1:6 a a key must be text']],
    ['an unquoted capture as a key', '{service}:x: { to: a }\n', ['1:10  unexpected text']],
    ['a map as a key', '? { a: b }\n: c\n', ['1:3  a key must be text']],
    ['a key that JavaScript knows', '__proto__: { a: b }\n', ['1:1 __proto__ unknown key']],
  ])('%s', (_, text, expected) => {
    expect(faults(text).slice(0, 1)).toEqual(expected);
  });

  it.each([
    ['a: [${NAME}]\n', '1:6'],
    ['a: { b: ${NAME}, c: d }\ne: { f: ${NAME} }\n', '1:10'],
    ['a: { b: x${NAME}y }\n', '1:11'],
    ['a: { b: ${NAME}", c: d }\n', '1:10'],
    ['a: { b: "${NAME}, c: "${NAME}" }\n', '1:23'],
  ])('a reference without quotes within brackets: %j', async (text, place) => {
    expect(await faultsOf(text)).toEqual([
      `${place}: this \${…} is not within quotes; quote \${…} within [ ] or { }, as in { token: "\${NAME}" }, and look for a missing quote before it`,
    ]);
  });

  it('a missing quote, once, wherever it is in the example', () => {
    const example = readFileSync('config/example.yaml', 'utf8');
    const counts = [...example.matchAll(/["']/g)].map(
      ({ index }) => readDocument(example.slice(0, index) + example.slice(index + 1)).faults.length,
    );
    expect(Math.max(...counts)).toBe(1);
  });

  it('aliases that multiply', () => {
    const lines = Array.from({ length: 12 }, (_, index) =>
      index === 0
        ? 'a0: &a0 [x, x]'
        : `a${index}: &a${index} [*a${index - 1}, *a${index - 1}, *a${index - 1}]`,
    );

    expect(faults(lines.join('\n'))).toContainEqual(
      expect.stringContaining('the file uses more than 100 aliases'),
    );
  });

  it('an alias to a value that contains it', () => {
    expect(faults('a: &a [*a]\n')[0]).toContain('nested more than 32 deep');
  });

  it('more values than a configuration has', () => {
    expect(faults(`a: [${'1,'.repeat(60_000)}]`)).toEqual([
      expect.stringContaining('the file holds more than 50000 values'),
    ]);
  });

  it.each([
    ['[', 5_000],
    ['{a: ', 5_000],
    ['- ', 5_000],
  ])('nesting of %s beyond reason', (open, times) => {
    expect(faults(open.repeat(times)).length).toBeGreaterThan(0);
  });

  it('a file above 1 MiB', async () => {
    expect(await faultsOf(`# ${'x'.repeat(1024 * 1024)}`)).toEqual([
      '1:1: the file is larger than 1 MiB; is it the right one?',
    ]);
  });

  it('and a repeated key does not hide the other faults', async () => {
    expect(await faultsOf(fileWith('owner: a\nowner: b\nresync: 1', 'owner'))).toEqual([
      '2:1: owner: the key is already set on line 1; keep one of the two',
      '3:9: resync: must be a duration; write a number with its unit, such as 30s, 5m or 1h',
    ]);
  });

  it('at the alias where a repeated part does not fit', async () => {
    const text = 'services: { clientTag: &x [a] }\nstate: { directory: *x }';

    expect(await faultsOf(fileWith(text))).toEqual([
      '1:27: services.clientTag: must be text; put text that begins with { or [ in quotes',
      '2:21: state.directory: must be text; put text that begins with { or [ in quotes',
    ]);
  });
});
