import { all, type ChangeGuard } from './guard.js';

/**
 * If another writer repeatedly reverts a correction, hold it and report it. Narrowing changes always pass, otherwise the
 * other writer could keep access open.
 */
export const contention: ChangeGuard = ({ changes, contendedText }, { isContended }) => {
  const contended = changes.filter(
    ({ reason, subject, widens, narrows }) =>
      reason === 'DriftCorrected' && (widens || !narrows) && isContended(subject),
  );
  return all(contended, { do: 'hold-widening', reason: 'Contended', detail: contendedText });
};
