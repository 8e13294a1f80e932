import { expect, it } from 'vitest';
import { textOf } from './manual.js';

const ROW = /^\| (.+?) +\| .+ \| (?:`([\w/-]+)`: (.+?)|not tried: .+) +\|$/gm;

it('each attack on the console names a test that there is', () => {
  const page = textOf('docs/threat-model/console.md');
  const rows = [...page.matchAll(ROW)];
  // Of the lines of the table two are its head.
  expect(rows).toHaveLength((page.match(/^\|/gm)?.length ?? 0) - 2);
  for (const [, attack, file, title = ''] of rows)
    if (file !== undefined)
      expect([attack, textOf(`test/${file}.test.ts`).includes(title)]).toEqual([attack, true]);
});
