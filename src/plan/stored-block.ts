import type { Cause } from '../model/cause.js';
import type { QuarantineRecord } from '../model/quarantine.js';
import type { Job } from '../model/trigger.js';
import { type ClientId, clientText } from './world.js';

/** The stored part of an order about a compromised client, which survives a restart. */
export interface StoredBlock extends ClientId {
  readonly closure: 'ClientQuarantined' | 'Released';
  /** ISO 8601, of the newest applied order: the instant that it names, and when it was received. */
  readonly at: string;
  readonly receivedAt: string;
  /** The decision about the quarantine or about its release. */
  readonly decisionId?: string;
}

/** What a decision about a held grant says. */
export function quarantineText({ provider, clientId }: ClientId): string {
  const name = `${provider}/${clientId}`;
  return `client ${name} is in quarantine, because its secret was reported as compromised or a person closed it; rotate its secret, or end the quarantine with: scopemesh approve ${name}`;
}

export type Instants = Pick<StoredBlock, 'at' | 'receivedAt'>;

export function newestCompromise(
  job: Job,
): (Instants & { readonly cause: Cause; readonly reason: string | undefined }) | undefined {
  const orders = job.triggers.flatMap(({ order }) => (order?.kind === 'secret-compromised' ? [order] : []));
  const [last] = orders.toSorted((a, b) => Date.parse(b.cause.receivedAt) - Date.parse(a.cause.receivedAt));
  if (last === undefined) return undefined;
  return {
    cause: last.cause,
    reason: last.reason,
    at: newest(orders.map(({ at }) => at)),
    receivedAt: newest(orders.map(({ cause }) => cause.receivedAt)),
  };
}

/** A report that was received later is a new report, even if it names an earlier instant. */
export function isNewer(order: Instants, known: Instants): boolean {
  return (
    Date.parse(order.at) > Date.parse(known.at) || Date.parse(order.receivedAt) > Date.parse(known.receivedAt)
  );
}

export function newest(instants: readonly (string | undefined)[]): string {
  const [last = ''] = instants
    .filter((each) => each !== undefined)
    .toSorted((a, b) => Date.parse(b) - Date.parse(a));
  return last;
}

/**
 * A record in Consul's KV and the store, compared:
 *
 * | the store | the record | |
 * |---|---|---|
 * | nothing, or a release of an older report | there | `adopt`: the store was lost, or somebody closes the client |
 * | a quarantine | the same | `keep` |
 * | a quarantine | different, or missing | `write`: the record alone cannot end a quarantine |
 * | a release | of a report that it covers | `delete`: a release that was interrupted |
 */
export type RecordVerdict =
  | { readonly do: 'adopt'; readonly id: ClientId; readonly instants: Instants }
  | { readonly do: 'keep' | 'write' | 'delete'; readonly id: ClientId };

/** `records` undefined: they cannot be read, so nothing is known about them. */
export function compareRecords(
  stored: readonly StoredBlock[],
  records: readonly QuarantineRecord[] | undefined,
  now: number,
): readonly RecordVerdict[] {
  const known = new Map(stored.map((each) => [clientText(each), each]));
  const found = new Set((records ?? []).map(clientText));
  const verdicts = (records ?? []).flatMap((record): RecordVerdict[] => {
    const id = { provider: record.provider, clientId: record.clientId };
    const block = known.get(clientText(id));
    const instants = { at: inThePast(record.at, now), receivedAt: inThePast(record.receivedAt, now) };
    if (block === undefined || (block.closure === 'Released' && isNewer(instants, block)))
      return [{ do: 'adopt', id, instants }];
    if (block.closure === 'Released') return [{ do: 'delete', id }];
    const isSame = record.at === block.at && record.receivedAt === block.receivedAt;
    return [{ do: isSame ? 'keep' : 'write', id }];
  });
  const missing = stored.filter(
    (each) => each.closure === 'ClientQuarantined' && !found.has(clientText(each)),
  );
  return [
    ...verdicts,
    ...missing.map(({ provider, clientId }) => ({
      do: 'write' as const,
      id: { provider, clientId },
    })),
  ];
}

/** An instant that cannot be read, or is in the future, counts as now: then only a later secret ends the quarantine. */
function inThePast(instant: string | undefined, now: number): string {
  const ms = Date.parse(instant ?? '');
  return new Date(Number.isNaN(ms) || ms > now ? now : ms).toISOString();
}
