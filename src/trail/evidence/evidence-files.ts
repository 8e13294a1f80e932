import { createHash } from 'node:crypto';
import type { Citation } from '../edge.js';
import type { EvidenceReport } from './evidence-report.js';
import type { Integrity } from './integrity.js';
import { evidencePage } from './page.js';
import { csvRow } from './text.js';

/** How decisions and access are shown. */
interface EvidenceTexts {
  /** For people. */
  readonly accessText: (access: EvidenceReport['edges'][number]['access']) => string;
  /** The signed events of the period as the log has them. */
  readonly events: readonly string[];
}

/** The files of a report by name. */
export function evidenceFiles(
  evidence: EvidenceReport,
  integrity: Integrity,
  { accessText, events }: EvidenceTexts,
): ReadonlyMap<string, string> {
  const { decisions, edges, acl, moves, held, exceptions, revocations } = evidence;
  const files = new Map([
    ['report.html', evidencePage(evidence, integrity, accessText)],
    [
      'evidence.json',
      `${JSON.stringify({ ...evidence, decisions: decisions.map(({ id }) => id), integrity }, null, 2)}\n`,
    ],
    [
      'access-review.csv',
      csv(edges, [
        ['source', (edge) => edge.source],
        ['destination', (edge) => edge.destination],
        ['access', (edge) => accessText(edge.access)],
        ['provider', (edge) => edge.client?.provider],
        ['client', (edge) => edge.client?.clientId],
        ['actor kind', (edge) => edge.client?.actorKind],
        ['scopes', (edge) => edge.scopes.join(' ')],
        ['reason', (edge) => edge.reason],
        ...cited('since', 'since'),
        ...cited('changed', 'decision'),
        ['certainty', (edge) => edge.certainty],
      ]),
    ],
    [
      'consul-rules.csv',
      csv(acl, [
        ['subject', (object) => object.subject],
        ['provider', ({ client, person }) => (person ?? client)?.provider],
        ['client or person', ({ client, person }) => person?.subject ?? client?.clientId],
        ['actor kind', ({ client, person }) => (person ?? client)?.actorKind],
        ['group', (object) => object.group],
        ['scopes', (object) => object.scopes.join(' ')],
        ['content', (object) => JSON.stringify(object.content)],
        ...cited('since', 'since'),
        ...cited('changed', 'decision'),
      ]),
    ],
    [
      'joiners-movers-leavers.csv',
      csv(moves, [
        ['kind', (move) => move.kind],
        ['name', (move) => move.name],
        ['actor kind', (move) => move.actorKind],
        ['slowest change, ms', (move) => move.slowestMs],
        ['decisions', (move) => move.decisions.map(({ id }) => id).join(' ')],
      ]),
    ],
    [
      'revocation-times.csv',
      csv(revocations.bars, [
        ['up to, ms', ({ upToMs }) => upToMs ?? 'longer'],
        ['revocations', ({ count }) => count],
      ]),
    ],
    [
      'held-changes.csv',
      csv(held, [
        ['subject', (change) => change.subject],
        ['action', (change) => change.action],
        ['reason', (change) => change.hold.reason],
        ...cited('held', 'hold'),
        ['end', (change) => change.end],
        ['by', (change) => change.by],
        ...cited('ended', 'endedBy'),
      ]),
    ],
    [
      'exceptions.csv',
      csv(
        exceptions.findings.flatMap(({ what, decisions: found }) => found.map((each) => ({ what, ...each }))),
        [
          ['exception', ({ what }) => what],
          ['time', ({ time }) => time],
          ['decision', ({ id }) => id],
          ['subject', ({ subject }) => subject],
          ['reason', ({ reason }) => reason],
          ['by', ({ principal }) => principal],
          ['detail', ({ detail }) => detail],
        ],
      ),
    ],
    ['decisions.jsonl', events.map((event) => `${event}\n`).join('')],
  ]);
  const sums = [...files].map(
    ([name, text]) => `${createHash('sha256').update(text).digest('hex')}  ${name}\n`,
  );
  return new Map([...files, ['SHA256SUMS', sums.join('')]]);
}

/** A column of a table: its head, and its cell in a row. */
type Column<T> = readonly [head: string, cell: (row: T) => string | number | undefined];

function csv<T>(rows: readonly T[], columns: readonly Column<T>[]): string {
  const cells = rows.map((row) => columns.map(([, cell]) => cell(row)));
  return [columns.map(([head]) => head), ...cells].map(csvRow).join('');
}

/** When the decision in a field was made, and its ID. */
function cited<K extends string>(
  head: string,
  field: K,
): readonly Column<Readonly<Partial<Record<K, Citation>>>>[] {
  return [
    [head, (row) => row[field]?.time],
    [`${head} decision`, (row) => row[field]?.id],
  ];
}
