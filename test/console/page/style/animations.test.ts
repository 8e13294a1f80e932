import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const STYLE = new URL('../../../../src/console/page/style/', import.meta.url);

it('no two animations have one name: the later one would be played for both', () => {
  const names = readdirSync(STYLE).flatMap((file) =>
    [...readFileSync(new URL(file, STYLE), 'utf8').matchAll(/@keyframes ([\w-]+)/g)].map(([, name]) => name),
  );
  expect(names.length).toBeGreaterThan(2);
  expect(new Set(names).size).toBe(names.length);
});
