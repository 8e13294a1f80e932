import { type Clock, steadyClock } from '../clock.js';
import { withLinkedSignal } from '../linked-signal.js';
import type { Logger } from '../observe.js';
import type { Lease } from './lease.js';
import { ledByDaemon } from './refusals.js';
import { LeaseTerm, type Term } from './term.js';

const ATTEMPT_MS = 10_000;
const AGAIN_MS = 300;
/** Another process was about to lead: it does by then, if it was not silent. */
const SPARE_MS = 1_500;

/** A command that writes. `end` releases the lease. */
interface CommandTerm {
  readonly term: Term;
  end(): Promise<void>;
}

/** Leads for the time of a command. Throws ERR_LEASE_HELD, with the name of the leader, if another process leads. */
export async function leadOnce(
  lease: Lease,
  runtime: { readonly clock: Clock; readonly logger: Logger },
  signal: AbortSignal,
): Promise<CommandTerm> {
  const clock = steadyClock(runtime.clock);
  const until = clock.now() + lease.silentMs + SPARE_MS;
  for (;;) {
    const askedAt = clock.now();
    const acquired = await withLinkedSignal([signal], (attempt) => lease.acquire(attempt), ATTEMPT_MS);
    if (acquired.kind === 'refused') throw acquired.error;
    if (acquired.kind === 'leads') {
      const term = new LeaseTerm(lease, acquired, signal, askedAt, { ...runtime, clock });
      const over = new AbortController();
      const kept = term.keep(over.signal);
      return {
        term,
        async end() {
          over.abort();
          await kept;
          await term.handOver();
        },
      };
    }
    if (acquired.leader !== undefined || clock.now() >= until) throw ledByDaemon(acquired.leader);
    await clock.sleep(AGAIN_MS, signal);
  }
}
