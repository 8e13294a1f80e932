import type { Clock } from '../src/clock.js';
import type { MappingAgreement } from '../src/daemon/mapping-agreement.js';
import type { Logger } from '../src/observe.js';
import { repeatSteps } from '../src/repeat.js';

/** A standby that began less than this before the leader died counts as one that began after it. */
const FOLLOW_MS = 1_000;
const RETRY_MS = 1_000;
const MESSAGE = 'the mapping in force cannot be compared or noted in the store; scopemesh tries again';

/** Compares the mapping of this leader with the last leader's, then calls `begun`, and follows it until the signal aborts. */
export async function runMapping(
  agreement: MappingAgreement,
  begun: () => void,
  deps: { readonly clock: Clock; readonly logger: Logger },
  signal: AbortSignal,
): Promise<void> {
  let isBegun = false;
  const step = async () => {
    if (!isBegun) await agreement.begin();
    isBegun = true;
    begun();
    await agreement.follow();
    return FOLLOW_MS;
  };
  await repeatSteps({ message: MESSAGE, pauseMs: RETRY_MS }, step, deps, signal);
  if (isBegun) await agreement.leave().catch(() => {});
}
