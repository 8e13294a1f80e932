import { SyncError } from '../../errors.js';
import type { Catalog, Protocol } from '../../model/catalog.js';
import type { ServiceName } from '../../model/intention.js';
import { type BrokenFile, toBroken } from './broken-file.js';
import { type Manifest, toManifestText } from './manifest.js';
import type { ManifestDirectory } from './manifest-directory.js';
import { isResourceName, toResourceName } from './resource-name.js';

interface ServiceDefaultsOptions {
  readonly files: ManifestDirectory;
  readonly readCatalog: (signal: AbortSignal) => Promise<Catalog>;
  /** ServiceDefaults name no namespace of Consul: elsewhere people write them. */
  readonly isDefaultPlace: boolean;
  readonly metadataOf: (serviceName: ServiceName) => Manifest['metadata'];
}

export interface ServiceDefaults {
  /** The catalog, with http for services without service-defaults: they get them with their first L7 intention. */
  readCatalog(signal: AbortSignal): Promise<Catalog>;
  /** Whether `ensure` would write a file. */
  lacks(destination: ServiceName, signal: AbortSignal): Promise<boolean>;
  /** Writes `protocol: http` for a destination that has neither service-defaults nor a default of the http family. */
  ensure(destination: ServiceName, signal: AbortSignal): Promise<void>;
}

/**
 * Consul takes L7 intentions only for a destination of the http family. The file is written before that of the
 * intentions, and stays when they go: another protocol would break connections, which no revocation asks for.
 */
export function createServiceDefaults(options: ServiceDefaultsOptions): ServiceDefaults {
  const { files, readCatalog, isDefaultPlace, metadataOf } = options;
  let last: Catalog | undefined;
  const read = async (signal: AbortSignal) => {
    last = await readCatalog(signal);
    return last;
  };
  /** The file that is needed, and not there or not readable. */
  const missing = async (
    destination: ServiceName,
    signal: AbortSignal,
  ): Promise<BrokenFile | { readonly name: string; readonly why?: undefined } | undefined> => {
    const { protocols, defaultProtocol } = last ?? (await read(signal));
    if (!isDefaultPlace || isHttp(defaultProtocol) || protocols.has(destination.name.toLowerCase()))
      return undefined;
    const name = `servicedefaults.${toResourceName(destination)}.yaml`;
    const found = await files.read(name).catch((error: unknown) => toBroken(name, error));
    if (found === undefined) return { name };
    return typeof found === 'object' && 'why' in found ? found : undefined;
  };
  return {
    async readCatalog(signal) {
      const catalog = await read(signal);
      if (!isDefaultPlace || isHttp(catalog.defaultProtocol)) return catalog;
      return { ...catalog, defaultProtocol: 'http' };
    },

    async lacks(destination, signal) {
      const file = await missing(destination, signal);
      return file !== undefined && file.why === undefined;
    },

    async ensure(destination, signal) {
      const file = await missing(destination, signal);
      if (file === undefined) return;
      // A refusal, so that what narrows in the same write is made without the rest.
      if (file.why !== undefined) throw new SyncError('ERR_CONSUL_REJECTED', file.why, { retriable: false });
      if (!isResourceName(destination.name)) {
        const message = `the service ${JSON.stringify(destination.name)} needs the protocol http, and Kubernetes accepts no ServiceDefaults of that name; set its protocol in Consul, or rename the service`;
        throw new SyncError('ERR_CONSUL_REJECTED', message, { retriable: false });
      }
      const metadata = metadataOf(destination);
      const manifest = { kind: 'ServiceDefaults', metadata, spec: { protocol: 'http' } } as const;
      await files.replace(file.name, toManifestText(files.header, manifest), 0);
    },
  };
}

function isHttp(protocol: Protocol): boolean {
  return protocol !== 'tcp';
}
