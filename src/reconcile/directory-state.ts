import type { OAuthClient } from '../model/client.js';

/** What was read of one provider's clients. */
export interface DirectoryState {
  /** False until the first complete read: what single reads said so far waits for it. */
  isComplete: boolean;
  clients: Map<string, OAuthClient>;
  /** Milliseconds since the epoch of the last complete read. */
  readAt: number;
  /** By client id: the number of the read that last said something of it; an older read says nothing more. */
  readBy: Map<string, number>;
}

export function unreadDirectory(): DirectoryState {
  return { isComplete: false, clients: new Map(), readAt: 0, readBy: new Map() };
}

/** After a complete read; what a later single read said stands. */
export function afterRead(
  old: DirectoryState | undefined,
  clients: readonly OAuthClient[],
  read: number,
  now: number,
): DirectoryState {
  const state: DirectoryState = { isComplete: true, clients: new Map(), readAt: now, readBy: new Map() };
  for (const client of clients) {
    state.clients.set(client.clientId, client);
    state.readBy.set(client.clientId, read);
  }
  for (const [clientId, number] of old?.readBy ?? []) {
    if (number <= read) continue;
    state.readBy.set(clientId, number);
    const later = old?.clients.get(clientId);
    if (later === undefined) state.clients.delete(clientId);
    else state.clients.set(clientId, later);
  }
  return state;
}

/** The client ids of which something else is known than before. */
export function changedClients(old: DirectoryState | undefined, state: DirectoryState): readonly string[] {
  const ids = new Set([...(old?.clients.keys() ?? []), ...state.clients.keys()]);
  const isNew = old?.isComplete !== true;
  return [...ids].filter((id) => isNew || !isSameClient(old.clients.get(id), state.clients.get(id)));
}

export function isSameClient(a: OAuthClient | undefined, b: OAuthClient | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
