import { recordsWithPending } from '../apply/recover-pending.js';
import { restoreRejections } from '../operator/approvals.js';
import { GRANTS } from '../operator/break-glass.js';
import { DENIES } from '../operator/denies.js';
import type { OperatorDeps } from '../operator/deps.js';
import { FREEZES } from '../operator/freezes.js';
import { restoreQuarantines } from '../operator/quarantines.js';
import { restoreRulings } from '../operator/ruling-store.js';
import { restoreJwksUris } from './jwt-provider-plans.js';
import { lastReadName, parseLastRead } from './last-read.js';

/** Restores what earlier processes knew and no read shows, before the first plan. */
export async function restoreMemory(deps: OperatorDeps): Promise<void> {
  await restoreRecords(deps);
  await restoreQuarantines(deps);
  await restoreRulings(FREEZES, deps);
  await restoreRulings(DENIES, deps);
  await restoreRulings(GRANTS, deps);
  await restoreTime(deps);
  await deps.acl.restore(deps.keyValues);
  await deps.window.restoreFrom(deps.keyValues);
  await deps.contention.restore();
  await restoreRejections(deps);
  await restoreJwksUris(deps);
}

/** A clock that was set back since the last complete read of a directory prolongs no break-glass grant. */
async function restoreTime({
  world,
  keyValues,
  clock,
}: Pick<OperatorDeps, 'world' | 'keyValues' | 'clock'>): Promise<void> {
  for (const provider of world.mapping.providers) {
    const last = parseLastRead(await keyValues.get(lastReadName(provider)));
    if (last !== undefined) world.breakGlass.begin(Date.parse(last.at));
  }
  world.breakGlass.advance(clock.now());
}

/** The last writes distinguish losses from drift, and edges of scopemesh from edges that have its mark. */
export async function restoreRecords({
  journal,
  world,
}: Pick<OperatorDeps, 'journal' | 'world'>): Promise<void> {
  for (const [key, record] of await journal.readAll()) world.rememberWritten(key, recordsWithPending(record));
  world.setUnrecorded(undefined);
}
