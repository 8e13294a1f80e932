import type { Delivery, ProviderWorld } from '../conformance/provider-flow.js';
import { secretOf, startIdp } from './idp.js';

/** A directory document and its signed events. */
export async function startOidcWorld(): Promise<ProviderWorld> {
  const idp = await startIdp({ single: true, now: Date.now });
  let deliveries: Delivery[] = [];
  const tell = (type: string, clientId: string) => deliveries.push(idp.sign({ type, data: { clientId } }));
  return {
    settings: {
      kind: 'oidc',
      issuer: 'http://127.0.0.1/main',
      directory: idp.url,
      directoryToken: idp.directoryToken,
      webhook: { secrets: [idp.webhookSecret] },
    },
    async addClient(name, service, scopes) {
      idp.put(name, ...scopes);
      idp.change(name, { attributes: { 'consul-services': service } });
      tell('client.created', name);
      return name;
    },
    async setScopes(clientId, scopes) {
      idp.put(clientId, ...scopes);
      tell('client.updated', clientId);
    },
    async setEnabled(clientId, enabled) {
      idp.change(clientId, { enabled });
      tell(enabled ? 'client.updated' : 'client.disabled', clientId);
    },
    async deleteClient(clientId) {
      idp.clients.delete(clientId);
      tell('client.deleted', clientId);
    },
    takeDeliveries() {
      const taken = deliveries;
      deliveries = [];
      return taken;
    },
    forge(delivery) {
      const { type, data } = JSON.parse(delivery.body);
      return idp.sign({ type, data, secret: secretOf(9) });
    },
    stop: () => idp.close(),
  };
}
