import { recordsWithPending } from '../apply/recover-pending.js';
import { restoreRejections } from '../operator/approvals.js';
import { restoreBreakGlass } from '../operator/break-glass.js';
import { restoreDenies } from '../operator/denies.js';
import type { OperatorDeps } from '../operator/deps.js';
import { restoreFreeze } from '../operator/freezes.js';
import { restoreQuarantines } from '../operator/quarantines.js';
import { restoreJwksUris } from './jwt-provider-plans.js';
import { lastReadName, parseLastRead } from './last-read.js';

/** Restores what earlier processes knew and no read shows, before the first plan. */
export async function restoreMemory(deps: OperatorDeps): Promise<void> {
  await restoreRecords(deps);
  await restoreQuarantines(deps);
  await restoreFreeze(deps);
  await restoreTime(deps);
  await restoreBreakGlass(deps);
  await restoreDenies(deps);
  await deps.acl.restore(deps.keyValues);
  await deps.window.restoreFrom(deps.keyValues);
  await deps.contention.restore();
  await restoreRejections(deps);
  await restoreJwksUris(deps);
}

/** A clock that was set back since the last complete read of a directory prolongs no break-glass grant. */
async function restoreTime({ world, keyValues }: Pick<OperatorDeps, 'world' | 'keyValues'>): Promise<void> {
  for (const provider of world.mapping.providers) {
    const last = parseLastRead(await keyValues.get(lastReadName(provider)));
    if (last !== undefined) world.breakGlass.begin(Date.parse(last.at));
  }
}

/** The last writes distinguish losses from drift, and edges of scopemesh from edges that have its mark. */
export async function restoreRecords({
  journal,
  world,
}: Pick<OperatorDeps, 'journal' | 'world'>): Promise<void> {
  for (const [key, record] of await journal.readAll()) world.rememberWritten(key, recordsWithPending(record));
  world.setUnrecorded(undefined);
}
