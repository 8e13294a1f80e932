import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { mechanismsIn, withLines } from '../../docs/mechanisms.js';
import { codes, OTHER_PAGES, PAGES, ROOT, references, rows, section, textOf } from './manual.js';

const PAGE = 'docs/architecture.md';
const PROSE = textOf(PAGE).replaceAll(/^```.*?^```/gms, '');
const PATHS = codes(PROSE).filter((code) => /^(src|workers|config|test|docs)(\/[\w.-]+)+$/.test(code));

describe('the page on the architecture', () => {
  it.each(references(PAGE))('finds $name in $file', ({ file, name }) => {
    expect(existsSync(join(ROOT, file))).toBe(true);
    if (name !== undefined) expect(textOf(file)).toMatch(new RegExp(`\\b${name}\\b`));
  });

  it('names folders and files that exist', () => {
    expect(PATHS.length).toBeGreaterThan(10);
    for (const path of PATHS.filter((each) => !each.includes('NAME')))
      expect(existsSync(join(ROOT, path)), path).toBe(true);
  });

  it.each(['One webhook, from end to end', 'One rule, from end to end'])(
    'walks in ten steps: %s',
    (heading) => {
      const steps = section(PAGE, heading).match(/^\d+\. /gm) ?? [];
      expect(steps).toHaveLength(10);
    },
  );

  it('answers the first questions of a newcomer', () => {
    const places = references(PAGE).map(({ file }) => file);
    for (const file of [
      'src/identity/keycloak/webhook.ts',
      'src/plan/guards/revocation-limit.ts',
      'src/apply/entry-write.ts',
      'src/model/decision.ts',
      'test/scenarios/guards/mass-guard.test.ts',
    ])
      expect(places).toContain(file);
  });
});

/** Lower it with each row that goes. The goal is in CONTRIBUTING. */
const MOST_MECHANISMS = 110;
const MECHANISMS = mechanismsIn(textOf(PAGE));

describe('the table of mechanisms', () => {
  it('has every row in the form that is counted, each name and each file once', () => {
    expect(MECHANISMS).toHaveLength(rows(section(PAGE, 'The mechanisms')).length);
    const names = MECHANISMS.map(({ name }) => name);
    expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([]);
    const files = MECHANISMS.flatMap((each) => each.files);
    expect(files.filter((file, at) => files.indexOf(file) !== at)).toEqual([]);
  });

  it('names files that exist, the main one with a link', () => {
    const links = references(PAGE).map(({ file }) => file);
    for (const { name, files } of MECHANISMS) {
      expect(links, name).toContain(files[0]);
      for (const file of files) expect(existsSync(join(ROOT, file)), `${name}: ${file}`).toBe(true);
    }
  });

  it('names for each a promise of a specification or of the manual', () => {
    for (const { name, prevents, promise } of MECHANISMS) {
      const [, path] = /^\[[^\]]+\]\(([^)#]*)(?:#[^)]+)?\)$/.exec(promise) ?? [];
      expect(path, name).toBeDefined();
      const page = path === '' ? PAGE : join('docs', path ?? '');
      expect([...PAGES, ...OTHER_PAGES], name).toContain(page);
      expect(prevents.length, name).toBeGreaterThan(10);
    }
  });

  it('has the lines of the files as they are (else run `npx tsx docs/write-tables.ts`)', async () => {
    expect(await withLines(textOf(PAGE))).toBe(textOf(PAGE));
  });

  it('counts the lines of all files of a row, and leaves other rows and pages alone', async () => {
    const row = (lines: string) =>
      `## The mechanisms\n\n| One | a loss | [x](y.md) | [config/finding.ts](../config/finding.ts), \`write-schema.ts\` | ${lines} |\n`;
    const sum = ['config/finding.ts', 'config/write-schema.ts']
      .map((file) => textOf(file).split('\n').length - 1)
      .reduce((all, count) => all + count, 0);
    expect(await withLines(row('1'))).toBe(row(String(sum)));
    const other = row('1').replace('The mechanisms', 'Others');
    expect(await withLines(other)).toBe(other);
  });

  it('does not grow', () => {
    expect(MECHANISMS.length).toBeLessThanOrEqual(MOST_MECHANISMS);
  });
});
