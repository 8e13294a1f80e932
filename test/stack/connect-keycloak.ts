import { KEYCLOAK_ADMIN, type KeycloakHandle } from './keycloak.js';
import { KeycloakAdmin } from './keycloak-admin.js';

/** Where `keycloak-of-run.ts` says the address of the Keycloak that the files of a run share. */
export const KEYCLOAK_OF_RUN = 'SCOPEMESH_KEYCLOAK_OF_RUN';

const START_MS = 250_000;

/** A Keycloak that other files use at the same time: each has realms of its own, with names that no other file has. */
export type KeycloakOfRun = Pick<KeycloakHandle, 'address' | 'admin'>;

/** The Keycloak of this run, which starts for the first file that asks. Its start costs 15 s of processor time. */
export async function connectKeycloak(): Promise<KeycloakOfRun> {
  const offer = process.env[KEYCLOAK_OF_RUN];
  if (offer === undefined) throw new Error('this project of vitest.config.ts offers no Keycloak');
  const answer = await fetch(offer, { signal: AbortSignal.timeout(START_MS) });
  const address = await answer.text();
  if (!answer.ok) throw new Error(address);
  return { address, admin: new KeycloakAdmin(address, KEYCLOAK_ADMIN) };
}
