import type { Loss, LossGuard, Rejection, Verdict } from './guard.js';

/** A person's word comes before the limit: an approved loss passes, a rejected one is kept whatever the limit allows. */
export const approval: LossGuard = ({ losses }, { rulings }) => {
  const verdicts = new Map<Loss, Verdict>();
  for (const loss of losses) {
    const ruling = rulings.get(loss.subject);
    if (ruling === undefined) continue;
    const detail = `${rejectedText(ruling)}; the access is kept`;
    verdicts.set(
      loss,
      ruling.verdict === 'approved'
        ? { do: 'approve', by: ruling.by }
        : { do: 'hold', reason: 'RevocationLimit', detail },
    );
  }
  return verdicts;
};

export function rejectedText({ by, at }: Rejection): string {
  return `${by.id} rejected this removal at ${at}`;
}
