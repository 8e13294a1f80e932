import { all, type ChangeGuard } from './guard.js';

/**
 * Somebody undoes a correction again and again: say so instead of fighting. What narrows always passes, or whoever fights
 * scopemesh could keep an access open.
 */
export const contention: ChangeGuard = ({ changes, contendedText }, { isContended }) => {
  const contended = changes.filter(
    ({ reason, subject, widens, narrows }) =>
      reason === 'DriftCorrected' && (widens || !narrows) && isContended(subject),
  );
  return all(contended, { do: 'hold-widening', reason: 'Contended', detail: contendedText });
};
