import { z } from 'zod';
import type { Config } from '../../config/config.js';
import { hasDecisionLog } from '../app/has-decision-log.js';
import type { KnownHold, KnownHolds } from '../app/plan-view.js';
import { principalText } from '../model/cause.js';
import { type Decision, HOLD_REASONS } from '../model/decision.js';
import { holdKey } from '../plan/holds.js';
import type { Cli } from './cli.js';
import type { DaemonClient } from './daemon-client.js';
import { readDecisions } from './read-decision-log.js';

export interface LoggedHolds {
  /** Those that no later decision of the log ends. */
  readonly open: KnownHolds;
  /** The IDs of the decisions of all holds, also of those that ended. */
  readonly ids: ReadonlySet<string>;
}

const StatusHolds = z.object({
  holds: z.array(
    z.object({
      subject: z.string(),
      reason: z.enum(HOLD_REASONS),
      decisionId: z.string(),
      rejectedBy: z.string().nullable().default(null),
      since: z.string(),
      detail: z.string().optional(),
    }),
  ),
  holdsAfter: z.string().nullable().default(null),
});
/** A page has 1,000 holds. */
const MAX_PAGES = 1_000;

/** The log may be long, and IDs are only an addition to what a command prints. */
const LOG_TIMEOUT_MS = 5_000;

/** The recorded holds: from the running daemon, otherwise from the decision log. Undefined where neither can be read. */
export async function findKnownHolds(
  config: Config,
  daemon: Pick<DaemonClient, 'status' | 'read'> | undefined,
  cli: Cli,
): Promise<KnownHolds | undefined> {
  const first = StatusHolds.safeParse(daemon?.status);
  if (daemon !== undefined && first.success) return readPages(first.data, daemon);
  if (!hasDecisionLog(config)) return undefined;
  const timeout = AbortSignal.timeout(LOG_TIMEOUT_MS);
  try {
    const stop = AbortSignal.any([cli.signal, timeout]);
    return (await holdsIn(readDecisions(config, cli, { from: 'start', follow: false }, stop))).open;
  } catch {
    cli.signal.throwIfAborted();
    return undefined;
  }
}

/** A page that cannot be read ends the list: IDs are only an addition. */
async function readPages(
  first: z.infer<typeof StatusHolds>,
  daemon: Pick<DaemonClient, 'read'>,
): Promise<KnownHolds> {
  const known = new Map<string, KnownHold>();
  let page: typeof first | undefined = first;
  for (let count = 0; page !== undefined && count < MAX_PAGES; count++) {
    for (const hold of page.holds) known.set(holdKey(hold), hold);
    const after: string = encodeURIComponent(page.holdsAfter ?? '');
    page = after === '' ? undefined : await daemon.read(`/statusz?holdsAfter=${after}`, StatusHolds);
  }
  return known;
}

export async function holdsIn(decisions: AsyncIterable<Decision> | Iterable<Decision>): Promise<LoggedHolds> {
  type Held = Omit<KnownHold, 'reason'>;
  const bySubject = new Map<string, Map<string, Held>>();
  const ids = new Set<string>();
  for await (const { id, type, time, subject, outcome, reason, principal, detail } of decisions) {
    const holds = bySubject.get(subject);
    if (outcome === 'held') {
      ids.add(id);
      const held = { decisionId: id, rejectedBy: null, since: time, detail };
      bySubject.set(subject, (holds ?? new Map<string, Held>()).set(reason, held));
      continue;
    }
    // Most subjects are never held.
    if (holds === undefined) continue;
    const before = holds.get(reason);
    if (type.endsWith('.rejected') && before !== undefined)
      holds.set(reason, {
        ...before,
        rejectedBy: principal === undefined ? 'unknown' : principalText(principal),
      });
    // The end of a hold does not say which one ended. One that begins at the same moment takes its place.
    else if (outcome === 'applied' || reason === 'HoldEnded')
      for (const [each, hold] of holds) if (hold.since < time) holds.delete(each);
  }
  const open = new Map<string, KnownHold>();
  for (const [subject, holds] of bySubject)
    for (const [each, hold] of holds) {
      const reason = HOLD_REASONS.find((one) => one === each);
      if (reason !== undefined) open.set(holdKey({ subject, reason }), { ...hold, reason });
    }
  return { open, ids };
}
