import type { BreakGlass } from '../model/break-glass.js';
import { principalText } from '../model/cause.js';
import type { Mapping } from '../model/rule.js';
import { breakGlassState, endOf } from './break-glass.js';

/** A grant as decisions, `/statusz` and commands show it. */
export function toBreakGlassView(
  glass: BreakGlass,
  mapping: Pick<Mapping, 'breakGlass' | 'approvers'>,
  now: number,
) {
  const { id, source, destination, partition, namespace, methods, path, reason, duringFreeze } = glass;
  const instant = (at: number | undefined) => (at === undefined ? null : new Date(at).toISOString());
  const end = glass.openedAt === undefined ? undefined : endOf(glass, mapping.breakGlass ?? { longestMs: 0 });
  return {
    id,
    source,
    destination,
    partition,
    namespace,
    methods: methods ?? null,
    path: path ?? null,
    state: breakGlassState(glass, mapping, now),
    reason,
    forSeconds: glass.forMs / 1000,
    duringFreeze,
    askedAt: instant(glass.askedAt),
    askedBy: principalText(glass.askedBy),
    openedAt: instant(glass.openedAt),
    approvedBy: glass.approvedBy === undefined ? null : principalText(glass.approvedBy),
    until: instant(glass.endedAt ?? end),
    isAdopted: glass.isAdopted === true,
  };
}

export type BreakGlassView = ReturnType<typeof toBreakGlassView>;
