import {
  type CallingGatewayKind,
  type Catalog,
  type CatalogService,
  gatewayKindOf,
} from '../model/catalog.js';
import type { ServiceName } from '../model/intention.js';

/** What the catalog already says of a service, so that Consul is asked only for the rest. */
export interface KnownServices {
  /** The kind of gateway that calls in its own name; undefined for any other service. */
  gatewayKindOf(serviceName: ServiceName): CallingGatewayKind | undefined;
  /** What the name is if it has no ordinary instance: a sidecar or a gateway. */
  onlyKindOf(serviceName: ServiceName): string | undefined;
  hasOrdinary(serviceName: ServiceName): boolean;
  /** Whether it certainly has no sidecar and no native mesh integration. */
  isOutsideMesh(serviceName: ServiceName): boolean;
  /** Whether it certainly has no ordinary instance. */
  lacksInstances(serviceName: ServiceName): boolean;
  meshGateways(): readonly ServiceName[];
}

/** Without a catalog nothing is certain, nor in one that `isFiltered` by a selection, which may hide a sidecar. */
export function createKnownServices(catalog: Catalog | undefined, isFiltered: boolean): KnownServices {
  const services = catalog?.services ?? [];
  const byName = new Map<string, CatalogService>();
  for (const catalogService of services)
    if (!byName.has(catalogService.name.name)) byName.set(catalogService.name.name, catalogService);
  const find = ({ name }: ServiceName) => byName.get(name);
  // The instances of such a service could not be read, and one of them may be a sidecar.
  const isWhole = !isFiltered && services.every(({ instances }) => instances.length > 0);
  const inMesh = new Set<string>();
  for (const { name, instances } of services)
    for (const { proxyOf, isNative } of instances) {
      // Consul compares them without their case.
      if (proxyOf !== undefined) inMesh.add(proxyOf.toLowerCase());
      if (isNative) inMesh.add(name.name.toLowerCase());
    }
  const isCertain = (serviceName: ServiceName) => {
    const found = find(serviceName)?.name;
    return isWhole && found?.partition === serviceName.partition && found.namespace === serviceName.namespace;
  };
  const hasOrdinary = (serviceName: ServiceName) =>
    find(serviceName)?.instances.some(({ kind }) => kind === '') ?? false;
  return {
    gatewayKindOf(serviceName) {
      const found = find(serviceName);
      return found && gatewayKindOf(found);
    },
    onlyKindOf(serviceName) {
      const kinds = find(serviceName)?.instances.map(({ kind }) => kind);
      return kinds?.every((kind) => kind !== '') ? kinds[0] : undefined;
    },
    hasOrdinary,
    isOutsideMesh: (serviceName) => isCertain(serviceName) && !inMesh.has(serviceName.name.toLowerCase()),
    lacksInstances: (serviceName) => isCertain(serviceName) && !hasOrdinary(serviceName),
    meshGateways: () =>
      services.flatMap(({ name, instances }) =>
        instances.some(({ kind }) => kind === 'mesh-gateway') ? name : [],
      ),
  };
}
