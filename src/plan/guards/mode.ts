import { all, type ChangeGuard, NONE } from './guard.js';

/** In a mode that writes nothing, every change is held. The planner itself holds what `extend` forbids. */
export const mode: ChangeGuard = ({ changes }, { policy }) =>
  policy.writes
    ? NONE
    : all(changes, { do: 'hold', reason: 'ModeForbids', detail: 'mode is observe: nothing is written' });
