import type { Cause } from '../model/cause.js';
import type { DecidedPerson, Resource } from '../model/decision.js';
import { parseKey } from '../model/key.js';
import { plainDecision } from '../model/plain-decision.js';
import type { Trigger } from '../model/trigger.js';
import { type GoneEdge, goneEdges } from '../plan/gone-edges.js';
import { REMOVED } from '../plan/last-applied.js';
import { missingDenies } from '../plan/missing-denies.js';
import type { PlannedClient } from '../plan/plan.js';
import type { SettledDecision } from '../queue/journal.js';
import { inputOf } from '../state/fleet.js';
import { clientOf, viewOf } from './decision-drafts.js';
import { type GoneDeps, type HoldDeps, stampOf } from './deps.js';
import { announceSettled } from './settle.js';

const DETAIL =
  'this intention is not in Consul any more, and the store has no record of its removal; nothing wants it any more, so scopemesh does not put it back';
const UNCERTAIN =
  'this intention is not in Consul, and perhaps it was never written: the outcome of its write is unknown; nothing wants it any more, so scopemesh does not write it';

/** What was written, is not in Consul and is not wanted any more. */
export interface Gone {
  readonly subject: string;
  readonly resource: Resource;
  readonly client?: PlannedClient;
  readonly person?: DecidedPerson;
  readonly scopes: readonly string[];
  /** As decisions show it. */
  readonly before: unknown;
  readonly detail: string;
}

/**
 * Records that edges are gone, and that each counts as removed from now on: if an older state of Consul brings it back, it is
 * still an edge of scopemesh and is closed.
 */
export async function recordGone(
  key: string,
  gone: readonly GoneEdge[],
  cause: Cause,
  deps: HoldDeps,
): Promise<void> {
  const removed = new Map(gone.map(({ subject }) => [subject, REMOVED]));
  const all = gone.map(({ isUncertain, before, ...edge }) => ({
    ...edge,
    before: viewOf(before),
    detail: isUncertain ? UNCERTAIN : DETAIL,
  }));
  await settleGone(key, all, removed, cause, deps);
}

/** Records it with what the key has applied last from now on; null: nothing of the subject. */
export async function settleGone(
  key: string,
  gone: readonly Gone[],
  lastApplied: ReadonlyMap<string, string | null>,
  cause: Cause,
  deps: GoneDeps,
): Promise<void> {
  if (gone.length === 0) return;
  const stamp = stampOf(deps);
  // The principal of the cause changed something at the provider. Who wrote to Consul is not known.
  const { principal: _, ...seen } = cause;
  const decisions = gone.map(
    ({ subject, resource, client, person, scopes, before, detail }): SettledDecision => ({
      ...plainDecision(
        {
          resource,
          verb: 'deleted',
          subject,
          action: 'revoke',
          outcome: 'observed',
          reason: 'RemovedElsewhere',
          cause: seen,
          detail,
          before,
          after: null,
        },
        stamp,
      ),
      ...(client === undefined ? {} : { client: clientOf(client) }),
      ...(person === undefined ? {} : { person }),
      scopes,
    }),
  );
  await deps.journal.settle(key, decisions, { lastApplied });
  const known = [...deps.world.records.of(key), ...lastApplied];
  deps.world.rememberWritten(
    key,
    new Map(
      [...new Map(known)].flatMap(([subject, text]) => (text === null ? [] : [[subject, text] as const])),
    ),
  );
  for (const { id, subject } of decisions)
    deps.logger.info(
      { subject, decision: id },
      'what scopemesh wrote is missing in Consul, and nothing wants it any more; it counts as removed',
    );
  announceSettled(decisions, deps);
}

/** The destinations with such edges, or with denies to put back. Nothing else may name one whose whole entry is gone. */
export function goneTriggers(
  cause: Cause,
  { world, clock }: Pick<HoldDeps, 'world' | 'clock'>,
): readonly Trigger[] {
  const now = clock.now();
  return [...world.records.keys()].flatMap((text) => {
    const key = parseKey(text);
    if (key?.kind !== 'destination') return [];
    const { partition, namespace, service: name } = key;
    const input = inputOf(world, { partition, namespace, name }, now);
    return goneEdges(input).length + missingDenies(input).length > 0 ? [{ key, cause }] : [];
  });
}
