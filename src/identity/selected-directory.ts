import type { Selection } from '../model/selection.js';
import type { Directory } from './directory.js';

/** A directory that shows only the clients of a selection. A client outside is never asked for by its client ID. */
export function selectDirectory(directory: Directory, selection: Selection | undefined): Directory {
  if (selection === undefined || !selection.limitsClients) return directory;
  const isSelected = (client: { readonly clientId?: string }) =>
    // A record without a client ID may be of any client.
    client.clientId === undefined || selection.hasClient({ clientId: client.clientId });
  return {
    ...directory,
    async readAll(signal, isUrgent) {
      const snapshot = await directory.readAll(signal, isUrgent);
      return {
        ...snapshot,
        clients: snapshot.clients.filter(isSelected),
        unreadable: snapshot.unreadable.filter(isSelected),
      };
    },
    async read(by, value, signal, proof) {
      if (by === 'clientId' && !isSelected({ clientId: value })) return undefined;
      const client = await directory.read(by, value, signal, proof);
      return client !== undefined && isSelected(client) ? client : undefined;
    },
  };
}
