import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { toStoredText } from '../../../src/decisions/chain.js';
import { verifyIndex } from '../../../src/decisions/embedded/verify-index.js';
import { TopicContent } from '../../../src/decisions/topic-content.js';
import { toTrailRecord } from '../../../src/decisions/trail-record.js';
import type { TrailFault } from '../../../src/decisions/verify-trail.js';
import type { Decision } from '../../../src/model/decision.js';
import { edgeDecision } from '../../support/decisions.js';
import { verifier } from '../../support/signed-log.js';
import { chained, createIndexRig, type IndexRig, partsOf } from '../../support/trail-index.js';

const SECOND = '01JABCDEFGHJKMNPQRSTVWXYZ1';
const DAY = 86_400_000;

let directory: string;
let rig: IndexRig;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'scopemesh-verify-rows-'));
  rig = createIndexRig(directory);
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Edges that opened long before the index looks. */
const opened = (...sources: readonly string[]) =>
  sources.map((source, at) =>
    edgeDecision(source, new Date(rig.clock.now() - DAY + at).toISOString(), null, { access: 'allow' }),
  );
const change = (...statements: readonly string[]) => {
  const database = new Database(join(directory, 'decisions.db'));
  for (const statement of statements) database.exec(statement);
  database.close();
};

async function verify(all: readonly Decision[], keepMs = 400 * DAY): Promise<TrailFault | undefined> {
  const topic = new TopicContent('payments', rig.clock.now(), keepMs);
  for (const each of all) topic.add(toTrailRecord(toStoredText(each)));
  return verifyIndex(directory, [verifier], topic);
}

async function indexed(): Promise<readonly Decision[]> {
  const all = [
    ...chained(opened('web', 'bot', 'batch', 'shop')),
    ...chained(opened('late', 'later'), SECOND),
  ];
  await rig.take(partsOf(all));
  return all;
}

const FALLS_AGAIN = [
  'DELETE FROM falls',
  `INSERT INTO falls SELECT seq, time FROM (SELECT seq, time, lag(time) OVER (ORDER BY seq) AS previous
    FROM decisions) WHERE time < previous`,
];
const swap = (one: number, other: number) => [
  `UPDATE decisions SET seq = 100 WHERE seq = ${one}`,
  `UPDATE decisions SET seq = ${one} WHERE seq = ${other}`,
  `UPDATE decisions SET seq = ${other} WHERE seq = 100`,
  ...FALLS_AGAIN,
];
const without = (where: string) => [
  `DELETE FROM about WHERE subject IN (SELECT subject FROM decisions WHERE ${where})`,
  `DELETE FROM decisions WHERE ${where}`,
  ...FALLS_AGAIN,
];
const withState = (path: string, value: string) =>
  `UPDATE topic_index SET state = json_set(state, '${path}', ${value})`;

it('an index with all that the topic has is intact, and one that is behind too', async () => {
  const all = await indexed();
  expect(await verify(all)).toBeUndefined();
  const begun = edgeDecision('fresh', new Date(rig.clock.now()).toISOString(), null, { access: 'allow' });
  expect(await verify([...all, ...chained([begun], `${SECOND}2`)])).toBeUndefined();
});

it.each([
  ['the first decision', without('seq = 1')],
  ['one in the middle', without('seq = 2')],
  ['the last one of a log', without('seq = 4')],
  ['the last one', without('seq = 6')],
  ['a log', without('seq > 4')],
  [
    'a log that the index says that it never saw',
    [
      ...without('seq > 4'),
      withState('$.chains', `json_remove(json_extract(state, '$.chains'), '$.${SECOND}')`),
    ],
  ],
  [
    'the last one, and the index says that it ends before it',
    [
      ...without('seq = 6'),
      `UPDATE topic_index SET state = json_set(state, '$.chains.${SECOND}.sequence', 1, '$.chains.${SECOND}.hash', (SELECT json_extract(event, '$.data.chain.hash') FROM decisions WHERE seq = 5))`,
    ],
  ],
])('%s that is missing shows', async (_, statements) => {
  const all = await indexed();
  change(...statements);
  expect(await verify(all)).toMatchObject({ kind: 'changed', detail: expect.stringContaining('is missing') });
});

it.each([
  ['two decisions of a log', swap(2, 3), 'decision 2 of'],
  ['two decisions of two logs', swap(4, 5), 'later log'],
])('%s that changed their places show', async (_, statements, detail) => {
  const all = await indexed();
  change(...statements);
  expect(await verify(all)).toMatchObject({ kind: 'changed', detail: expect.stringContaining(detail) });
});

it('a decision that nobody signed shows', async () => {
  const all = await indexed();
  change(
    `UPDATE decisions SET event = replace(event, '"outcome":"applied"', '"outcome":"refused"') WHERE seq = 4`,
    ...FALLS_AGAIN,
  );
  expect(await verify(all)).toMatchObject({ kind: 'changed', position: 4 });
});

it('what the index deleted because of its age, or says in its answers that it lacks, is not missing', async () => {
  const all = await indexed();
  change(...without('seq < 3'));
  expect(await verify(all, DAY / 2)).toBeUndefined();
  expect(await verify(all)).toMatchObject({ kind: 'changed' });

  const gapped = mkdtempSync(join(directory, 'gapped-'));
  const other = createIndexRig(gapped);
  const chain = chained(opened('web', 'bot', 'batch', 'shop'));
  await other.take(partsOf(chain.filter((__, at) => at !== 1)));
  other.clock.advance(120_000);
  await other.take(partsOf([]));
  expect(other.faults).toEqual(['gap']);
  directory = gapped;
  expect(await verify(chain)).toBeUndefined();
});
