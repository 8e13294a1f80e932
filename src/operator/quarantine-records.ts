import type { QuarantineWrite } from '../consul/consul.js';
import { messageOf, SyncError } from '../errors.js';
import type { CauseKind } from '../model/cause.js';
import { clientKey } from '../model/key.js';
import type { QuarantineRecord } from '../model/quarantine.js';
import type { Trigger } from '../model/trigger.js';
import { policyOf } from '../plan/mode.js';
import { selectsClient } from '../plan/selection.js';
import { compareRecords, type RecordVerdict, type StoredBlock } from '../plan/stored-block.js';
import { type ClientId, clientText } from '../plan/world.js';
import type { OperatorDeps } from './deps.js';
import { QUARANTINES, storedBlocks } from './quarantines.js';
import { recordRuling } from './ruling-store.js';

/** After that time no retry of an old report comes, and the release of a client need not be remembered. */
const RELEASES_KEPT_MS = 30 * 24 * 3_600_000;

/** Whose turn it is to write the KV. */
const TURN = 'quarantine-records';

type RecordDeps = Pick<
  OperatorDeps,
  'consul' | 'journal' | 'world' | 'clock' | 'logger' | 'metrics' | 'queue' | 'onSettled' | 'rulingTurns'
>;

/**
 * Compares the quarantines in Consul's KV with the store. A quarantine that only the KV has takes effect at once, and its
 * client's job stores it with a decision. Everything else in the KV is made equal to the store. Throws if the KV cannot be
 * read now; then nothing changes. If the token may not read it, the store alone counts.
 */
export async function compareQuarantines(
  kind: Extract<CauseKind, 'resync' | 'retry'>,
  deps: RecordDeps,
  signal: AbortSignal,
): Promise<void> {
  const { world, clock, queue } = deps;
  await deps.rulingTurns.run(TURN, async () => {
    const records = await readRecords(deps, signal);
    // After the records: what is in the KV was in the store before.
    const stored = await storedBlocks(deps);
    const now = clock.now();
    const verdicts = verdictsHere(stored, records, now, world);
    const adopted = takeEffect(verdicts, deps);
    reportRepairs(verdicts, deps);
    await writeVerdicts(verdicts, stored, deps, signal);
    if (records !== undefined) await forgetReleases(records, now, deps);
    const receivedAt = new Date(now).toISOString();
    if (adopted.length > 0)
      await queue.add(
        adopted.map(({ id, instants }): Trigger => {
          const cause = { kind, receivedAt: instants.receivedAt };
          const order = { kind: 'secret-compromised' as const, ...id, at: instants.at, cause };
          return {
            key: clientKey(id.provider, id.clientId),
            cause: { kind, receivedAt },
            urgent: true,
            order,
          };
        }),
      );
  });
}

/** Shows a command that reads both sides which clients are in quarantine. Writes nothing. */
export async function showQuarantines(
  deps: Pick<OperatorDeps, 'consul' | 'world' | 'clock' | 'logger'> & Partial<Pick<OperatorDeps, 'journal'>>,
  signal: AbortSignal,
): Promise<void> {
  const { journal, world } = deps;
  const stored = journal === undefined ? [] : await storedBlocks({ journal, world });
  const records = await readRecords(deps, signal);
  for (const verdict of verdictsHere(stored, records, deps.clock.now(), world))
    if (verdict.do === 'adopt') world.setClientBlock(verdict.id, 'ClientQuarantined');
}

/** Makes the record of one client equal to the store. A KV that refuses that changes nothing about the quarantine. */
export async function writeQuarantine(id: ClientId, deps: RecordDeps, signal: AbortSignal): Promise<void> {
  await deps.rulingTurns.run(TURN, async () => {
    const stored = await storedBlocks(deps);
    const block = stored.find((each) => clientText(each) === clientText(id));
    if (block === undefined) return;
    await writeVerdicts(
      [{ do: block.closure === 'Released' ? 'delete' : 'write', id }],
      stored,
      deps,
      signal,
    );
  });
}

/** Of the clients that this instance manages. */
function verdictsHere(
  stored: readonly StoredBlock[],
  records: readonly QuarantineRecord[] | undefined,
  now: number,
  world: OperatorDeps['world'],
): readonly RecordVerdict[] {
  return compareRecords(stored, records, now).filter(({ id }) => selectsClient(world.mapping, id));
}

/** Undefined if the token may not read the records. */
async function readRecords(
  { consul, logger }: Pick<OperatorDeps, 'consul' | 'logger'>,
  signal: AbortSignal,
): Promise<readonly QuarantineRecord[] | undefined> {
  try {
    return await consul.quarantines.list(signal);
  } catch (error) {
    if (!(error instanceof SyncError) || !isDenied(error)) throw error;
    logger.warn(
      { error: error.message },
      'the ACL token may not read the quarantines in Consul, so only the store of scopemesh knows them',
    );
    return undefined;
  }
}

