import type { ProviderWorld } from '../../conformance/provider-flow.js';
import { type Entra, READER, startEntra } from './entra.js';
import { guidOf } from './tenant.js';

const ROLES = ['orders:read', 'orders:write'];

/** A tenant with one API, whose app roles are the scopes. Graph tells of no client by events. */
export async function startEntraWorld(): Promise<ProviderWorld & { readonly entra: Entra }> {
  const entra = await startEntra();
  const names = new Map<string, string>();
  const held = new Map<string, readonly string[]>();
  const nameOf = (clientId: string) => names.get(clientId) ?? clientId;
  const setScopes = (name: string, scopes: readonly string[]) => {
    const before = held.get(name) ?? [];
    for (const role of before) if (!scopes.includes(role)) entra.unassignRole(name, 'orders', role);
    for (const role of scopes) if (!before.includes(role)) entra.assignRole(name, 'orders', role);
    held.set(name, scopes);
  };
  entra.addApi('orders', ROLES);
  return {
    entra,
    settings: {
      kind: 'entra',
      issuer: entra.issuer,
      graph: entra.origin,
      ...READER,
      apis: [guidOf('orders')],
    },
    async addClient(name, service, scopes) {
      names.set(guidOf(name), name);
      entra.addClient(name, { principal: { notes: `consul-services: ${service}` } });
      setScopes(name, scopes);
      return guidOf(name);
    },
    async setScopes(clientId, scopes) {
      setScopes(nameOf(clientId), scopes);
    },
    async setEnabled(clientId, accountEnabled) {
      entra.changePrincipal(nameOf(clientId), { accountEnabled });
    },
    async deleteClient(clientId) {
      entra.deleteClient(nameOf(clientId));
    },
    takeDeliveries: () => [],
    forge: (delivery) => delivery,
    stop: () => entra.close(),
  };
}
