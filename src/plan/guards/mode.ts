import { all, type ChangeGuard } from './guard.js';

/** Where nothing is written everything is held, and so shown. The planner itself holds what `extend` forbids. */
export const mode: ChangeGuard = ({ changes }, { policy }) =>
  policy.writes
    ? new Map()
    : all(changes, { do: 'hold', reason: 'ModeForbids', detail: 'mode is observe: nothing is written' });
