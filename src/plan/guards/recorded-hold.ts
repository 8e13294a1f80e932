import { type GuardVerdict, type Loss, type LossGuard, NONE } from './guard.js';

/**
 * A plan beside the daemon knows neither the removals of the window nor all rulings, so it holds what the daemon holds. An
 * edge without a record is left to the guard of such edges.
 */
export const recordedHold: LossGuard = ({ losses }, { recordedHolds }) => {
  if (recordedHolds === undefined || recordedHolds.size === 0) return NONE;
  const verdicts = new Map<Loss, GuardVerdict>();
  for (const loss of losses) {
    const detail = loss.isUnrecorded === true ? undefined : recordedHolds.get(loss.subject);
    if (detail !== undefined) verdicts.set(loss, { do: 'hold', reason: 'RevocationLimit', detail });
  }
  return verdicts;
};
