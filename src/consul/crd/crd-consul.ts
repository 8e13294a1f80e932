import { messageOf } from '../../errors.js';
import { withLinkedSignal } from '../../linked-signal.js';
import type { ServiceName } from '../../model/intention.js';
import { Outage, repeat } from '../../repeat.js';
import type { Runtime } from '../../runtime.js';
import type { Consul, WatchListener } from '../consul.js';
import { createCrdIntentions, type Listed } from './intentions.js';
import { ManifestDirectory } from './manifest-directory.js';
import { INTENTIONS_PREFIX, toMetadata } from './own-entries.js';
import { createServiceDefaults } from './service-defaults.js';

export interface CrdConsulOptions extends Runtime {
  /** Absolute. */
  readonly directory: string;
  /** The Kubernetes namespace of the resources. */
  readonly namespace?: string | undefined;
  /** Whether an L7 intention also writes protocol http for a destination without service-defaults. */
  readonly serviceDefaults?: boolean | undefined;
  readonly owner: string;
  /** The tenancy of Consul Enterprise, as that of `consul`. */
  readonly consulPartition?: string | undefined;
  readonly consulNamespace?: string | undefined;
  readonly isMarked: (description: string) => boolean;
  readonly mayWrite?: (() => boolean) | undefined;
}

/**
 * Writes intentions as custom resources of consul-k8s into a directory, from where a GitOps tool applies them. Everything
 * else stays with `consul`: the catalog, the lease, records in KV, ACL objects.
 */
export function createCrdConsul(consul: Consul, options: CrdConsulOptions): Consul {
  const { directory, owner, mayWrite, isMarked, namespace, metrics, logger, clock } = options;
  const files = new ManifestDirectory({ directory, owner, mayWrite });
  const place = { partition: options.consulPartition ?? 'default', namespace };
  const isDefaultPlace =
    place.partition === 'default' && (options.consulNamespace ?? 'default') === 'default';
  const defaults = options.serviceDefaults
    ? createServiceDefaults({
        files,
        readCatalog: (signal) => consul.readCatalog(signal),
        isDefaultPlace,
        metadataOf: (serviceName: ServiceName) => toMetadata(serviceName.name, place),
      })
    : undefined;
  const delay = new Outage();
  const damage = new Outage();
  let last: Partial<Listed> = {};
  return {
    ...consul,
    manifests: {
      unsynced: () => last.unsynced ?? [],
      broken: () => last.broken ?? [],
      fromApi: () => last.fromApi,
      lacksDefaults: async (destination, signal) =>
        defaults !== undefined && (await defaults.lacks(destination, signal)),
    },
    intentions: createCrdIntentions({
      files,
      intentions: consul.intentions,
      place,
      isMarked,
      prepareHttp: defaults?.ensure,
      onListed(listed) {
        last = listed;
        const { unsynced, broken } = listed;
        if (broken.length === 0) {
          if (damage.ends(clock.now()) !== undefined) logger.info({}, 'every manifest can be read again');
        } else if (damage.begins(clock.now()))
          logger.warn(
            { error: broken[0], manifests: broken.length },
            'manifests cannot be read; nothing changes at their destinations until somebody repairs them',
          );
        metrics.gauge('scopemesh_manifests_broken', broken.length);
        metrics.gauge('scopemesh_manifests_unsynced', unsynced.length);
        if (unsynced.length === 0) {
          if (delay.ends(clock.now()) !== undefined) logger.info({}, 'Consul has what the manifests say');
        } else if (delay.begins(clock.now()))
          logger.info({ destinations: unsynced.length }, 'Consul does not have what the manifests say yet');
      },
    }),
    readCatalog: defaults?.readCatalog ?? consul.readCatalog,
    watch: (table, listener, signal) =>
      table === 'intentions'
        ? watchManifests(files, consul, listener, options, signal)
        : consul.watch(table, listener, signal),
  };
}

/** Not every volume sends file events, so the files are polled. */
const CHECK_MS = 5_000;

/** Watches the entries in Consul and the files. It is alive only while the files can be read. */
async function watchManifests(
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
