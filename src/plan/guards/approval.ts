import { principalText } from '../../model/cause.js';
import type { GuardVerdict, Loss, LossGuard, Rejection } from './guard.js';

/** A ruling of a person has priority over the other guards of losses: an approved loss passes, and a rejected one is held. */
export const approval: LossGuard = ({ losses }, { rulings }) => {
  const verdicts = new Map<Loss, GuardVerdict>();
  for (const loss of losses) {
    const ruling = rulings.get(loss.subject);
    if (ruling === undefined) continue;
    const detail = `${rejectedText(ruling)}; the access is kept`;
    verdicts.set(
      loss,
      ruling.verdict === 'approved'
        ? { do: 'approve', by: ruling.by }
        : { do: 'hold', reason: loss.hold.reason, detail },
    );
  }
  return verdicts;
};

/** As views show who rejected a removal; null if nobody did. */
export function rejecterOf(rejection: Rejection | undefined): string | null {
  return rejection === undefined ? null : principalText(rejection.by);
}

export function rejectedText({ by, at }: Rejection): string {
  return `${principalText(by)} rejected this removal at ${at}`;
}
