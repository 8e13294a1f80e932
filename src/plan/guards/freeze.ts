import { freezeText } from '../freeze.js';
import { all, type ChangeGuard } from './guard.js';

/** During a freeze only what narrows is made. Of a change that also widens, the narrowing part is. */
export const freeze: ChangeGuard = ({ changes }, facts) =>
  facts.freeze === undefined
    ? new Map()
    : all(
        changes.filter(({ widens, narrows }) => widens || !narrows),
        { do: 'hold-widening', reason: 'Frozen', detail: freezeText(facts.freeze) },
      );
