import { freezeText } from '../freeze.js';
import { all, type ChangeGuard, NONE } from './guard.js';

/** During a freeze only what narrows is made. Of a change that also widens, the narrowing part is.
 * What only a break-glass grant opens passes if the person who asked for it said so. */
export const freeze: ChangeGuard = ({ changes }, facts) =>
  facts.freeze === undefined
    ? NONE
    : all(
        changes.filter(
          ({ widens, narrows, breakGlass }) => (widens || !narrows) && breakGlass?.passesFreeze !== true,
        ),
        { do: 'hold-widening', reason: 'Frozen', detail: freezeText(facts.freeze) },
      );
