import type { Mapping, Mode } from '../model/rule.js';

/** What a mode lets scopemesh write. Plans and jobs ask this, never the mode itself. */
export interface WritePolicy {
  /** Whether anything is written. Where nothing is, plans show what `enforce` would do, and all of it is held. */
  readonly writes: boolean;
  /** Whether plans take access away. Where they do not, what would narrow is held. */
  readonly plansNarrowing: boolean;
  /** Whether anything that exists is narrowed, replaced or removed: records, entries, objects, tokens and sessions. */
  readonly removes: boolean;
}

const POLICIES: Readonly<Record<Mode, WritePolicy>> = {
  observe: { writes: false, plansNarrowing: true, removes: false },
  extend: { writes: true, plansNarrowing: false, removes: false },
  enforce: { writes: true, plansNarrowing: true, removes: true },
};

export function policyOf({ mode }: Pick<Mapping, 'mode'>): WritePolicy {
  return POLICIES[mode];
}
