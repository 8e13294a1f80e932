import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { codes, ROOT, references, section, textOf } from './manual.js';

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
