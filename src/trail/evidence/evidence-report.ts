import type { Trail, TrailExtent } from '../../decisions/trail.js';
import { configError } from '../../errors.js';
import { compareText } from '../../model/compare-text.js';
import type { Decision } from '../../model/decision.js';
import { definedFields } from '../../model/defined-fields.js';
import { openAnswer } from '../answer.js';
import { isPossiblyOpen } from '../edge.js';
import { readEdges, readSubjectStates } from '../read-subject-state.js';
import { isChange, isThere } from '../subject-state.js';
import { toObject } from '../what-can.js';
import { type ActorSummary, summariseActors } from './actors.js';
import { type Exceptions, findExceptions } from './exceptions.js';
import { type HeldChange, toHeldChanges } from './held-changes.js';
import { type Latencies, toLatencies } from './latencies.js';
import { type ClientMove, toMoves } from './moves.js';
import type { ReviewedEdge, ReviewedObject } from './reviewed.js';

export interface EvidenceReport {
  readonly owner: string;
  /** ISO 8601 in UTC. */
  readonly period: { readonly from: string; readonly to: string };
  readonly extent: TrailExtent;
  /** Decisions of the period by outcome. */
  readonly outcomes: Readonly<Record<string, number>>;
  readonly edges: readonly ReviewedEdge[];
  readonly acl: readonly ReviewedObject[];
  readonly quarantined: readonly ReviewedObject[];
  readonly moves: readonly ClientMove[];
  readonly revocations: Latencies;
  readonly grants: Latencies;
  readonly held: readonly HeldChange[];
  readonly exceptions: Exceptions;
  readonly actors: readonly ActorSummary[];
  /** Every decision of the period about access, newest first. */
  readonly decisions: readonly Decision[];
}

/** Rejected events and sweeps are counted, not listed. */
const NOT_LISTED: ReadonlySet<string> = new Set(['event', 'sweep']);

/** They are in memory together: with their texts in the files some kilobytes each. */
const MAX_DECISIONS = 200_000;

/**
 * Collects the evidence of a period. The same trail gives the same evidence. Throws SyncError ERR_CONFIG for a period with
 * more decisions than `most`.
 */
export async function collectEvidence(
  trail: Trail,
  {
    owner,
    from,
    to,
    most = MAX_DECISIONS,
  }: { readonly owner: string; readonly from: string; readonly to: string; readonly most?: number },
): Promise<EvidenceReport> {
  await openAnswer(trail, from);
  const { index, ...extent } = (await openAnswer(trail, to)).extent;
  if (index !== undefined && (index.broken !== undefined || index.gaps.some(({ after }) => after <= to)))
    throw configError(
      'the local index lacks decisions of the topic, so it proves nothing: add --from-topic, or make a new index if the topic still has them',
    );
  // What came meanwhile is not in it, and a later report of this period would have other bytes.
  if (index !== undefined && to > index.until)
    throw configError(
      `the local index of the topic ends at ${index.until}: let the period end there, or add --from-topic`,
    );
  const decisions: Decision[] = [];
  const sweeps: Decision[] = [];
  const outcomes = new Map<string, number>();
  let refusedEvents = 0;
  for await (const decision of trail.history('all', { from, to })) {
    const { outcome, resource } = decision;
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    if (resource.kind === 'event') refusedEvents++;
    if (resource.kind === 'sweep') sweeps.push(decision);
    if (!NOT_LISTED.has(resource.kind)) decisions.push(decision);
    if (decisions.length + sweeps.length > most)
      throw configError(
        `the period has more than ${most} decisions, too many for one report; write several reports of shorter periods`,
      );
  }
  const { edges, acl, quarantined } = await review(trail, to);
  const before = await review(trail, from);
  const applied = decisions.filter(({ outcome }) => outcome === 'applied');
  const [lastSweep] = sweeps;
  // What came after the last comparison is not in its count.
  const compared = lastSweep === undefined ? [] : await openEdges(trail, lastSweep.time);
  return {
    owner,
    period: { from, to },
    extent,
    outcomes: Object.fromEntries([...outcomes].toSorted(([a], [b]) => compareText(a, b))),
    edges,
    acl,
    quarantined,
    moves: toMoves(
      before,
      { edges, acl },
      decisions.filter((each) => each.reason !== 'Found' && (each.outcome === 'applied' || isChange(each))),
    ),
    revocations: toLatencies(applied.filter(({ action }) => action === 'revoke')),
    grants: toLatencies(applied.filter(({ action }) => action === 'grant')),
    held: toHeldChanges(decisions),
    exceptions: findExceptions({
      decisions,
      comparedEdges: compared.length,
      sweeps,
      refusedEvents,
      from,
      to,
    }),
    actors: summariseActors(edges, acl),
    decisions,
  };
}

/** What was there at an instant, sorted by subject. */
async function review(
  trail: Trail,
  at: string,
): Promise<Pick<EvidenceReport, 'edges' | 'acl' | 'quarantined'>> {
  const edges = await openEdges(trail, at);
  const objects = async (prefix: string) => {
    const found: ReviewedObject[] = [];
    for await (const state of readSubjectStates(trail, { prefix }, at)) {
      if (!isThere(state, state.content)) continue;
      const { client, person } = state;
      found.push({ ...toObject(state), ...definedFields({ client, person }) });
    }
    return found;
  };
  return { edges, acl: await objects('acl-'), quarantined: await objects('client/') };
}

async function openEdges(trail: Trail, at: string): Promise<readonly ReviewedEdge[]> {
  const edges: ReviewedEdge[] = [];
  for await (const edge of readEdges(trail, { prefix: 'intention/' }, at))
    if (isPossiblyOpen(edge)) edges.push({ ...edge, reason: (edge.since ?? edge.decision).reason });
  return edges;
}
