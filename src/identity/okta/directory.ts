import { AsyncLocalStorage } from 'node:async_hooks';
import { z } from 'zod';
import { ClientUnreadable, SyncError } from '../../errors.js';
import { shareRead } from '../../gather.js';
import type { Grant, OAuthClient } from '../../model/client.js';
import type { Logger } from '../../observe.js';
import { abortable } from '../abortable.js';
import type { Directory, DirectorySnapshot, UnreadableClient } from '../directory.js';
import { KnownEntries } from '../known-entries.js';
import { incomplete, WrongShape } from '../read-errors.js';
import { readListedClients } from '../read-listed-clients.js';
import {
  contentOf,
  type ListRecord,
  parseShape,
  readForClient,
  recordOf,
  textIn,
  toUnreadable,
} from '../records.js';
import { accessOf } from './access.js';
import { checkOktaAccess } from './access-check.js';
import { type AiAgents, readAiAgents } from './ai-agents.js';
import type { OktaApi } from './api.js';
import { APP, type OktaApp, toApp, toOAuthClient } from './app.js';
import { type AuthorizationServer, readAuthorizationServers } from './authorization-server.js';
import { readOktaMembers } from './members.js';
import type { OktaNames } from './names.js';
import { readList } from './pages.js';

export interface OktaDirectoryOptions {
  /** Shared with the poll; closed with the directory. */
  readonly api: OktaApi;
  readonly names: OktaNames;
  /** The APIs whose scopes count: authorization servers by ID, issuer or audience; the org's address for Okta's own API. */
  readonly apis: readonly string[];
  /** Whether the org's register of AI agents is read. Needs the role of a super administrator. */
  readonly aiAgents?: boolean;
  /** Entries per page; the maximum by default, which is 200 apps. */
  readonly pageSize?: number;
  readonly logger: Logger;
}

type Client = OktaApp & { readonly clientId: string };

/** What decides, in addition to the app, what it may obtain. */
interface AccessContext {
  readonly servers: readonly AuthorizationServer[];
  readonly agents: AiAgents | undefined;
  /** Throws if an empty list of an app's grants of the org is no proof. It asks once. */
  readonly confirmNoGrants: (orgApi: string) => Promise<void>;
}

const REPEATED = 'two apps have this client id';
const GRANT_READERS = 4;
const APPS = ['api', 'v1', 'apps'];
const ANY_APP = recordOf(APP, 'id');

/** The apps of a list, and the records that cannot be parsed and may be clients. */
interface Apps {
  readonly apps: readonly OktaApp[];
  readonly unreadable: readonly UnreadableClient[];
  /** The client IDs that the list has twice. */
  readonly repeated: ReadonlySet<string>;
}

/**
 * The apps of an org that are OAuth clients. An administrator role for some resources sees only some apps, with status 200.
 * So a list without the app that reads does not count, nor does an empty list, because every org has apps of its own.
 */
