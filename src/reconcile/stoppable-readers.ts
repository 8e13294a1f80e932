import type { Directory } from '../identity/directory.js';
import { withLinkedSignal } from '../linked-signal.js';
import type { ReconcilerDeps } from './deps.js';

/** A read of an identity provider that a stop ended. It says nothing of the provider. */
export class Stopped extends Error {}

type Readers = Pick<ReconcilerDeps, 'directories' | 'jwksUris'>;

/**
 * The same readers of identity providers, whose reads end with `stop`: they throw `Stopped`. A provider may keep silent for
 * as long as its timeout, or be read for minutes; a read changes nothing, and the next leader makes it again.
 */
export function stoppableReaders({ directories, jwksUris }: Readers, stop: AbortSignal): Readers {
  const end = async <T>(signal: AbortSignal, read: (either: AbortSignal) => Promise<T>): Promise<T> => {
    try {
      return await withLinkedSignal([signal, stop], (either) => Promise.race([read(either), fails(either)]));
    } catch (error) {
      if (stop.aborted) throw new Stopped('the read ended because the leader stops');
      throw error;
    }
  };
  const wrap = (directory: Directory): Directory => {
    const { readMembers } = directory;
    return {
      provider: directory.provider,
      readAll: (signal, isUrgent) => end(signal, (either) => directory.readAll(either, isUrgent)),
      read: (by, value, signal, forOrder) =>
        end(signal, (either) => directory.read(by, value, either, forOrder)),
      ...(readMembers && {
        readMembers: (groups, signal, admitted) =>
          end(signal, (either) =>
            (directory.readMembers ?? readMembers).call(directory, groups, either, admitted),
          ),
      }),
      close: () => directory.close(),
    };
  };
  return {
    directories: new Map([...directories].map(([name, directory]) => [name, wrap(directory)])),
    jwksUris: new Map([...jwksUris].map(([name, read]) => [name, (signal) => end(signal, read)])),
  };
}

/** Rejects when the signal aborts, for an adapter that does not listen to it at once. */
function fails(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
