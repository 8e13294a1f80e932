import { messageOf } from '../../errors.js';
import { withLinkedSignal } from '../../linked-signal.js';
import { Outage, repeat } from '../../repeat.js';
import type { Runtime } from '../../runtime.js';
import type { Consul, WatchListener } from '../consul.js';
import type { ManifestDirectory } from './manifest-directory.js';
import { INTENTIONS_PREFIX } from './own-entries.js';

/** Not every volume sends file events, so the files are polled. */
const CHECK_MS = 5_000;

/** Watches the entries in Consul and the files. It is alive only while the files can be read. */
export async function watchManifests(
  files: ManifestDirectory,
  consul: Pick<Consul, 'watch'>,
  listener: WatchListener,
  { clock, logger }: Runtime,
  signal: AbortSignal,
): Promise<void> {
  const outage = new Outage();
  let isReadable = true;
  let seen: string | undefined;
  const check = async () => {
    let now: string;
    try {
      now = await files.fingerprint(INTENTIONS_PREFIX, signal);
    } catch (error) {
      if (signal.aborted) return 'done';
      isReadable = false;
      if (outage.begins(clock.now()))
        logger.warn({ error: messageOf(error) }, 'the manifests cannot be read');
      return { failed: true } as const;
    }
    isReadable = true;
    if (outage.ends(clock.now()) !== undefined) logger.info({}, 'the manifests can be read again');
    const isChanged = seen !== undefined && seen !== now;
    seen = now;
    if (isChanged) listener.changed();
    return 'done' as const;
  };
  const entries = {
    changed: () => listener.changed(),
    alive: () => (isReadable ? listener.alive() : undefined),
  };
  const failed = new AbortController();
  await withLinkedSignal([signal, failed.signal], (stop) =>
    Promise.all([
      consul.watch('intentions', entries, stop).catch((error: unknown) => {
        failed.abort(error);
        throw error;
      }),
      repeat(CHECK_MS, check, clock, stop),
    ]),
  );
}