function takeEffect(
  verdicts: readonly RecordVerdict[],
  { world, logger }: Pick<OperatorDeps, 'world' | 'logger'>,
): readonly Extract<RecordVerdict, { do: 'adopt' }>[] {
  return verdicts.flatMap((verdict) => {
    if (verdict.do !== 'adopt') return [];
    world.setClientBlock(verdict.id, 'ClientQuarantined');
    logger.warn(
      { ...verdict.id, ...verdict.instants },
      'found a quarantine in Consul that the store lacks; it takes effect',
    );
    return [verdict];
  });
}

/** Only of records that this process has written or seen: others may never have been written. */
function reportRepairs(
  verdicts: readonly RecordVerdict[],
  { world, logger, metrics }: Pick<OperatorDeps, 'world' | 'logger' | 'metrics'>,
): void {
  for (const { do: what, id } of verdicts) {
    if (what === 'keep') world.quarantineWrites.recorded.add(clientText(id));
    if (what !== 'write' || !world.quarantineWrites.recorded.has(clientText(id))) continue;
    logger.warn(id, 'somebody else changed or deleted a quarantine in Consul; it is written again');
    metrics.count('scopemesh_quarantine_records_repaired_total');
  }
}

async function writeVerdicts(
  verdicts: readonly RecordVerdict[],
  stored: readonly StoredBlock[],
  deps: RecordDeps,
  signal: AbortSignal,
): Promise<void> {
  const { world, metrics, logger } = deps;
  if (!policyOf(world.mapping).writes) return;
  const known = new Map(stored.map((block) => [clientText(block), block]));
  const writes: QuarantineWrite[] = verdicts.flatMap((verdict): QuarantineWrite[] => {
    if (verdict.do === 'adopt' || verdict.do === 'keep') return [];
    const { at, receivedAt } = known.get(clientText(verdict.id)) ?? {};
    if (verdict.do === 'delete' || at === undefined || receivedAt === undefined)
      return [{ do: 'delete', record: verdict.id }];
    return [{ do: 'put', record: { ...verdict.id, at, receivedAt } }];
  });
  const failures = await write(writes, deps, signal);
  for (const { record, do: what } of writes) {
    const text = clientText(record);
    const isMade = !failures.has(text);
    if (what === 'put' && isMade) world.quarantineWrites.recorded.add(text);
    else world.quarantineWrites.recorded.delete(text);
    if (isMade) world.quarantineWrites.failed.delete(text);
    else world.quarantineWrites.failed.set(text, what);
  }
  metrics.gauge('scopemesh_quarantines_unrecorded', world.quarantineWrites.failed.size);
  const [error] = failures.values();
  if (error !== undefined)
    logger.warn(
      { clients: failures.size, error },
      'quarantines could not be written to Consul; the store of scopemesh has them, and the next comparison tries again',
    );
}

/** Why each write failed, by `clientText`. */
async function write(
  writes: readonly QuarantineWrite[],
  { consul }: Pick<OperatorDeps, 'consul'>,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  if (writes.length === 0) return new Map();
  try {
    const results = await consul.quarantines.write(writes, signal);
    return new Map(
      writes.flatMap(({ record }, at) => {
        const result = results[at];
        if (result?.kind === 'written') return [];
        return [[clientText(record), result?.kind === 'refused' ? result.detail : 'no answer']];
      }),
    );
  } catch (error) {
    if (signal.aborted || !(error instanceof SyncError)) throw error;
    return new Map(writes.map(({ record }) => [clientText(record), messageOf(error)]));
  }
}

/** A release must be known as long as a record may come back, and a report may be tried again. */
async function forgetReleases(
  records: readonly QuarantineRecord[],
  now: number,
  deps: RecordDeps,
): Promise<void> {
  const recorded = new Set(records.map(clientText));
  const isOver = (block: StoredBlock) =>
    block.closure === 'Released' &&
    !recorded.has(clientText(block)) &&
    now - Date.parse(block.receivedAt) > RELEASES_KEPT_MS;
  await deps.rulingTurns.run(QUARANTINES.name, async () => {
    for (const block of (await storedBlocks(deps)).filter(isOver))
      await recordRuling(QUARANTINES, block, { isForgotten: true }, deps);
  });
}

function isDenied({ code, retriable }: SyncError): boolean {
  // A list that the token's rules filter is incomplete, and another try does not help.
  return code === 'ERR_CONSUL_DENIED' || (code === 'ERR_CONSUL_INCOMPLETE' && !retriable);
}
