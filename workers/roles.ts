import type { Role } from '../src/app/run-daemon.js';
import type { LocalReplica } from '../src/daemon/local-replica.js';
import type { TermCoreParts } from '../src/daemon/term-core.js';
import { lead } from './lead.js';
import { runRelay } from './relay.js';
import { runTrailIndex } from './trail-index.js';
import { watchProvider } from './watch-provider.js';

/** Runs what the roles of this process ask for until the signal aborts. Without `reconcile` it never leads. */
export function runRoles(
  only: readonly Role[],
  opened: TermCoreParts,
  replica: LocalReplica,
  stop: AbortSignal,
): readonly Promise<void>[] {
  const { config, consul, store, providers, runtime } = opened;
  const { ports, live } = replica;
  const index = only.includes('relay') ? [runTrailIndex(config, store, runtime, stop)] : [];
  if (only.includes('reconcile'))
    return [...index, replica.run((term, of) => lead({ ...opened, only, ports, ...of }, term), stop)];
  // Parts of their own, beside the leader.
  return [
    ...index,
    ...(only.includes('watch') ? providers.flatMap((each) => watchProvider(each, ports, stop)) : []),
    ...(only.includes('relay')
      ? [runRelay(config, consul, { ...store, settled: live.settled }, runtime, stop)]
      : []),
  ];
}
