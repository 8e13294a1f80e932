import { all, type ChangeGuard, NONE } from './guard.js';

/**
 * Before the first complete read of Consul nothing opens: quarantines, foreign intentions and claims may be unknown. The complete
 * comparison plans again what is left out.
 */
export const narrowsOnly: ChangeGuard = ({ changes }, facts) =>
  facts.narrowsOnly === true
    ? all(
        changes.filter(({ widens, narrows }) => widens || !narrows),
        { do: 'wait-widening' },
      )
    : NONE;
