import { principalText } from '../../model/cause.js';
import type { Decision } from '../../model/decision.js';
import type { Citation } from '../edge.js';
import { barChart } from './bar-chart.js';
import type { EvidenceReport } from './evidence-report.js';
import type { Integrity } from './integrity.js';
import { holderOf, MOVE_KINDS } from './moves.js';
import { STYLE } from './style.js';
import { breakableHtml, escapeHtml, millisText } from './text.js';

/** A page for a browser stays usable; the CSV files have every row. */
const MAX_ROWS = 500;
const MAX_CITED = 5_000;
const MAX_LINKS = 5;

type AccessText = (access: EvidenceReport['edges'][number]['access']) => string;

/** The report as one page without scripts or other files, for the screen and for print. */
export function evidencePage(evidence: EvidenceReport, integrity: Integrity, accessText: AccessText): string {
  const { owner, period, extent } = evidence;
  const cited = new Map(evidence.decisions.slice(0, MAX_CITED).map((each) => [each.id, each]));
  const link = (citation: Citation | undefined) => decisionLink(citation, cited);
  const sections = [
    summary(evidence, integrity),
    review(evidence, accessText, link),
    movesSection(evidence, link),
    times(evidence, link),
    heldSection(evidence, link),
    exceptionsSection(evidence, link),
    actorsSection(evidence, link),
    integritySection(integrity),
    appendix(evidence, cited),
  ];
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Access evidence of ${escapeHtml(owner)}</title><style>${STYLE}</style></head><body>
<header><h1>Access evidence of ${escapeHtml(owner)}</h1>
<p>From ${escapeHtml(period.from)} to ${escapeHtml(period.to)}. The log has decisions from ${escapeHtml(extent.first ?? '–')} to ${escapeHtml(extent.last ?? '–')}.${
    extent.isForgetful
      ? ' Older decisions were deleted: edges that were opened before that may be missing.'
      : extent.isCut
        ? ' Older decisions were deleted; what each edge had then is kept.'
        : ''
  }</p></header>
${sections.join('\n')}
</body></html>
`;
}

type Link = (citation: Citation | undefined) => string;

function decisionLink(citation: Citation | undefined, cited: ReadonlyMap<string, unknown>): string {
  if (citation === undefined) return 'before the log begins';
  const id = escapeHtml(citation.id);
  const text = `${escapeHtml(citation.time)} <code>${id}</code>`;
  return cited.has(citation.id) ? `<a href="#d-${id}">${text}</a>` : text;
}

function summary(
  { edges, acl, moves, revocations, held, exceptions }: EvidenceReport,
  { verified }: Integrity,
): string {
  const pending = held.filter(({ end }) => end === 'pending').length;
  const count = (kind: string) => moves.filter((move) => move.kind === kind).length;
  const figures: readonly (readonly [string, string | number, string])[] = [
    ['edges open at the end', edges.length, '#review'],
    ['Consul rules at the end', acl.length, '#rules'],
    ['joiners', count('joiner'), '#moves'],
    ['movers', count('mover'), '#moves'],
    ['leavers', count('leaver'), '#moves'],
    ['revocations, 95th percentile', millisText(revocations.p95Ms), '#times'],
    ['held changes', held.length, '#held'],
    ['still held', pending, '#held'],
    ['exceptions', exceptions.findings.reduce((sum, each) => sum + each.decisions.length, 0), '#exceptions'],
    ['log', verified ? 'verified' : 'not verified', '#integrity'],
  ];
  return `<section class="figures">${figures
    .map(
      ([label, value, href]) =>
        `<a href="${href}"><b>${escapeHtml(String(value))}</b>${escapeHtml(label)}</a>`,
    )
    .join('')}</section>`;
}

function review({ edges, acl }: EvidenceReport, accessText: AccessText, link: Link): string {
  const rows = edges.map((edge) => [
    breakableHtml(`${edge.source} → ${edge.destination}`),
    breakableHtml(accessText(edge.access)) +
      (edge.certainty === 'unknown' ? ' <em>(outcome unknown)</em>' : ''),
    breakableHtml(holderOf({ client: edge.client }) ?? '–'),
    breakableHtml(edge.client?.actorKind ?? '–'),
    breakableHtml(edge.scopes.join(' ')),
    breakableHtml(edge.reason),
    link(edge.since),
    edge.since?.id === edge.decision.id ? 'unchanged' : link(edge.decision),
  ]);
  const rules = acl.map(({ subject, client, person, group, scopes, since, decision, content }) => [
    breakableHtml(subject),
    breakableHtml(holderOf({ client, person }) ?? 'shared'),
    breakableHtml((person ?? client)?.actorKind ?? '–'),
    breakableHtml([...scopes, ...(group === undefined ? [] : [`group ${group}`])].join(' ')),
    `<code>${escapeHtml(JSON.stringify(content))}</code>`,
    link(since),
    since?.id === decision.id ? 'unchanged' : link(decision),
  ]);
  return `<section id="review"><h2>Access review</h2>
<p>Every edge that scopemesh had opened at the end of the period. Intentions of others are not in the log.</p>
${table(['edge', 'access', 'client', 'kind', 'scopes', 'reason', 'since', 'last change'], rows, 'access-review.csv')}
<h3 id="rules">Consul rules</h3>
<p>The policies, roles, auth methods and binding rules that decide what a token from a login may do.</p>
${table(['object', 'for', 'kind', 'scopes', 'content', 'since', 'last change'], rules, 'consul-rules.csv')}</section>`;
}

function movesSection({ moves }: EvidenceReport, link: Link): string {
  const bars = MOVE_KINDS.map((kind) => ({
    label: `${kind}s`,
    value: moves.filter((move) => move.kind === kind).length,
    href: '#moves-list',
  }));
  const rows = moves.map(({ kind, name, actorKind, slowestMs, decisions }) => [
    kind,
    breakableHtml(name),
    breakableHtml(actorKind),
    millisText(slowestMs),
    linksText(decisions, link),
  ]);
  return `<section id="moves"><h2>Joiners, movers and leavers</h2>
<p>Clients and people whose access began, changed or ended. The time runs from the first sight of the event at the identity provider until Consul had the change.</p>
${barChart('Joiners, movers and leavers', bars)}<div id="moves-list"></div>
${table(['', 'name', 'kind', 'slowest change', 'decisions'], rows, 'joiners-movers-leavers.csv')}</section>`;
}

/** The newest ones: the CSV file has all. */
function linksText(decisions: readonly Citation[], link: Link): string {
  const more = decisions.length - MAX_LINKS;
  const rest = more > 0 ? [`and ${more} older`] : [];
  return [...decisions.slice(-MAX_LINKS).map((each) => link(each)), ...rest].join('<br>');
}

function times({ revocations, grants }: EvidenceReport, link: Link): string {
  const { count, untimed, p50Ms, p95Ms, p99Ms, maxMs, bars, slowest } = revocations;
  const shown = bars.map(({ upToMs, count: value }) => ({
    label: upToMs === null ? 'longer' : `up to ${millisText(upToMs)}`,
    value,
    href: '#slowest',
  }));
  return `<section id="times"><h2>Revocation times</h2>
<p>Revocations with an event behind them: ${count}${count === 0 ? '' : `, half within ${millisText(p50Ms)}, 95 % within ${millisText(p95Ms)}, 99 % within ${millisText(p99Ms)}, the slowest ${millisText(maxMs)}`}. ${untimed} more came from a comparison, a person or a new configuration, without an event to count from. Grants with an event behind them: ${grants.count}${grants.count === 0 ? '' : `, half within ${millisText(grants.p50Ms)}`}. Proxies follow Consul some tenths of a second later; what outlives a revocation is in the manual.</p>
${barChart('Revocations by the time from the event to Consul', shown)}
<h3 id="slowest">The slowest</h3>
${table(
  ['time', 'subject', 'reason', 'decision'],
  slowest.map((each) => [
    millisText(each.ms),
    breakableHtml(each.subject),
    breakableHtml(each.reason),
    link(each),
  ]),
  'decisions.jsonl',
)}</section>`;
}

function heldSection({ held }: EvidenceReport, link: Link): string {
  const rows = held.map(({ subject, action, hold, end, by, endedBy }) => [
    breakableHtml(subject),
    breakableHtml(action),
    breakableHtml(hold.reason),
    link(hold),
    breakableHtml(end),
    breakableHtml(by ?? '–'),
    endedBy === undefined ? '–' : link(endedBy),
  ]);
  return `<section id="held"><h2>Held, approved and rejected changes</h2>
${table(['subject', 'action', 'why', 'held', 'end', 'by', 'ended'], rows, 'held-changes.csv')}</section>`;
}

function exceptionsSection({ exceptions }: EvidenceReport, link: Link): string {
  const { findings, refusedEvents, comparisons, longestGapMs, lastComparison } = exceptions;
  const found = findings.filter(({ decisions }) => decisions.length > 0);
  const rows = found.flatMap(({ what, decisions }) =>
    decisions.map((each) => [
      breakableHtml(what),
      breakableHtml(each.subject),
      breakableHtml(each.reason),
      breakableHtml(each.principal ?? ''),
      breakableHtml(each.detail ?? ''),
      link(each),
    ]),
  );
  const compared =
    lastComparison === undefined
      ? 'No comparison counted the edges in Consul.'
      : `The last one (${link(lastComparison.citation)}) counted ${lastComparison.ownedEdges} owned edges in Consul; the log shows ${lastComparison.trailEdges} open ones at that instant (a written deny is owned too).`;
  return `<section id="exceptions"><h2>Exceptions</h2>
<p>Complete comparisons with Consul: ${comparisons}; the longest time without one: ${millisText(longestGapMs)}. ${compared} Events refused because they did not prove their origin: ${refusedEvents}.</p>
${barChart(
  'Exceptions',
  findings.map(({ what, decisions }) => ({
    label: what,
    value: decisions.length,
    href: '#exceptions-list',
  })),
)}<div id="exceptions-list"></div>
${table(['exception', 'subject', 'reason', 'by', 'detail', 'decision'], rows, 'exceptions.csv')}
<p>Not in the log: static Consul tokens (<code>scopemesh tokens --static</code>), a default policy that allows (<code>scopemesh doctor</code>), wildcards and foreign intentions that were never in the way, and how long no replica led (metrics).</p></section>`;
}

function actorsSection({ actors }: EvidenceReport, link: Link): string {
  const rows = actors.map(({ kind, clients, edges, aclObjects, scopes }) => [
    kind,
    String(clients),
    String(edges),
    String(aclObjects),
    breakableHtml(scopes.join(' ')),
  ]);
  const beyond = actors.flatMap(({ beyondHumans }) => beyondHumans);
  return `<section id="actors"><h2>Actor kinds side by side</h2>
${table(['kind', 'clients', 'edges', 'rules', 'scopes'], rows, 'access-review.csv')}
<h3>Agents that may call what no human client may call</h3>
<p>The log does not say for whom an agent acts, so this compares it with all human clients together.</p>
${table(
  ['edge', 'decision'],
  beyond.map(({ source, destination, decision }) => [
    breakableHtml(`${source} → ${destination}`),
    link(decision),
  ]),
  'evidence.json',
)}</section>`;
}

function integritySection({
  verified,
  signaturesChecked,
  fault,
  logs,
  checkpoints,
  decisions,
  unproven,
}: Integrity): string {
  const verdict =
    fault !== undefined
      ? `BROKEN at event ${fault.position}: ${escapeHtml(fault.kind)} ${escapeHtml(fault.id ?? '')}: ${escapeHtml(fault.detail)}`
      : verified
        ? `The chain of ${decisions} decisions is intact and signed, with ${checkpoints} checkpoints.`
        : signaturesChecked
          ? 'The log has no decision.'
          : `The chain of ${decisions} decisions is intact, but no signature was checked.`;
  const rows = logs.map(({ log, first, last, follows }) => [
    `<code>${escapeHtml(log)}</code>`,
    String(first),
    String(last),
    follows === undefined ? '–' : `${follows.size} of <code>${escapeHtml(follows.log)}</code>`,
  ]);
  return `<section id="integrity"><h2>Integrity of the log</h2><p class="${verified ? 'good' : 'bad'}">${verdict}</p>
<p>${unproven} messages of the topic that no key signed are left out. Check the decisions of the period yourself with a public key that you got elsewhere: <code>scopemesh decisions verify --input decisions.jsonl --key trail-key.pub</code>. The file begins with the last checkpoint before the period, or with the note with which the log begins.</p>
${table(['log', 'first', 'last', 'follows'], rows, 'evidence.json')}</section>`;
}

function appendix({ decisions }: EvidenceReport, cited: ReadonlyMap<string, Decision>): string {
  const rows = [...cited.values()].map(({ id, time, subject, outcome, reason, principal, cause }) => {
    const by = principal ?? cause.principal;
    const cells = [
      time,
      subject,
      outcome,
      reason,
      by === undefined ? '–' : principalText(by),
      cause.kind,
    ].map((cell) => `<td>${breakableHtml(cell)}</td>`);
    return `<tr id="d-${escapeHtml(id)}"><td><code>${escapeHtml(id)}</code></td>${cells.join('')}</tr>`;
  });
  const more = decisions.length - cited.size;
  return `<section id="decisions"><h2>Decisions</h2>
<p>${decisions.length} decisions of the period, newest first${more > 0 ? `; the oldest ${more} are only in <code>decisions.jsonl</code>` : ''}.</p>
<table><thead><tr>${['decision', 'time', 'subject', 'outcome', 'reason', 'by', 'cause'].map((each) => `<th>${each}</th>`).join('')}</tr></thead><tbody>${rows.join('')}</tbody></table></section>`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[], file: string): string {
  if (rows.length === 0) return '<p class="none">None.</p>';
  const more = rows.length - MAX_ROWS;
  const body = rows
    .slice(0, MAX_ROWS)
    .map((row) => `<tr>${row.map((cell) => `<td>${cell}</td>`).join('')}</tr>`);
  const rest = more > 0 ? `<p>${more} more are in <code>${file}</code>.</p>` : '';
  return `<table><thead><tr>${head.map((each) => `<th>${each}</th>`).join('')}</tr></thead><tbody>${body.join('')}</tbody></table>${rest}`;
}
