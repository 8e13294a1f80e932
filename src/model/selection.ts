import type { ServiceName } from './intention.js';

/**
 * The part of a Consul and of its identity providers that one instance manages (`select:`). What is outside is treated as
 * if it did not exist, and what the instance wrote there before stays as it is.
 */
export interface Selection {
  /** Whether the instance manages the intentions to this service. Names are compared regardless of case, as in Consul. */
  hasService(serviceName: ServiceName): boolean;
  /** Whether it manages services of this name, in the right places. */
  hasName(name: string): boolean;
  /** Whether it manages any service of this partition and namespace. */
  hasPlace(place: Pick<ServiceName, 'partition' | 'namespace'>): boolean;
  hasClient(client: { readonly clientId: string }): boolean;
  /** Whether some clients are outside. */
  readonly limitsClients: boolean;
}
