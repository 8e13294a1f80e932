import type { Job } from '../model/trigger.js';
import type { ClientId } from './world.js';

/** The stored part of an order about a compromised client, which survives a restart. */
export interface StoredBlock extends ClientId {
  readonly closure: 'ClientQuarantined' | 'Released';
  /** ISO 8601, of the newest applied order: the instant that it names, and when it was received. */
  readonly at: string;
  readonly receivedAt: string;
}

type Instants = Pick<StoredBlock, 'at' | 'receivedAt'>;

export function newestCompromise(job: Job): Instants | undefined {
  const orders = job.triggers.flatMap(({ order }) => (order?.kind === 'secret-compromised' ? [order] : []));
  if (orders.length === 0) return undefined;
  return {
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

export function parseStored(text: string | undefined): readonly StoredBlock[] {
  if (text === undefined) return [];
  const value: unknown = JSON.parse(text);
  if (!Array.isArray(value)) return [];
  return value.flatMap((each: unknown) => {
    if (typeof each !== 'object' || each === null) return [];
    const { provider, clientId, closure, at, receivedAt }: Partial<Record<string, unknown>> = { ...each };
    if (typeof provider !== 'string' || typeof clientId !== 'string' || typeof at !== 'string') return [];
    if (closure !== 'ClientQuarantined' && closure !== 'Released') return [];
    // Earlier versions did not store when an order was received.
    return [
      { provider, clientId, closure, at, receivedAt: typeof receivedAt === 'string' ? receivedAt : at },
    ];
  });
}
