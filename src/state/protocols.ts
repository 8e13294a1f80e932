import type { Catalog, Protocol } from '../model/catalog.js';
import type { ServiceName } from '../model/intention.js';

/** The protocol that a service speaks, as config entries declare it. */
export function protocolIn(catalog: Catalog | undefined, serviceName: ServiceName): Protocol {
  return catalog?.protocols.get(serviceName.name.toLowerCase()) ?? catalog?.defaultProtocol ?? 'tcp';
}

export function hasSameProtocols(before: Catalog | undefined, after: Catalog): boolean {
  if (before?.defaultProtocol !== after.defaultProtocol || before.protocols.size !== after.protocols.size)
    return false;
  for (const [name, protocol] of after.protocols) if (before.protocols.get(name) !== protocol) return false;
  return true;
}
