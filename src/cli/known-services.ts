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
  gatewayKindOf(service: ServiceName): CallingGatewayKind | undefined;
  /** What the name is if it has no ordinary instance: a sidecar or a gateway. */
  onlyKindOf(service: ServiceName): string | undefined;
  hasOrdinary(service: ServiceName): boolean;
  /** Whether it certainly has no sidecar and no native mesh integration. */
  isOutsideMesh(service: ServiceName): boolean;
  /** Whether it certainly has no ordinary instance. */
  lacksInstances(service: ServiceName): boolean;
  meshGateways(): readonly ServiceName[];
}

/** Without a catalog nothing is certain, nor in one that `isFiltered` by a selection, which may hide a sidecar. */
export function createKnownServices(catalog: Catalog | undefined, isFiltered: boolean): KnownServices {
  const services = catalog?.services ?? [];
  const byName = new Map<string, CatalogService>();
  for (const service of services) if (!byName.has(service.name.name)) byName.set(service.name.name, service);
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
  const isCertain = (service: ServiceName) => {
    const found = find(service)?.name;
    return isWhole && found?.partition === service.partition && found.namespace === service.namespace;
  };
  const hasOrdinary = (service: ServiceName) =>
    find(service)?.instances.some(({ kind }) => kind === '') ?? false;
  return {
    gatewayKindOf(service) {
      const found = find(service);
      return found && gatewayKindOf(found);
    },
    onlyKindOf(service) {
      const kinds = find(service)?.instances.map(({ kind }) => kind);
      return kinds?.every((kind) => kind !== '') ? kinds[0] : undefined;
    },
    hasOrdinary,
    isOutsideMesh: (service) => isCertain(service) && !inMesh.has(service.name.toLowerCase()),
    lacksInstances: (service) => isCertain(service) && !hasOrdinary(service),
    meshGateways: () =>
      services.flatMap(({ name, instances }) =>
        instances.some(({ kind }) => kind === 'mesh-gateway') ? name : [],
      ),
  };
}
