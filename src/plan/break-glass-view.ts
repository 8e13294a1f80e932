import type { BreakGlass } from '../model/break-glass.js';
import { principalText } from '../model/cause.js';
import { destinationKey, formatKey } from '../model/key.js';
import type { Mapping } from '../model/rule.js';
import { destinationOf } from '../model/ruling.js';
import { breakGlassState, endOf } from './break-glass.js';
import { parseLastAppliedText } from './last-applied.js';
import { intentionSubject } from './plan.js';

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
  };
}

export type BreakGlassView = ReturnType<typeof toBreakGlassView>;

/** Whether the record of its edge names the grant: the edge is open by it. */
export function opensEdge(
  glass: BreakGlass,
  records: { readonly of: (key: string) => ReadonlyMap<string, string> },
): boolean {
  const destination = destinationOf(glass);
  const { name, namespace, partition } = destination;
  const written = records.of(formatKey(destinationKey(name, namespace, partition)));
  const text = written.get(intentionSubject(destination, glass.source));
  return parseLastAppliedText(text)?.breakGlass.includes(glass.id) ?? false;
}
