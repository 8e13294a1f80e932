import { expect, it } from 'vitest';
import { toDecisionRow } from '../../../src/console/api/decision-row.js';
import { csvOf } from '../../../src/console/page/csv.js';
import { decisions } from '../../support/decisions.js';

const ALL = decisions(4);
const [one] = ALL;

it('has a line for each decision, with its fields', () => {
  const lines = csvOf(ALL.map(toDecisionRow)).trimEnd().split('\r\n');
  expect(lines).toHaveLength(5);
  expect(lines[0]).toMatch(/^time,id,kind,verb,action,outcome,reason,subject,/);
  for (const [at, { id, reason }] of ALL.entries())
    expect(lines[at + 1]).toMatch(new RegExp(`^[^,]+,${id},.*,${reason},`));
});

it.each([
  ['=HYPERLINK("http://evil.test")', '"\'=HYPERLINK(""http://evil.test"")"'],
  ['+1', "'+1"],
  ['-1', "'-1"],
  ['@SUM', "'@SUM"],
  ['\tx', "'\tx"],
  ['a,b', '"a,b"'],
  ['a\nb', '"a\nb"'],
])('a spreadsheet computes nothing of %j', (detail, cell) => {
  expect(one && csvOf([toDecisionRow({ ...one, detail })])).toContain(`,${cell},`);
});
