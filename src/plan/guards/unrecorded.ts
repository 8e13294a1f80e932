import { all, type LossGuard } from './guard.js';

/**
 * Holds every change of an edge that has the mark of scopemesh but no record, until a person approves it. Every writer
 * of an entry can write the mark. It comes before the mass guard, which never counts such an edge.
 */
export const unrecorded: LossGuard = ({ losses }) =>
  all(
    losses.filter(({ isUnrecorded, approvedBy }) => isUnrecorded === true && approvedBy === undefined),
    {
      do: 'hold',
      reason: 'MarkUnrecorded',
      detail:
        'this source has the mark of scopemesh, but scopemesh has no record of writing it, so somebody else may have; ' +
        'approve the change, or remove the source',
    },
  );
