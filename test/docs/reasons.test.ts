import { describe, expect, it } from 'vitest';
import { CLOUD_EVENT } from '../../src/decisions/decision-schema.js';
import { HOLD_REASONS } from '../../src/model/decision.js';
import { filesIn, section, textOf } from './manual.js';

const PAGE = 'docs/reference/reasons.md';
const ALL: readonly string[] = Object.values(CLOUD_EVENT.shape.data.shape.reason.enum);

/** What a chapter says about each reason. */
const reasonsUnder = (heading: string) =>
  new Map(
    section(PAGE, heading)
      .split(/^### /m)
      .slice(1)
      .map((text): [string, string] => {
        const [reason = '', ...rest] = text.split('\n');
        return [reason, rest.join('\n').trim()];
      }),
  );
const held = reasonsUnder('Why a change is held');
const changed = reasonsUnder('Why a change is made');
const others = reasonsUnder('Other reasons');
const meanings = new Map([...held, ...changed, ...others]);

const CODE = [...filesIn('src', '.ts'), ...filesIn('workers', '.ts')]
  .filter((file) => !/^src\/model\/|decision-schema/.test(file))
  .map(textOf)
  .join('\n');

describe('the reasons in reasons.md', () => {
  it('are those of the code, each once', () => {
    expect([...held.keys()].toSorted()).toEqual([...HOLD_REASONS].toSorted());
    expect(held.size + changed.size + others.size).toBe(ALL.length);
    expect([...meanings.keys()].toSorted()).toEqual(ALL.toSorted());
  });

  it('have a meaning each, and what to do where something is held', () => {
    for (const [reason, text] of meanings) expect(text, reason).toMatch(/\w/);
    for (const [reason, text] of held)
      if (!text.startsWith('Reserved')) expect(text, reason).toContain('**What to do:**');
  });

  it.each(ALL)('%s is called reserved only where nothing gives it', (reason) => {
    const isReserved = meanings.get(reason)?.startsWith('Reserved') ?? false;
    expect(isReserved).toBe(!CODE.includes(`'${reason}'`));
  });
});
