import type { ServiceName } from '../../model/intention.js';
import { Outage } from '../../repeat.js';
import type { Runtime } from '../../runtime.js';
import type { Consul } from '../consul.js';
import { createCrdIntentions, type Listed } from './intentions.js';
import { ManifestDirectory } from './manifest-directory.js';
import { toMetadata } from './own-entries.js';
import { createServiceDefaults } from './service-defaults.js';
import { watchManifests } from './watch.js';

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
