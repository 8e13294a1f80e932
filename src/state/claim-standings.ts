import type { ClaimStanding } from '../plan/claims.js';
import { type ClientId, clientText, serviceText } from '../plan/world.js';

/** The standing of every service, and the services by the client that they claim; changed in place. */
export class ClaimStandings {
  readonly #standings = new Map<string, ClaimStanding>();
  readonly #byClient = new Map<string, Map<string, ClaimStanding>>();

  /** By `serviceText`. */
  get all(): ReadonlyMap<string, ClaimStanding> {
    return this.#standings;
  }

  /** Of every service that claims the client, whatever the claim is worth; by `serviceText`. */
  on(client: ClientId): ReadonlyMap<string, ClaimStanding> {
    return this.#byClient.get(clientText(client)) ?? NOTHING;
  }

  /** Returns false where the service has this standing already. */
  put(key: string, standing: ClaimStanding | undefined): boolean {
    const before = this.#standings.get(key);
    if (isSame(before, standing)) return false;
    if (before !== undefined && before.kind !== 'none') this.#remove(clientText(before.client), key);
    if (standing === undefined) this.#standings.delete(key);
    else this.#standings.set(key, standing);
    if (standing !== undefined && standing.kind !== 'none')
      this.#add(clientText(standing.client), key, standing);
    return true;
  }

  #add(client: string, key: string, standing: ClaimStanding): void {
    const known = this.#byClient.get(client);
    if (known === undefined) this.#byClient.set(client, new Map([[key, standing]]));
    else known.set(key, standing);
  }

  #remove(client: string, key: string): void {
    const known = this.#byClient.get(client);
    known?.delete(key);
    if (known?.size === 0) this.#byClient.delete(client);
  }
}

const NOTHING: ReadonlyMap<string, ClaimStanding> = new Map();

/** Whether a service that had `before` may do less with `after`. What is not known yet has lost nothing. */
export function losesClaim(before: ClaimStanding | undefined, after: ClaimStanding | undefined): boolean {
  if (before?.kind !== 'claimed' && before?.kind !== 'unrecorded') return false;
  if (after === undefined || after.kind === 'none' || after.kind === 'refused') return true;
  return clientText(after.client) !== clientText(before.client);
}

function isSame(a: ClaimStanding | undefined, b: ClaimStanding | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined || a.kind !== b.kind) return false;
  return textOf(a) === textOf(b);
}

function textOf(standing: ClaimStanding): string {
  const { service, ...rest } = standing;
  return JSON.stringify([serviceText(service), rest]);
}
