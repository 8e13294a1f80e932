import { describe, expect, it } from 'vitest';
import { CLOUD_EVENT } from '../../src/decisions/decision-schema.js';
import { HOLD_REASONS } from '../../src/model/decision.js';
import { filesIn, rows, section, textOf } from './manual.js';

const PAGE = 'docs/operations.md';
const ALL: readonly string[] = Object.values(CLOUD_EVENT.shape.data.shape.reason.enum);

const told = (heading: string) =>
  new Map(
    rows(section(PAGE, heading)).map(([reason = '', meaning = '']) => [reason.replaceAll('`', ''), meaning]),
  );
const held = told('Why a change is held');
const changed = told('Why a change is made');
const others = told('Other reasons');
const meanings = new Map([...held, ...changed, ...others]);

const CODE = [...filesIn('src', '.ts'), ...filesIn('workers', '.ts')]
  .filter((file) => !/^src\/model\/|decision-schema/.test(file))
  .map(textOf)
  .join('\n');

describe('the reasons in operations.md', () => {
  it('are those of the code, each once', () => {
    expect([...held.keys()].toSorted()).toEqual([...HOLD_REASONS].toSorted());
    expect(held.size + changed.size + others.size).toBe(ALL.length);
    expect([...meanings.keys()].toSorted()).toEqual(ALL.toSorted());
  });

  it.each(ALL)('%s is called reserved only where nothing gives it', (reason) => {
    const isReserved = meanings.get(reason)?.startsWith('Reserved') ?? false;
    expect(isReserved).toBe(!CODE.includes(`'${reason}'`));
  });
});
