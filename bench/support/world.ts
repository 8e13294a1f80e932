import type { IdpClient } from '../../test/support/idp.js';

export interface WorldService {
  readonly name: string;
  readonly clientId: string;
}

/** Services with their OAuth clients: each service is claimed by its own client. */
export interface World {
  readonly services: readonly WorldService[];
  readonly clients: readonly IdpClient[];
}

/** The one rule of the mapping: a scope opens the service that it names. */
export const CONNECT = '{service}:connect';

export const serviceName = (index: number) => `svc-${String(index).padStart(6, '0')}`;
export const scopeFor = (service: string) => `${service}:connect`;

/** The client of these services; it names them, so that its claim is confirmed. */
export function clientOf(
  clientId: string,
  services: readonly string[],
  scopes: readonly string[],
): IdpClient {
  return {
    clientId,
    enabled: true,
    grantTypes: ['client_credentials'],
    scopes,
    attributes: { 'consul-services': services.join(',') },
  };
}

/** `size` services in a ring: each calls the next `grants`, and is called by the `grants` before it. */
export function ringWorld(size: number, grants: number): World {
  const services = Array.from({ length: size }, (_, index) => ({
    name: serviceName(index),
    clientId: `${serviceName(index)}-app`,
  }));
  const clients = services.map(({ name, clientId }, index) => {
    const called = Array.from({ length: grants }, (_, step) => serviceName((index + step + 1) % size));
    return clientOf(clientId, [name], called.map(scopeFor));
  });
  return { services, clients };
}
