import type { HistoryOptions, Trail, TrailParty } from '../decisions/trail.js';
import { ABOUT_KINDS, compareDecisions, type Decision } from '../model/decision.js';
import { indexLimits, refuseBehind } from './answer.js';
import { isAbout, readingsOf } from './what-can.js';

interface HistoryAnswer {
  readonly name: string;
  /** Oldest first. */
  readonly decisions: readonly Decision[];
  /** What the trail may lack, in sentences. */
  readonly unknown: readonly string[];
}

/**
 * The newest decisions about a name, oldest first: those of a subject, or those that name it as client, service, person or
 * principal. A client and a person may have the provider before it. Throws as `refuseBehind`.
 */
export async function historyOf(
  trail: Trail,
  name: string,
  {
    limit,
    ...options
  }: Omit<HistoryOptions, 'to'> & { readonly to?: string | undefined; readonly limit: number },
): Promise<HistoryAnswer> {
  const extent = await trail.extent();
  refuseBehind(extent, options.to);
  const found = new Map<string, Decision>();
  const take = async (decisions: AsyncIterable<Decision>, isOf: (decision: Decision) => boolean) => {
    let taken = 0;
    for await (const decision of decisions) {
      if (!isOf(decision)) continue;
      found.set(decision.id, decision);
      taken++;
      if (taken === limit) return;
    }
  };
  await take(trail.history({ subject: name }, options), () => true);
  for (const { provider, id } of readingsOf(name))
    for (const kind of ABOUT_KINDS)
      await take(trail.history({ kind, name: id }, options), (decision) =>
        names(decision, kind, provider, id),
      );
  return {
    name,
    decisions: [...found.values()].toSorted(compareDecisions).slice(-limit),
    unknown: [...indexLimits(extent, options.to)],
  };
}

function names(
  decision: Decision,
  kind: TrailParty['kind'],
  provider: string | undefined,
  id: string,
): boolean {
  if (kind === 'client' || kind === 'person') return isAbout(decision, kind, provider, id);
  const { resource, principal } = decision;
  const name = { source: resource.source, destination: resource.destination, principal: principal?.id }[kind];
  return provider === undefined && name === id;
}
