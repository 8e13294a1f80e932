import type { Delivery, ProviderWorld } from '../../conformance/provider-flow.js';
import { API, type Auth0, READER, startAuth0 } from './auth0.js';
import { shape } from './shapes.js';

const AUTHORIZATION = 'Bearer stream-0123456789';

/** A tenant with one API and a log stream to scopemesh. */
export async function startAuth0World(): Promise<ProviderWorld & { readonly tenant: Auth0 }> {
  const tenant = await startAuth0();
  let deliveries: Delivery[] = [];
  tenant.onEntry = (entry) => {
    deliveries.push({
      headers: { 'content-type': 'application/json', authorization: AUTHORIZATION },
      body: JSON.stringify([shape('log-stream', { log_id: entry.log_id, data: entry })]),
    });
  };
  tenant.addApi(API, ['orders:read', 'orders:write']);
  return {
    tenant,
    settings: {
      kind: 'auth0',
      issuer: tenant.issuer,
      ...READER,
      apis: [API],
      webhook: { secrets: [AUTHORIZATION] },
    },
    async addClient(name, service, scopes) {
      tenant.addClient(name, { client_metadata: { 'consul-services': service } });
      if (scopes.length > 0) tenant.grant(name, scopes);
      return name;
    },
    async setScopes(clientId, scopes) {
      tenant.grant(clientId, scopes);
    },
    async setEnabled(clientId, enabled) {
      tenant.changeClient(clientId, { grant_types: enabled ? ['client_credentials'] : [] });
    },
    async deleteClient(clientId) {
      tenant.changeClient(clientId, undefined);
    },
    takeDeliveries() {
      const taken = deliveries;
      deliveries = [];
      return taken;
    },
    forge: ({ headers, body }) => ({ headers: { ...headers, authorization: 'Bearer somebody' }, body }),
    stop: () => tenant.close(),
  };
}
