import type { UnreadableClient } from '../identity/directory.js';
import type { OAuthClient } from '../model/client.js';
import { clientText, type World } from '../plan/world.js';

/** What was read of one provider's clients. */
export interface DirectoryState {
  /** False until the first complete read: what single reads said so far waits for it. */
  isComplete: boolean;
  /** With what was known before of clients that cannot be read now. */
  clients: Map<string, OAuthClient>;
  /** Why a client's record cannot be parsed, by client id. */
  unreadable: Map<string, string>;
  /** The complete read that had a record that does not say whose it is: what that did not show may be there. */
  unnamedSince: number | undefined;
  /** Milliseconds since the epoch of the last complete read. */
  readAt: number;
  /** By client id: the number of the read that last said something of it; an older read says nothing more. */
  readBy: Map<string, number>;
}

/** What of a provider cannot be read. */
export type Unreadable = Pick<DirectoryState, 'unreadable' | 'unnamedSince'>;

export function unreadDirectory(): DirectoryState {
  return {
    isComplete: false,
    clients: new Map(),
    unreadable: new Map(),
    unnamedSince: undefined,
    readAt: 0,
    readBy: new Map(),
  };
}

/** After a complete read; what a later single read said stands. */
export function afterRead(
  old: DirectoryState | undefined,
  clients: readonly OAuthClient[],
  unreadable: readonly UnreadableClient[],
  read: number,
  now: number,
): DirectoryState {
  const state: DirectoryState = { ...unreadDirectory(), isComplete: true, readAt: now };
  const keep = (clientId: string) => {
    const known = old?.clients.get(clientId);
    if (known !== undefined) state.clients.set(clientId, known);
  };
  for (const client of clients) {
    state.clients.set(client.clientId, client);
    state.readBy.set(client.clientId, read);
  }
  for (const { clientId, why } of unreadable) {
    if (clientId === undefined) {
      state.unnamedSince = read;
      continue;
    }
    state.clients.delete(clientId);
    state.unreadable.set(clientId, why);
    state.readBy.set(clientId, read);
    keep(clientId);
  }
  if (state.unnamedSince !== undefined) {
    // Any of those that are missing may be the one whose record does not say whose it is.
    for (const clientId of [...(old?.clients.keys() ?? []), ...(old?.unreadable.keys() ?? [])]) {
      if (state.readBy.has(clientId)) continue;
      state.unreadable.set(clientId, MISSING);
      keep(clientId);
    }
  }
  for (const [clientId, number] of old?.readBy ?? []) {
    if (number <= read) continue;
    state.readBy.set(clientId, number);
    state.clients.delete(clientId);
    state.unreadable.delete(clientId);
    keep(clientId);
    const why = old?.unreadable.get(clientId);
    if (why !== undefined) state.unreadable.set(clientId, why);
  }
  return state;
}

const MISSING = 'it is missing from the directory, which has a record without a readable id';

/** After a single read. False if nothing is new: it was known, or a later read spoke already. */
export function noteUnreadable(state: DirectoryState, clientId: string, why: string, read: number): boolean {
  if ((state.readBy.get(clientId) ?? 0) > read) return false;
  state.readBy.set(clientId, read);
  const isNew = !state.unreadable.has(clientId);
  state.unreadable.set(clientId, why);
  return isNew;
}

export function isUnreadableIn(state: DirectoryState | undefined, clientId: string): boolean {
  if (state === undefined) return false;
  if (state.unreadable.has(clientId)) return true;
  if (state.unnamedSince === undefined || state.clients.has(clientId)) return false;
  return (state.readBy.get(clientId) ?? 0) <= state.unnamedSince;
}

/** As a plan takes it. */
export function unreadableOf(
  directories: ReadonlyMap<string, DirectoryState>,
): Pick<World, 'unreadable' | 'unnamed'> {
  const unreadable = new Set<string>();
  const unnamed = new Map<string, ReadonlySet<string>>();
  for (const [provider, state] of directories) {
    for (const clientId of state.unreadable.keys()) unreadable.add(clientText({ provider, clientId }));
    if (state.unnamedSince === undefined) continue;
    const asked = [...state.readBy.keys()].filter((id) => !state.clients.has(id));
    unnamed.set(provider, new Set(asked.filter((id) => !isUnreadableIn(state, id))));
  }
  return { unreadable, unnamed };
}

/** The client ids of which something else is known than before. */
export function changedClients(old: DirectoryState | undefined, state: DirectoryState): readonly string[] {
  const ids = new Set(
    [old, state].flatMap((each) => [...(each?.clients.keys() ?? []), ...(each?.unreadable.keys() ?? [])]),
  );
  const isNew = old?.isComplete !== true;
  return [...ids].filter(
    (id) =>
      isNew ||
      old.unreadable.has(id) !== state.unreadable.has(id) ||
      !isSameClient(old.clients.get(id), state.clients.get(id)),
  );
}

export function isSameClient(a: OAuthClient | undefined, b: OAuthClient | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
