import { expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { createKeycloak } from '../../../src/identity/keycloak/keycloak.js';
import { Secret } from '../../../src/model/secret.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { connectKeycloak } from '../../stack/connect-keycloak.js';

const REALM = 'busy';

it('a list is read whole while a client is created and deleted again and again between its pages', async () => {
  const { address, admin } = await connectKeycloak();
  await admin.createRealm(REALM);
  const { clientId, clientSecret } = await admin.createReader(REALM);
  const { directory } = createKeycloak({
    provider: 'main',
    issuer: `${address}/realms/${REALM}`,
    clientId,
    clientSecret: new Secret(clientSecret),
    serviceAccountRoles: true,
    webhookSecrets: [],
    pageSize: 7,
    clock: systemClock,
    logger: silentLogger,
    metrics: noMetrics,
  });
  const names = Array.from({ length: 20 }, (_, at) => `still-${at}`);
  for (const name of names) await admin.createClient(REALM, name, {});
  let turns = 0;
  let isOver = false;
  const churn = async () => {
    for (; !isOver; turns++) {
      // Before all others in the list, so that every later page moves.
      await admin.createClient(REALM, 'a-moving-client', {});
      await admin.deleteClient(REALM, 'a-moving-client');
    }
  };
  const churning = churn();
  try {
    for (let read = 0; read < 4; read++) {
      const { clients } = await directory.readAll(new AbortController().signal);
      expect(clients.map((client) => client.clientId)).toEqual(expect.arrayContaining(names));
    }
  } finally {
    isOver = true;
    await churning;
  }
  expect(turns).toBeGreaterThan(4);
  await directory.close();
  await admin.deleteRealm(REALM);
});
