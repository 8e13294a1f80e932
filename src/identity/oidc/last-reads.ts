import { ClientUnreadable } from '../../errors.js';
import { digestOfClient, digestsOf, isUnreadable, unreadableDigest } from './client-digest.js';
import type { DocumentDirectory } from './document.js';

/** What scopemesh last read of clients besides the polls, as digests. */
export type LastReads = ReturnType<typeof noteReads>;

/** Of a client that does not exist. */
const NONE = '';

/**
 * Notes the reads of a directory. A list of the identity provider may lack what a read alone still shows, or show what a
 * read alone lacks. A poll that compares lists alone would then miss every later change that brings the list to what it
 * showed before.
 */
export function noteReads(directory: DocumentDirectory) {
  const alone = new Map<string, string>();
  let complete: ReadonlyMap<string, string> | undefined;
  // A process that does not poll never asks.
  let isAsked = false;

  const note = (clientId: string, digest: string) => {
    if (!isAsked) return;
    alone.delete(clientId);
    alone.set(clientId, digest);
  };

  const noting: DocumentDirectory = {
    ...directory,
    async readAll(signal) {
      const snapshot = await directory.readAll(signal);
      if (isAsked) complete = digestsOf(snapshot);
      return snapshot;
    },
    async read(by, value, signal, proof) {
      try {
        const client = await directory.read(by, value, signal, proof);
        note(value, client === undefined ? NONE : digestOfClient(client));
        return client;
      } catch (error) {
        if (error instanceof ClientUnreadable) note(value, unreadableDigest(error));
        throw error;
      }
    },
  };

  return {
    /** The same directory, which notes what it reads. */
    directory: noting,
    /**
     * The clients that this list shows otherwise than their last read alone (`alone`), those first that were read longest
     * ago, and those that it shows otherwise than a complete read since the last call (`complete`). The latter are named once:
     * nobody reads a client alone that `select.clients` leaves out. It begins to note with the first call.
     */
    differFrom(listed: ReadonlyMap<string, string>) {
      isAsked = true;
      for (const [clientId, digest] of alone)
        if (isSame(digest, listed.get(clientId) ?? NONE)) alone.delete(clientId);
      const all = complete === undefined ? [] : [...new Set([...complete.keys(), ...listed.keys()])];
      const inComplete = all.filter(
        (clientId) => !isSame(complete?.get(clientId) ?? NONE, listed.get(clientId) ?? NONE),
      );
      complete = undefined;
      return { alone: [...alone.keys()], complete: inComplete };
    },
  };
}

/** The reason why a record cannot be parsed names its place, which differs between a list and a single read. */
function isSame(a: string, b: string): boolean {
  return a === b || (isUnreadable(a) && isUnreadable(b));
}