export function createOktaDirectory(options: OktaDirectoryOptions): Directory {
  const { api, names, logger } = options;
  const { provider } = api;
  const place = `provider ${provider}, apps`;
  const orgApi = options.apis.find((each) => isOrg(each, api.org));
  const serverApis = options.apis.filter((each) => each !== orgApi);
  const closing = new AbortController();
  const warned = new Set<string>();
  const known = new KnownEntries();
  /** Client IDs that two apps have in the last list. Which app is the client is unknown. */
  let repeated: ReadonlySet<string> = new Set();

  // A read for an event may share one that a complete read began. It must not share the limits of the complete read.
  const sharedAlone = <T extends NonNullable<unknown>>(read: () => Promise<T>) => {
    const share = shareRead(AsyncLocalStorage.bind(read));
    return () => share(closing.signal);
  };
  const readAgents = sharedAlone(() => readAiAgents(api, closing.signal));
  const readServers = sharedAlone(async () => {
    const { servers, unknown } = await readAuthorizationServers(
      api,
      serverApis,
      { names, known },
      closing.signal,
    );
    for (const name of unknown) {
      if (warned.has(name)) continue;
      warned.add(name);
      logger.warn(
        { provider, api: name },
        'apis names an ID, issuer or audience that no authorization server has',
      );
    }
    for (const { api: name } of servers) warned.delete(name);
    return servers;
  });

  /** The app of a record, or why it cannot be parsed. Undefined if it is certainly no client. */
  const appIn = (record: ListRecord<z.output<typeof APP>>): OktaApp | UnreadableClient | undefined => {
    const raw = contentOf(record);
    const mode = textIn(raw, 'signOnMode');
    if (record.fault !== undefined && mode !== undefined && mode !== 'OPENID_CONNECT') return undefined;
    const clientId = textIn(raw, 'credentials', 'oauthClient', 'client_id') ?? names.clientIds.get(record.id);
    if (record.fault !== undefined) return toUnreadable(clientId, record.fault);
    try {
      return toApp(record.value, place);
    } catch (error) {
      if (!(error instanceof WrongShape)) throw error;
      return toUnreadable(clientId, error.message);
    }
  };

  const readApps = async (signal: AbortSignal): Promise<Apps> => {
    // Deactivated apps are still clients. Without this parameter some lists leave them out.
    const query = { limit: options.pageSize ?? 200, includeNonDeleted: true };
    const found = await readList(
      api,
      { segments: APPS, query, scope: 'okta.apps.read', place, entry: ANY_APP },
      signal,
    );
    if (found.length === 0) throw notVisible('no app is in the list');
    const read = found.flatMap((record) => appIn(record) ?? []);
    const apps = read.filter(isApp);
    const unreadable = read.filter(isUnreadable);
    const [first] = unreadable;
    // Then the API has another version, and the fault is not in single records.
    if (apps.length === 0 && first !== undefined) throw incomplete(place, `no app can be read: ${first.why}`);
    if (api.clientId !== undefined && !read.some(({ clientId }) => clientId === api.clientId))
      throw notVisible('the app of scopemesh is not in the list');
    for (const app of apps) if (app.clientId !== undefined) names.addClient(app.id, app.clientId);
    repeated = repeatedIds(apps.filter(isClient));
    return { apps, unreadable, repeated };
  };

  const requireUnique = async ({ clientId }: Client, signal: AbortSignal): Promise<void> => {
    // One of the two may be gone.
    if (repeated.has(clientId)) await readApps(signal);
    if (repeated.has(clientId)) throw new ClientUnreadable(place, clientId, REPEATED);
  };

  const findApp = async (id: string, signal: AbortSignal): Promise<OktaApp | undefined> => {
    if (!/^[A-Za-z0-9_-]{1,100}$/.test(id)) return undefined;
    const answer = await api.find(api.address([...APPS, id]), 'okta.apps.read', place, signal);
    if (answer === undefined) return undefined;
    const record = parseShape(ANY_APP, answer.value, place);
    if (record.id !== id) throw incomplete(place, 'a read of one app returned another');
    const app = appIn(record);
    if (app === undefined) return undefined;
    if (!isApp(app)) throw new ClientUnreadable(place, app.clientId, app.why);
    if (app.clientId !== undefined) names.addClient(app.id, app.clientId);
    return app;
  };

  /** Throws unless this access token sees the app that reads. */
  const confirmAbsence = async (signal: AbortSignal): Promise<undefined> => {
    const { clientId } = api;
    if (clientId === undefined) return undefined;
    const own = await findApp(names.appIds.get(clientId) ?? clientId, signal);
    if (own?.clientId !== clientId) await readApps(signal);
    return undefined;
  };

  const byAppId = async (id: string, signal: AbortSignal): Promise<OktaApp | undefined> =>
    (await findApp(id, signal)) ?? confirmAbsence(signal);

  const byClientId = async (clientId: string, signal: AbortSignal): Promise<OktaApp | undefined> => {
    // The ID of an app is its client ID too, unless somebody chose another client ID.
    const known = names.appIds.get(clientId);
    const app = await findApp(known ?? clientId, signal);
    if (app?.clientId === clientId) return app;
    if (app === undefined && known === clientId) return confirmAbsence(signal);
    const { apps, unreadable } = await readApps(signal);
    const among = apps.find((each) => each.clientId === clientId);
    const invalid =
      unreadable.find((each) => each.clientId === clientId) ??
      // A record without a client ID may be this client's.
      unreadable.find((each) => each.clientId === undefined);
    if (among === undefined && invalid !== undefined)
      throw new ClientUnreadable(place, clientId, invalid.why);
    return among;
  };

  /**
   * Throws unless the list of scopemesh's own grants shows some. Okta gives a service app tokens for its API only with
   * scopes that are granted to it (developer.okta.com/docs/guides/implement-oauth-for-okta-serviceapp). So if the own list
   * is empty, an empty list of another app is no proof either.
   */
  const requireOwnGrants = async (name: string, signal: AbortSignal): Promise<void> => {
    if (api.clientId === undefined) return;
    // Somebody may have chosen a client ID that is not the app's ID.
    if (names.appIds.get(api.clientId) === undefined) await readApps(signal);
    const own = names.appIds.get(api.clientId) ?? api.clientId;
    if ((await readAppGrants(api, name, own, signal)).length > 0) return;
    throw incomplete(`provider ${provider}, apps/grants`, 'scopemesh itself has no grants in its list');
  };

  const readContext = async (signal: AbortSignal): Promise<AccessContext> => {
    const agents = options.aiAgents === true ? readAgents() : undefined;
    const [servers, register] = await abortable(Promise.all([readServers(), agents]), signal);
    let checked: Promise<void> | undefined;
    const confirmNoGrants = async (name: string) => {
      checked ??= requireOwnGrants(name, signal);
      await checked;
    };
    return { servers, agents: register, confirmNoGrants };
  };

  const complete = async (
    app: Client,
    { servers, agents, confirmNoGrants }: AccessContext,
    signal: AbortSignal,
  ): Promise<OAuthClient> => {
    const access = accessOf(app, servers);
    const orgGrants = orgApi === undefined ? [] : await readAppGrants(api, orgApi, app.id, signal);
    if (orgApi !== undefined && orgGrants.length === 0) await confirmNoGrants(orgApi);
    const lifetimes = [access.lifetimeSeconds, orgGrants.length === 0 ? undefined : ORG_LIFETIME_SECONDS];
    const known = lifetimes.filter((each) => each !== undefined);
    const lifetimeSeconds = known.length === 0 ? undefined : Math.min(...known);
    const obtained = { grants: [...access.grants, ...orgGrants], lifetimeSeconds };
    return toOAuthClient(provider, app, obtained, agents?.(app));
  };

  const readApp = async (
    app: OktaApp | undefined,
    signal: AbortSignal,
    known?: AccessContext,
  ): Promise<OAuthClient | undefined> => {
    if (app === undefined || !isClient(app)) return undefined;
    await requireUnique(app, signal);
    const context = known ?? (await readContext(signal));
    return readForClient(app.clientId, place, () => complete(app, context, signal));
  };

  return {
    provider,
    async readAll(signal): Promise<DirectorySnapshot> {
      signal.throwIfAborted();
      const before = api.requests();
      const [list, context] = await Promise.all([readApps(signal), readContext(signal)]);
      // Of this list: a read of one app below may read another.
      const { apps, unreadable, repeated } = list;
      const listed = apps.filter(isClient);
      // An app that was deleted and created again between two pages is in the list twice. The list does not say which is old.
      const clients = listed.filter(({ clientId }) => !repeated.has(clientId));
      const found = await readListedClients(
        clients,
        GRANT_READERS,
        (app) => complete(app, context, signal),
        async ({ clientId }) => readApp(await byClientId(clientId, signal), signal, context),
      );
      return {
        clients: found.clients,
        unreadable: [
          ...unreadable,
          ...[...repeated].map((clientId) => toUnreadable(clientId, REPEATED)),
          ...found.unreadable,
        ],
        requests: api.requests() - before,
      };
    },
    async read(by, value, signal) {
      signal.throwIfAborted();
      if (by === 'serviceAccount')
        throw new SyncError('ERR_INTERNAL', `provider ${provider}: Okta has no service accounts`, {
          retriable: false,
        });
      const app = by === 'clientId' ? await byClientId(value, signal) : await byAppId(value, signal);
      return readApp(app, signal);
    },
    readMembers: (groups, signal, admitted) => readOktaMembers({ api, logger, admitted }, groups, signal),
    checkAccess: (signal) =>
      checkOktaAccess(
        api,
        { readsGrants: orgApi !== undefined, readsAgents: options.aiAgents === true },
        signal,
      ),
    async close() {
      closing.abort(new Error('closed'));
      await api.close();
    },
  };

  function notVisible(what: string) {
    const remedy = 'give its service app the role Read-Only Administrator, for all resources';
    return incomplete(place, `${what}; ${remedy}`, false);
  }
}

