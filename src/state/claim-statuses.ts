import type { ClaimStatus } from '../plan/claim-status.js';
import { type ClientId, clientText, serviceText } from '../plan/world.js';

/** The claim status of every service, and the services by the client that they claim; updated in place. */
export class ClaimStatuses {
  readonly #statuses = new Map<string, ClaimStatus>();
  readonly #byClient = new Map<string, Map<string, ClaimStatus>>();

  /** By `serviceText`. */
  get all(): ReadonlyMap<string, ClaimStatus> {
    return this.#statuses;
  }

  /** The statuses of all claims on the client, by `serviceText` of the service. */
  on(client: ClientId): ReadonlyMap<string, ClaimStatus> {
    return this.#byClient.get(clientText(client)) ?? NOTHING;
  }

  /** Returns false if the service already has this status. */
  put(key: string, claimStatus: ClaimStatus | undefined): boolean {
    const before = this.#statuses.get(key);
    if (isSame(before, claimStatus)) return false;
    if (before !== undefined && before.kind !== 'none') this.#remove(clientText(before.client), key);
    if (claimStatus === undefined) this.#statuses.delete(key);
    else this.#statuses.set(key, claimStatus);
    if (claimStatus !== undefined && claimStatus.kind !== 'none')
      this.#add(clientText(claimStatus.client), key, claimStatus);
    return true;
  }

  #add(client: string, key: string, claimStatus: ClaimStatus): void {
    const known = this.#byClient.get(client);
    if (known === undefined) this.#byClient.set(client, new Map([[key, claimStatus]]));
    else known.set(key, claimStatus);
  }

  #remove(client: string, key: string): void {
    const known = this.#byClient.get(client);
    known?.delete(key);
    if (known?.size === 0) this.#byClient.delete(client);
  }
}

const NOTHING: ReadonlyMap<string, ClaimStatus> = new Map();

/** Whether a service may do less with status `after` than with `before`. An unknown status loses nothing. */
export function losesClaim(before: ClaimStatus | undefined, after: ClaimStatus | undefined): boolean {
  if (before?.kind !== 'claimed' && before?.kind !== 'unrecorded') return false;
  if (after === undefined || after.kind === 'none' || after.kind === 'refused') return true;
  return clientText(after.client) !== clientText(before.client);
}

function isSame(a: ClaimStatus | undefined, b: ClaimStatus | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined || a.kind !== b.kind) return false;
  return textOf(a) === textOf(b);
}

function textOf(claimStatus: ClaimStatus): string {
  const { service, ...rest } = claimStatus;
  return JSON.stringify([serviceText(service), rest]);
}
