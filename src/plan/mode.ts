import type { Mapping, Mode } from '../model/rule.js';

/** What a mode allows scopemesh to write. Plans and jobs use this, never the mode itself. */
export interface WritePolicy {
  /** Whether anything is written. If not, plans show what `enforce` would do, and all changes are held. */
  readonly writes: boolean;
  /** Whether plans remove access. If not, narrowing changes are held. */
  readonly plansNarrowing: boolean;
  /** Whether anything that exists is narrowed, replaced or removed: records, entries, objects, tokens and sessions. */
  readonly removes: boolean;
}

/** The detail of what `extend` does not make. */
export const EXTEND_FORBIDS = 'mode is extend: nothing is narrowed or deleted';

const POLICIES: Readonly<Record<Mode, WritePolicy>> = {
  observe: { writes: false, plansNarrowing: true, removes: false },
  extend: { writes: true, plansNarrowing: false, removes: false },
  enforce: { writes: true, plansNarrowing: true, removes: true },
};

export function policyOf({ mode }: Pick<Mapping, 'mode'>): WritePolicy {
  return POLICIES[mode];
}
