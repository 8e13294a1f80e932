import { join } from 'node:path';
import { expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import type { Decisions } from '../../../src/console/answers.js';
import { toDecisionRow } from '../../../src/console/api/decision-row.js';
import { csvOf } from '../../../src/console/page/csv.js';
import { answerQuestion } from '../../../src/daemon/answer-question.js';
import { createEmbeddedDecisionLog } from '../../../src/decisions/embedded/embedded-decision-log.js';
import { openEmbeddedTrail } from '../../../src/decisions/embedded/embedded-trail.js';
import { silentLogger } from '../../../src/observe.js';
import { createCommandLine } from '../../support/command-line.js';
import { decision, decisions } from '../../support/decisions.js';

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

const MANY = 8_000;
const OUTCOMES = ['applied', 'held'] as const;

it('all pages together are what the command lists with the same filter, and no answer is larger for a long log', async () => {
  const cli = createCommandLine();
  const parts = { directory: join(cli.directory, 'state'), logger: silentLogger, clock: systemClock };
  const log = createEmbeddedDecisionLog(parts);
  for (let from = 0; from < MANY; from += 1_000)
    await log.append(
      Array.from({ length: 1_000 }, (_, at) =>
        decision({
          time: new Date(Date.UTC(2026, 0, 1) + (from + at) * 1_000).toISOString(),
          subject: `intention/default/default/orders/web-${at % 300}`,
          outcome: OUTCOMES[at % 2] ?? 'applied',
          revision: from + at + 1,
        }),
      ),
    );
  await log.close();
  const trail = await openEmbeddedTrail(parts);
  let largest = 0;
  const read = async (filter: object) => {
    const rows: Decisions['rows'] = [];
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const query = { ...filter, limit: 500, ...(cursor === undefined ? {} : { cursor }) };
      const question = { kind: 'decisions', query, now: 0, protectedServices: [] } as const;
      const answer = await answerQuestion(async () => trail, question);
      largest = Math.max(largest, answer.length);
      const page = JSON.parse(answer) as Decisions;
      rows.push(...page.rows);
      cursor = page.next;
    }
    return csvOf(rows.toReversed())
      .split('\r\n')
      .slice(1, -1)
      .map((line) => line.split(',')[1]);
  };
  const since = '2026-01-01T01:00:00.000Z';
  const listed = (await cli.run(['decisions', 'list', '--json', '--since', since])).out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { readonly id: string; readonly data: { readonly outcome: string } });
  expect(listed).toHaveLength(MANY - 3_600);
  expect(await read({ since })).toEqual(listed.map(({ id }) => id));
  expect(await read({ since, outcome: 'held' })).toEqual(
    listed.filter(({ data }) => data.outcome === 'held').map(({ id }) => id),
  );
  expect(largest).toBeLessThan(500_000);
  await trail.close();
  cli.close();
}, 120_000);
