import { type ChangeGuard, type GuardVerdict, NONE } from './guard.js';

const DETAIL =
  'this leader took over with another mapping than the last leader had, and its mapping may be the older one; ' +
  'give every replica the same file, or approve the change';

/**
 * After a takeover with another mapping than the last leader had, what the mapping would open waits until the files agree or
 * a person approves. What scopemesh had written already, and what a person opened, passes.
 */
export const mappingDiffers: ChangeGuard = ({ changes, toHold }, { doubt }) => {
  if (doubt === undefined) return NONE;
  const opening = changes.filter(
    ({ subject, reason, widens, narrows, breakGlass }) =>
      (widens || !narrows) &&
      reason !== 'DriftCorrected' &&
      breakGlass === undefined &&
      doubt.isHeld(subject),
  );
  return new Map(
    opening.map((change): [typeof change, GuardVerdict] => {
      const by = doubt.approvedBy(toHold(change, 'MappingDiffers', DETAIL));
      return [
        change,
        by === undefined
          ? { do: 'hold-widening', reason: 'MappingDiffers', detail: DETAIL }
          : { do: 'approve', by },
      ];
    }),
  );
};
