import { noteTokens } from '../src/acl/job/token-counts.js';
import { IncompleteRead, isOverload, messageOf } from '../src/errors.js';
import type { Notifier } from '../src/notifier.js';
import type { Agenda } from '../src/queue/agenda.js';
import type { ReconcilerDeps } from '../src/reconcile/deps.js';
import { sweep } from '../src/reconcile/sweep.js';
import { Outage, repeat } from '../src/repeat.js';

const CONSUL = { kind: 'consul' } as const;

/** The complete comparison with Consul, at an interval and on request. It finds every change that a watch missed. */
export async function runResync(
  deps: ReconcilerDeps,
  agenda: Pick<Agenda, 'hurry'>,
  intervalMs: number,
  swept: (at: number) => void,
  asked: Notifier,
  signal: AbortSignal,
): Promise<void> {
  const outage = new Outage();
  await repeat(
    intervalMs,
    async () => {
      try {
        // Parked keys are tried too.
        agenda.hurry();
        const summary = await sweep(deps, signal);
        swept(deps.clock.now());
        outage.ends(deps.clock.now());
        deps.reads.succeeded(CONSUL, 'comparison');
        deps.logger.info({ ...summary }, 'complete comparison with Consul done');
        await noteTokens(deps, signal);
        return 'done';
      } catch (error) {
        if (signal.aborted) return { failed: true };
        if (isOverload(error) || error instanceof IncompleteRead)
          deps.reads.failed(CONSUL, 'comparison', messageOf(error), deps.clock.now());
        if (outage.begins(deps.clock.now()))
          deps.logger.warn(
            { error: messageOf(error) },
            'the complete comparison with Consul failed and changed nothing; scopemesh tries again',
          );
        return { failed: true };
      }
    },
    deps.clock,
    signal,
    undefined,
    asked,
  );
}
