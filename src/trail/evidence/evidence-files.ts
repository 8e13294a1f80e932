import { createHash } from 'node:crypto';
import type { Decision } from '../../model/decision.js';
import type { Citation } from '../edge.js';
import type { EvidenceReport } from './evidence-report.js';
import type { Integrity } from './integrity.js';
import { evidencePage } from './page.js';
import { csvRow } from './text.js';

/** How decisions and access are shown. */
export interface EvidenceTexts {
  /** For people. */
  readonly accessText: (access: EvidenceReport['edges'][number]['access']) => string;
  /** The event as JSON. */
  readonly eventText: (decision: Decision) => string;
}

/** The files of a report by name. */
export function evidenceFiles(
  evidence: EvidenceReport,
  integrity: Integrity,
  { accessText, eventText }: EvidenceTexts,
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
      csv(
        [
          'source',
          'destination',
          'access',
          'provider',
          'client',
          'actor kind',
          'scopes',
          'reason',
          'since',
          'since decision',
          'changed',
          'changed decision',
          'certainty',
        ],
        edges.map((edge) => [
          edge.source,
          edge.destination,
          accessText(edge.access),
          edge.client?.provider,
          edge.client?.clientId,
          edge.client?.actorKind,
          edge.scopes.join(' '),
          edge.reason,
          ...place(edge.since),
          ...place(edge.decision),
          edge.certainty,
        ]),
      ),
    ],
    [
      'consul-rules.csv',
      csv(
        [
          'subject',
          'provider',
          'client or person',
          'actor kind',
          'group',
          'scopes',
          'content',
          'since',
          'since decision',
          'changed',
          'changed decision',
        ],
        acl.map((object) => {
          const { client, person } = object;
          return [
            object.subject,
            (person ?? client)?.provider,
            person?.subject ?? client?.clientId,
            (person ?? client)?.actorKind,
            object.group,
            object.scopes.join(' '),
            JSON.stringify(object.content),
            ...place(object.since),
            ...place(object.decision),
          ];
        }),
      ),
    ],
    [
      'joiners-movers-leavers.csv',
      csv(
        ['kind', 'name', 'actor kind', 'slowest change, ms', 'decisions'],
        moves.map((each) => [each.kind, each.name, each.actorKind, each.slowestMs, ids(each.decisions)]),
      ),
    ],
    [
      'revocation-times.csv',
      csv(
        ['up to, ms', 'revocations'],
        revocations.bars.map(({ upToMs, count }) => [upToMs ?? 'longer', count]),
      ),
    ],
    [
      'held-changes.csv',
      csv(
        ['subject', 'action', 'reason', 'held', 'held decision', 'end', 'by', 'ended', 'ended decision'],
        held.map(({ subject, action, hold, end, by, endedBy }) => [
          subject,
          action,
          hold.reason,
          ...place(hold),
          end,
          by,
          ...place(endedBy),
        ]),
      ),
    ],
    [
      'exceptions.csv',
      csv(
        ['exception', 'time', 'decision', 'subject', 'reason', 'by', 'detail'],
        exceptions.findings.flatMap(({ what, decisions: found }) =>
          found.map(({ time, id, subject, reason, principal, detail }) => [
            what,
            time,
            id,
            subject,
            reason,
            principal,
            detail,
          ]),
        ),
      ),
    ],
    [
      'decisions.jsonl',
      decisions
        .toReversed()
        .map((decision) => `${eventText(decision)}\n`)
        .join(''),
    ],
  ]);
  const sums = [...files].map(
    ([name, text]) => `${createHash('sha256').update(text).digest('hex')}  ${name}\n`,
  );
  return new Map([...files, ['SHA256SUMS', sums.join('')]]);
}

function csv(head: readonly string[], rows: readonly (readonly (string | number | undefined)[])[]): string {
  return [head, ...rows].map(csvRow).join('');
}

function place(citation: Citation | undefined): readonly [string | undefined, string | undefined] {
  return [citation?.time, citation?.id];
}

function ids(citations: readonly Citation[]): string {
  return citations.map(({ id }) => id).join(' ');
}
