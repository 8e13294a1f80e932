import { GRANTS } from '../../operator/break-glass.js';
import { readFreeze, toFreezeView } from '../../operator/freezes.js';
import { readRulings } from '../../operator/ruling-store.js';
import { breakGlassState } from '../../plan/break-glass.js';
import { isApprovable } from '../../plan/holds.js';
import { policyOf as writePolicyOf } from '../../plan/mode.js';
import { runCooperatively } from '../../run-cooperatively.js';
import type { Status } from '../answers.js';
import { heldIn } from './held.js';
import { beginAnswer, type ConsoleParts } from './parts.js';

/** `GET /api/status`: what is going on now. */
export async function readNow(parts: ConsoleParts, signal: AbortSignal): Promise<Status> {
  const head = await beginAnswer(parts);
  const { config, store } = parts;
  const { deps, queue: durable } = parts.live();
  const { world, journal, clock, acl } = deps;
  const [queue, lease, freeze, grants, records] = await Promise.all([
    durable.state(),
    store.fence.read(),
    readFreeze({ journal: store.journal, world, clock }),
    readRulings(GRANTS, { journal: store.journal, world }),
    journal.readAll(),
  ]);
  const holds = await runCooperatively(heldIn(records), signal);
  const now = clock.now();
  const age = (at: number | undefined) => (at === undefined ? null : (now - at) / 1000);
  const status = {
    ...head,
    leader:
      lease === undefined
        ? null
        : {
            replica: lease.leader.replica,
            host: lease.leader.host,
            address: lease.leader.address ?? null,
          },
    mode: world.mapping.mode,
    frozen: toFreezeView(freeze),
    waiting: {
      holds: holds.length,
      approvals: holds.filter(({ reason }) => isApprovable(reason)).length,
      quarantines: [...world.view(now).clientBlocks.values()].filter((block) => block === 'ClientQuarantined')
        .length,
      breakGlass: grants.filter(
        (each) => breakGlassState(each, world.mapping, world.breakGlass.timeAt(now)) !== 'ended',
      ).length,
    },
    ownedEdges: world.owned.count,
    directories: config.providers.map(({ name }) => {
      const ageSeconds = age(world.directories.readAt(name));
      const isLate = isLateRead(ageSeconds, 'directory');
      return { provider: name, ageSeconds, clients: world.clients(name).size, isLate };
    }),
    queue: {
      waiting: queue.waiting,
      delayed: queue.delayed,
      active: queue.active,
      parked: queue.parked.length,
    },
    defaultAllow: policyOf(acl.defaultPolicy),
  };
  return { ...status, findings: [...findingsOf(status, parts)] };
}

/** Older than this, as the alerts have it. */
export const LATE_SECONDS = { watch: 90, comparison: 900, directory: 7_800 };

/** `ageSeconds`: null if it was never read. */
export function isLateRead(ageSeconds: number | null, of: keyof typeof LATE_SECONDS): boolean {
  return ageSeconds === null || ageSeconds > LATE_SECONDS[of];
}

function policyOf(policy: 'allow' | 'deny' | 'unknown' | undefined): boolean | null {
  return policy === undefined || policy === 'unknown' ? null : policy === 'allow';
}

const MAX_NAMED = 20;

/** What somebody should look at, the worst first; each goes away by itself once it is mended. */
function* findingsOf(
  { defaultAllow, frozen, queue }: Omit<Status, 'findings'>,
  { live }: ConsoleParts,
): Iterable<Status['findings'][number]> {
  const { deps } = live();
  const { world, reads, consul, clock } = deps;
  const now = clock.now();
  if (defaultAllow === true)
    yield {
      what: 'The mesh allows what no intention denies: everything may call everything.',
      since: null,
      remedy: 'Set acl.default_policy to deny, or write a deny intention from * to *.',
    };
  for (const { side, seconds, why } of reads.unread(now))
    yield {
      what: `${side === 'consul' ? 'Consul' : side} cannot be read: ${why}`,
      since: new Date(now - seconds * 1000).toISOString(),
      remedy: 'Run scopemesh doctor: it says what is in the way.',
    };
  for (const { kind, name, detail } of consul.unreadable().slice(0, MAX_NAMED))
    yield {
      what: `The ${kind} ${name} cannot be read: ${detail}`,
      since: null,
      remedy: 'Correct it in Consul; until then nothing opens there.',
    };
  if (queue.parked > 0)
    yield {
      what: `${queue.parked} keys failed too often and are parked.`,
      since: null,
      remedy: 'Mend the cause, then run scopemesh parked retry.',
    };
  if (world.mappingDoubt.former !== undefined)
    yield {
      what: 'The mapping is another one than that of the last leader, and nobody confirmed it.',
      since: null,
      remedy: 'Give every replica the same file; approve what is held as MappingDiffers.',
    };
  if (world.owned.unrecorded > 0)
    yield {
      what: `${world.owned.unrecorded} intentions have the mark of scopemesh and no record of it.`,
      since: null,
      remedy: 'Approve what is held as MarkUnrecorded, or remove the intentions.',
    };
  if (frozen !== null)
    yield {
      what: 'A freeze holds what would open access.',
      since: frozen.since,
      remedy: 'scopemesh freeze end',
    };
  if (!writePolicyOf(world.mapping).writes)
    yield {
      what: 'Mode observe: nothing is written.',
      since: null,
      remedy: 'Set mode to extend or enforce once scopemesh plan shows what you want.',
    };
}
