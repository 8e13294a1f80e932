import { Stopped } from '../errors.js';
import type { Directory } from '../identity/directory.js';
import { withLinkedSignal } from '../linked-signal.js';
import type { ReconcilerDeps } from './deps.js';

type Stoppable = Pick<ReconcilerDeps, 'directories' | 'jwksUris' | 'writePlaces'>;

/**
 * What a stop may end: it throws `Stopped` then. A provider may keep silent for as long as its timeout, or be read for
 * minutes; a read changes nothing, and the next leader makes it again. Many writes that may be grants would wait for a
 * Consul that is overloaded one after the other.
 */
export function stoppable({ directories, jwksUris, writePlaces }: Stoppable, stop: AbortSignal): Stoppable {
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
      read: (by, value, signal, proof) => end(signal, (either) => directory.read(by, value, either, proof)),
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
    writePlaces: {
      run: async (work, isUrgent, signal) => {
        const ends = isUrgent ? undefined : stop;
        try {
          return await writePlaces.run(work, isUrgent, signal, ends);
        } catch (error) {
          if (stop.aborted && error === stop.reason) throw new Stopped('the write waits for the next leader');
          throw error;
        }
      },
    },
  };
}

/** Rejects when the signal aborts, for an adapter that does not listen to it at once. */
function fails(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