function isApp(each: OktaApp | UnreadableClient): each is OktaApp {
  return 'grantTypes' in each;
}

function isUnreadable(each: OktaApp | UnreadableClient): each is UnreadableClient {
  return !isApp(each);
}

function repeatedIds(clients: readonly Client[]): ReadonlySet<string> {
  const seen = new Set<string>();
  const isRepeated = ({ clientId }: Client) => seen.size === seen.add(clientId).size;
  return new Set(clients.filter(isRepeated).map(({ clientId }) => clientId));
}

function isClient(app: OktaApp): app is Client {
  return app.clientId !== undefined;
}

function isOrg(name: string, org: URL): boolean {
  return URL.canParse(name) && new URL(name).href === org.href;
}

const APP_GRANT = z.looseObject({ id: z.string().min(1), status: z.string(), scopeId: z.string().min(1) });

/** Access tokens of the org authorization server are valid for one hour, which cannot be changed. */
const ORG_LIFETIME_SECONDS = 3600;

/** The Okta API scopes that an administrator granted to an app, as grants of the API `name`. */
async function readAppGrants(
  api: OktaApi,
  name: string,
  appId: string,
  signal: AbortSignal,
): Promise<readonly Grant[]> {
  const segments = ['api', 'v1', 'apps', appId, 'grants'];
  const place = `provider ${api.provider}, apps/grants`;
  const list = { segments, scope: 'okta.appGrants.read', place, entry: APP_GRANT } as const;
  const found = await readList(api, list, signal);
  const active = found.filter(({ status }) => status === 'ACTIVE').map(({ scopeId }) => scopeId);
  return [...new Set(active)].sort().map((scope) => ({ api: name, name: scope }));
}
