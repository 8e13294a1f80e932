import type { Delivery, ProviderWorld } from '../../conformance/provider-flow.js';
import { startOidcWorld } from '../oidc-world.js';
import { createSigner } from './set-signer.js';
import { startTransmitter } from './transmitter.js';

const CAEP = 'https://schemas.openid.net/secevent/caep/event-type/';
const RISC = 'https://schemas.openid.net/secevent/risc/event-type/';

/** A directory document, of whose changes nothing tells but shared signals about its clients. */
export async function startSsfWorld(): Promise<ProviderWorld> {
  const directory = await startOidcWorld();
  const transmitter = await startTransmitter({ now: Date.now });
  const stranger = createSigner('key-1');
  const { webhook: _, ...settings } = directory.settings;
  let deliveries: Delivery[] = [];
  const headers = { 'content-type': 'application/secevent+jwt', accept: 'application/json' };
  const tell = (type: string, clientId: string) => {
    const application = { format: 'iss_sub', iss: settings.issuer, sub: clientId };
    const claims = transmitter.claims({ [type]: {} }, { sub_id: { format: 'complex', application } });
    deliveries.push({ headers, body: transmitter.signers[0]?.sign(claims) ?? '' });
  };
  return {
    settings: { ...settings, ssf: { transmitter: transmitter.issuer, audience: transmitter.aud } },
    forgedStatus: 400,
    addClient: (name, service, scopes) => directory.addClient(name, service, scopes),
    async setScopes(clientId, scopes) {
      await directory.setScopes(clientId, scopes);
      tell(`${CAEP}token-claims-change`, clientId);
    },
    async setEnabled(clientId, enabled) {
      await directory.setEnabled(clientId, enabled);
      tell(`${RISC}account-${enabled ? 'enabled' : 'disabled'}`, clientId);
    },
    async deleteClient(clientId) {
      await directory.deleteClient(clientId);
      tell(`${RISC}account-purged`, clientId);
    },
    takeDeliveries() {
      const taken = deliveries;
      deliveries = [];
      return taken;
    },
    forge({ body }) {
      const claims: object = JSON.parse(Buffer.from(body.split('.')[1] ?? '', 'base64url').toString());
      return { headers, body: stranger.sign(claims) };
    },
    async stop() {
      await Promise.all([directory.stop(), transmitter.close()]);
    },
  };
}
