import type { Decision, Reason } from '../../model/decision.js';
import { fieldOf } from '../../model/field-of.js';
import { type Citation, cite } from '../edge.js';

/** What an auditor should ask about. */
export interface Exceptions {
  readonly findings: readonly ExceptionFinding[];
  /** Events that were not believed; each is a decision of its own. */
  readonly refusedEvents: number;
  /** Complete comparisons with Consul, and the longest time without one. */
  readonly comparisons: number;
  readonly longestGapMs: number;
  /** What the last comparison counted in Consul, beside what the trail shows at that instant. */
  readonly lastComparison?: {
    readonly ownedEdges: number;
    readonly trailEdges: number;
    readonly citation: Citation;
  };
}

interface ExceptionFinding {
  readonly what: string;
  readonly decisions: readonly (Citation & { readonly subject: string })[];
}

const BY_REASON: readonly (readonly [what: string, reasons: readonly Reason[]])[] = [
  [
    'A foreign intention or object was in the way',
    ['ForeignSource', 'ForeignObject', 'ManagedElsewhere', 'LegacyEntry'],
  ],
  ['A wildcard would have allowed what ended, so a deny was written', ['WildcardWouldAllow']],
  [
    'Somebody changed what scopemesh wrote',
    ['DriftCorrected', 'RemovedElsewhere', 'MarkLost', 'Contended', 'MarkUnrecorded'],
  ],
  [
    'A directory or a client could not be read',
    ['IncompleteRead', 'ClientUnreadable', 'EntryUnreadable', 'RevocationUnconfirmed'],
  ],
  ['The mass guard held removals', ['RevocationLimit']],
  ['A client was in quarantine', ['ClientQuarantined']],
  ['A person denied an edge, or that ended', ['PersonDenied', 'DenyEnded']],
  ['A freeze began or ended', ['FreezeStarted', 'FreezeEnded']],
  [
    'A break-glass grant was asked for, opened an edge, was still open, or ended',
    ['BreakGlassAsked', 'BreakGlass', 'BreakGlassReminder', 'BreakGlassEnded', 'BreakGlassRefused'],
  ],
  ['The configuration was changed, or a new one was refused', ['ConfigReloaded', 'ConfigRefused']],
  ['Another replica began to lead', ['LeaderChanged']],
  ['A leader with another mapping than the last one held what it would open', ['MappingDiffers']],
];

export function findExceptions({
  decisions,
  comparedEdges,
  sweeps,
  refusedEvents,
  from,
  to,
}: {
  /** Newest first, as the sweeps. */
  readonly decisions: readonly Decision[];
  /** Open edges by the trail at the last comparison. */
  readonly comparedEdges: number;
  readonly sweeps: readonly Decision[];
  readonly refusedEvents: number;
  readonly from: string;
  readonly to: string;
}): Exceptions {
  const oldestFirst = decisions.toReversed();
  const finding = (what: string, isOf: (decision: Decision) => boolean): ExceptionFinding => ({
    what,
    decisions: oldestFirst.filter(isOf).map((decision) => ({ ...cite(decision), subject: decision.subject })),
  });
  const instants = [from, ...sweeps.map(({ time }) => time).toReversed(), to].map((time) => Date.parse(time));
  const gaps = instants.slice(1).map((instant, index) => instant - (instants[index] ?? instant));
  const [last] = sweeps;
  const ownedEdges = last && ownedEdgesIn(last);
  return {
    findings: [
      ...BY_REASON.map(([what, reasons]) => finding(what, ({ reason }) => reasons.includes(reason))),
      finding('Consul refused a write, or a write failed', ({ outcome }) => outcome === 'failed'),
      finding('A crash left the outcome of a write unknown', ({ outcome }) => outcome === 'unknown'),
    ],
    refusedEvents,
    comparisons: sweeps.length,
    longestGapMs: Math.max(0, ...gaps),
    ...(last === undefined || ownedEdges === undefined
      ? {}
      : { lastComparison: { ownedEdges, trailEdges: comparedEdges, citation: cite(last) } }),
  };
}

function ownedEdgesIn({ after }: Decision): number | undefined {
  const count = fieldOf(after, 'ownedEdges');
  return typeof count === 'number' ? count : undefined;
}
