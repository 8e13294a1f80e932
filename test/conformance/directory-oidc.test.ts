import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/clock.js';
import { createEmbeddedIdp } from '../../src/embedded/identity-provider/embedded-idp.js';
import { createOidcDirectory } from '../../src/identity/oidc/directory.js';
import { Secret } from '../../src/model/secret.js';
import { noMetrics, silentLogger } from '../../src/observe.js';
import {
  type DirectoryWorld,
  describeDirectory,
  describeMembers,
  type MembersWorld,
  type WorldClient,
} from './directory.js';

const reading = { provider: 'main', clock: systemClock, logger: silentLogger, metrics: noMetrics };

describeDirectory('oidc at the URL of the embedded identity provider', async (): Promise<DirectoryWorld> => {
  const managementToken = new Secret('open-sesame');
  // The one client there from the start keeps the document from being empty.
  const clients = [{ clientId: 'resident', scopes: [] }];
  const idp = await createEmbeddedIdp({ clients, managementToken, pageSize: 10, clock: systemClock });
  const directory = createOidcDirectory({
    ...reading,
    directory: `${idp.issuer}/directory`,
    directoryToken: managementToken,
  });
  const change = async (method: string, path: string, json?: unknown) => {
    const response = await fetch(`${idp.issuer}/clients/${path}`, {
      method,
      headers: { authorization: `Bearer ${managementToken.reveal()}` },
      ...(json === undefined ? {} : { body: JSON.stringify(json) }),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    await response.body?.cancel();
  };
  const segment = encodeURIComponent;
  return {
    directory,
    addClient: ({ clientId, ...client }) => change('PUT', segment(clientId), client),
    addScope: (clientId, scope) => change('POST', `${segment(clientId)}/scopes/${segment(scope)}`),
    removeScope: (clientId, scope) => change('DELETE', `${segment(clientId)}/scopes/${segment(scope)}`),
    setEnabled: (clientId, enabled) => change('PATCH', segment(clientId), { enabled }),
    deleteClient: (clientId) => change('DELETE', segment(clientId)),
    async stop() {
      await directory.close();
      await idp.close();
    },
  };
});

describeDirectory('oidc in a file', async (): Promise<DirectoryWorld> => {
  const folder = await mkdtemp(join(tmpdir(), 'scopemesh-directory-'));
  const path = join(folder, 'clients.json');
  const clients = new Map<string, WorldClient & { enabled: boolean }>();
  const directory = createOidcDirectory({ ...reading, directory: path });
  const write = async () => {
    const written = [...clients.values()].map((client) => ({
      ...client,
      grantTypes: ['client_credentials'],
    }));
    await writeFile(`${path}.new`, JSON.stringify({ clients: written }));
    await rename(`${path}.new`, path);
  };
  const edit = async (
    clientId: string,
    to: (client: WorldClient) => Partial<WorldClient & { enabled: boolean }>,
  ) => {
    const client = clients.get(clientId);
    if (client === undefined) throw new Error(`no client ${clientId}`);
    clients.set(clientId, { ...client, ...to(client) });
    await write();
  };
  const addClient = async (client: WorldClient) => {
    clients.set(client.clientId, { ...client, enabled: true });
    await write();
  };
  await addClient({ clientId: 'resident', scopes: [] });
  return {
    directory,
    addClient,
    addScope: (clientId, scope) => edit(clientId, ({ scopes }) => ({ scopes: [...scopes, scope] })),
    removeScope: (clientId, scope) =>
      edit(clientId, ({ scopes }) => ({ scopes: scopes.filter((each) => each !== scope) })),
    setEnabled: (clientId, enabled) => edit(clientId, () => ({ enabled })),
    async deleteClient(clientId) {
      clients.delete(clientId);
      await write();
    },
    async stop() {
      await directory.close();
      await rm(folder, { recursive: true });
    },
  };
});

describeMembers('oidc at the URL of the embedded identity provider', async (): Promise<MembersWorld> => {
  const managementToken = new Secret('open-sesame');
  const clients = [{ clientId: 'resident', scopes: [] }];
  const idp = await createEmbeddedIdp({ clients, managementToken, clock: systemClock });
  const directory = createOidcDirectory({
    ...reading,
    directory: `${idp.issuer}/directory`,
    directoryToken: managementToken,
  });
  const people = new Map<string, { enabled: boolean; groups: readonly string[] }>();
  const call = async (method: string, subject: string, json?: unknown) => {
    const response = await fetch(`${idp.issuer}/people/${encodeURIComponent(subject)}`, {
      method,
      headers: { authorization: `Bearer ${managementToken.reveal()}` },
      ...(json === undefined ? {} : { body: JSON.stringify(json) }),
    });
    if (!response.ok) throw new Error(`${method} ${subject}: ${response.status} ${await response.text()}`);
    await response.body?.cancel();
  };
  const change = async (subject: string, to: { enabled?: boolean; groups?: readonly string[] }) => {
    const person = { enabled: true, groups: [], ...people.get(subject), ...to };
    people.set(subject, person);
    await call('PUT', subject, person);
  };
  const groupsOf = (subject: string) => people.get(subject)?.groups ?? [];
  return {
    directory,
    addGroup: async (name) => name,
    async addPerson(name, groups) {
      const subject = `auth0|${name}@example.com`;
      await change(subject, { groups });
      return subject;
    },
    join: (subject, group) => change(subject, { groups: [...groupsOf(subject), group] }),
    leave: (subject, group) =>
      change(subject, { groups: groupsOf(subject).filter((each) => each !== group) }),
    setPersonEnabled: (subject, enabled) => change(subject, { enabled }),
    deletePerson: (subject) => call('DELETE', subject),
    async stop() {
      await directory.close();
      await idp.close();
    },
  };
});
