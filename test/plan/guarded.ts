import { guardableEdges } from '../../src/plan/guards/edges.js';
import type { GuardFacts } from '../../src/plan/guards/guard.js';
import { type Guarded, guard } from '../../src/plan/guards/guards.js';
import { policyOf } from '../../src/plan/mode.js';
import type { Change, Plan } from '../../src/plan/plan.js';

export const NOTHING_IN_THE_WAY: GuardFacts = {
  policy: policyOf({ mode: 'enforce' }),
  rulings: new Map(),
  budget: undefined,
  isContended: () => false,
  freeze: undefined,
  opening: new Set(),
  isStoreLow: false,
};

/** The plan of a destination after the guards. */
export function guarded(
  plan: Plan,
  facts: Partial<GuardFacts> = {},
  sizeAfter?: (changes: readonly Change[]) => number,
): Guarded<Change, Plan> {
  return guard(guardableEdges(plan, sizeAfter), { ...NOTHING_IN_THE_WAY, ...facts });
}
