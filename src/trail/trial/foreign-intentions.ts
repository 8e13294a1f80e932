import { compareText } from '../../model/compare-text.js';
import { covers } from '../../plan/access.js';
import { isOwned } from '../../plan/ownership.js';
import { type ActualAccess, intentionSubject } from '../../plan/plan.js';
import { allowsAnything } from '../../plan/precedence.js';
import { asAccess } from '../content.js';
import type { MeshNow } from './mesh-now.js';

/** An intention of others that allows more than the scopes do. Enforcing leaves it as it is. */
export interface ForeignIntention {
  readonly source: string;
  readonly destination: string;
  readonly access: ActualAccess;
}

/** Sources of peers are services of another mesh, and not listed. */
export function foreignIntentions(
  { entries, owner }: MeshNow,
  desired: ReadonlyMap<string, ActualAccess>,
): readonly ForeignIntention[] {
  return [...entries.values()]
    .flatMap(({ destination, sources }) =>
      sources.flatMap((source) => {
        if (source.peer !== undefined || isOwned(owner, source) || !allowsAnything(source.access)) return [];
        const ours = asAccess(desired.get(intentionSubject(destination, source.name)));
        if (covers(ours, asAccess(source.access))) return [];
        return { source: source.name, destination: destination.name, access: source.access };
      }),
    )
    .toSorted((a, b) => compareText(a.destination, b.destination) || compareText(a.source, b.source));
}
