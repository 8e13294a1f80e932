import type { Config, ProviderSettings } from '../../../config/config.js';
import { groupsOf, rulesOfGroups } from '../../acl/plan/plan-people.js';
import type { Provider } from '../../app/adapter-factory.js';
import { accessNeeded, type ProviderHealth } from '../../app/provider-health.js';
import { claimText, clientClaims, groupClaim, groupHint } from '../../app/token-claims.js';
import { messageOf } from '../../errors.js';
import type { Directory, DirectorySnapshot } from '../../identity/directory.js';
import { createHttpClient } from '../../identity/http-client.js';
import type { OAuthClient } from '../../model/client.js';
import { definedFields } from '../../model/defined-fields.js';
import type { Runtime } from '../../runtime.js';
import type { WorldState } from '../../state/world-state.js';
import { durationText } from '../terminal/duration-text.js';
import { wantsAcl } from './acl-use.js';
import { error, type Finding, namesText, notice, ok, warning } from './finding.js';
import { skewFinding } from './skew.js';

const DISCOVERY_TIMEOUT_MS = 5_000;

/** What a running daemon knows of its providers; undefined if no daemon answers. */
export type KnownHealth = readonly ProviderHealth[] | undefined;

/**
 * One identity provider: what its credentials can read, whether its events arrive, and its clock. Puts its clients into
 * the world.
 */
export async function providerFindings(
  { settings, directory, source }: Provider,
  config: Config,
  world: WorldState,
  health: KnownHealth,
  runtime: Runtime,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const { clock } = runtime;
  const { name } = settings;
  const findings: Finding[] = [];
  let isRead = true;
  try {
    const read = world.beginRead();
    const snapshot = await directory.readAll(signal);
    const { clients, unreadable } = snapshot;
    world.putDirectory(name, clients, read, clock.now(), unreadable);
    findings.push(
      ok(`provider.${name}`, `provider ${name} can be read completely: ${clients.length} clients`),
      ...clientFindings(settings, config, snapshot),
      ...(await memberFindings(directory, world, signal)),
      ...groupClaimFindings(settings, world),
      ...clientClaimFindings(name, world),
    );
  } catch (cause) {
    signal.throwIfAborted();
    isRead = false;
    const why = messageOf(cause).replace(`provider ${name}, `, '');
    findings.push(
      error(
        `provider.${name}`,
        `provider ${name} cannot be read: ${why}`,
        'check its address, its credentials and their permissions',
      ),
    );
  }
  // A document has only one permission, and the finding above reports it.
  if (isRead || settings.kind !== 'oidc') findings.push(...(await accessFindings(directory, config, signal)));
  findings.push(
    source === undefined
      ? notice(
          `provider.${name}.webhook`,
          `provider ${name} has no webhook: scopemesh sees a change at the next poll, up to ${settings.pollMs / 1000} s later`,
          `configure webhook.secrets and let the provider send to POST /events/${name}`,
        )
      : webhookFinding(name, health, clock.now()),
  );
  findings.push(...pauseFindings(name, health));
  findings.push(...wayFindings(settings, runtime.proxy));
  findings.push(...(await documentFindings(settings, wantsAcl(config), runtime, signal)));
  return findings;
}

/** A secret in the file says nothing about whether the provider sends anything. */
function webhookFinding(name: string, known: KnownHealth, now: number): Finding {
  const id = `provider.${name}.webhook`;
  const url = `POST /events/${name}`;
  const isSet = `provider ${name} has a webhook secret`;
  const remedy = `change a client at the provider, and check that the provider sends its events to ${url} of the daemon`;
  if (known === undefined)
    return notice(id, `${isSet}; whether events arrive is not known, because no daemon answers`, remedy);
  const lastEventAt = known.find(({ provider }) => provider === name)?.webhook?.lastEventAt ?? null;
  if (lastEventAt === null) return notice(id, `${isSet}; last event: never`, remedy);
  const age = durationText((now - Date.parse(lastEventAt)) / 1000);
  return ok(id, `provider ${name} sends its events to ${url}; last event: ${age} ago`);
}

/** Which CA and which proxy the other findings depend on. */
function* wayFindings(
  { name, issuer, caFile }: ProviderSettings,
  proxy: Runtime['proxy'],
): Iterable<Finding> {
  if (caFile !== undefined)
    yield ok(`provider.${name}.ca`, `provider ${name} is trusted by the CAs of ${caFile} alone`);
  if (proxy === undefined || !issuer.startsWith('https:')) return;
  const { protocol, host } = new URL(proxy.url.reveal());
  const except = proxy.except === '' ? '' : `, except to the hosts of NO_PROXY (${proxy.except})`;
  yield ok(
    `provider.${name}.proxy`,
    `requests to provider ${name} go by the proxy ${protocol}//${host} (HTTPS_PROXY)${except}`,
  );
}

/** The daemon meets limits that the few requests of doctor do not. */
function* pauseFindings(name: string, known: KnownHealth): Iterable<Finding> {
  const pause = known?.find(({ provider }) => provider === name)?.pause ?? null;
  if (pause?.why !== 'rate-limit') return;
  yield error(
    `provider.${name}.paused`,
    `provider ${name} has limited the rate of the daemon's requests for ${durationText(pause.sinceSeconds)}: scopemesh sees changes late, unless a signed event reports them`,
    'let everything behind the same address and credentials send less, make poll and fullRead longer, or ask for a higher limit',
  );
}

function* clientFindings(
  { name, apis = [] }: ProviderSettings,
  config: Config,
  { clients, unreadable }: DirectorySnapshot,
): Iterable<Finding> {
  const [first] = unreadable;
  if (first !== undefined)
    yield warning(
      `provider.${name}.unreadable`,
      `${unreadable.length} clients of provider ${name} cannot be read, so they gain nothing; for example ${JSON.stringify(first.clientId ?? '(no readable id)')}: ${first.why}`,
      'correct these records at the identity provider',
    );
  const namesService = ({ attributes }: OAuthClient) => attributes['consul-services'] !== undefined;
  if (config.services.claims === 'confirmed' && !clients.some(namesService))
    yield warning(
      `provider.${name}.confirmations`,
      `no client of provider ${name} names a service, so no claim counts (services.claims: confirmed)`,
      'give each client the attribute consul-services with the names of its services',
    );
  const held = new Set(clients.flatMap(({ grants }) => grants.map(({ api }) => api)));
  // An API with a mistyped name, or one that was deleted, opens nothing.
  const unheld = apis.filter((api) => !held.has(api));
  if (unheld.length > 0)
    yield warning(
      `provider.${name}.apis`,
      `no client of provider ${name} holds a scope of ${unheld.join(', ')}, so this API opens nothing`,
      'if a client should, check that the API exists, and write it under apis exactly as the provider names it',
    );
}

/** Nothing else reports a group with a mistyped name, which admits nobody. */
async function memberFindings(
  directory: Directory,
  { mapping }: WorldState,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const { provider } = directory;
  const groups = groupsOf(mapping, provider);
  if (groups.length === 0 || directory.readMembers === undefined) return [];
  const id = `provider.${provider}.groups`;
  try {
    const members = await directory.readMembers(groups, signal);
    const empty = groups.filter((group) => (members.get(group) ?? []).length === 0);
    return empty.length === 0
      ? [ok(id, `every mapped group of provider ${provider} has members: ${groups.join(', ')}`)]
      : [
          warning(
            id,
            `${empty.join(', ')} of provider ${provider} has no members, so it lets nobody log in to Consul`,
            'if it should have members, write the group exactly as the provider names it',
          ),
        ];
  } catch (cause) {
    signal.throwIfAborted();
    return [
      error(
        id,
        `the members of the groups of provider ${provider} cannot be read, so nobody gains or loses access by a group: ${messageOf(cause)}`,
        'let its credentials read groups and people, or remove the groups from the configuration',
      ),
    ];
  }
}

/** Consul refuses a token that names the group differently than the mapping, and does not say why. */
function* groupClaimFindings({ name, kind }: ProviderSettings, { mapping }: WorldState): Iterable<Finding> {
  const rules = rulesOfGroups(mapping, name);
  const provider = mapping.acl.providers.get(name);
  if (rules.length === 0 || provider === undefined) return;
  const claims = rules.map((rule) => claimText(groupClaim(rule, provider)));
  const [hint] = rules.flatMap((rule) => groupHint(kind, rule) ?? []);
  const aud = claimText({ claim: 'aud', must: 'contain', value: provider.audience ?? '' });
  yield notice(
    `provider.${name}.group-claims`,
    `doctor sees no tokens: a person of provider ${name} logs in to Consul only if in the access token ${aud} and, by group, ${namesText(claims)}`,
    `compare that with the payload of a person's access token; scopemesh explain --person ${name}/SUBJECT prints all conditions${hint === undefined ? '' : `. ${hint}`}`,
  );
}

/** Consul refuses a client's token whose subject is not what it expects, and does not say why. */
function clientClaimFindings(name: string, { mapping }: WorldState): readonly Finding[] {
  const { acl, rules } = mapping;
  const provider = acl.providers.get(name);
  const mayLogIn =
    acl.login || rules.some((rule) => rule.acl !== undefined && (rule.provider ?? name) === name);
  if (!mayLogIn || (provider?.audience ?? '') === '' || provider === undefined) return [];
  const claims = clientClaims(provider, 'CLIENT-ID', 'workload', 'own').map(claimText);
  return [
    notice(
      `provider.${name}.client-claims`,
      `doctor sees no tokens: a client of provider ${name} logs in to Consul with a token of its own only if ${claims.join(', ')}`,
      `compare that with the payload of a client's access token, with its client ID for CLIENT-ID; scopemesh explain --client ${name}/CLIENT-ID prints the conditions of each client`,
    ),
  ];
}

/** The missing permissions, by their names at the provider. */
async function accessFindings(
  directory: Directory,
  config: Config,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const { provider } = directory;
  try {
    const all = (await directory.checkAccess?.(signal)) ?? [];
    const checks = accessNeeded(all, config);
    const missing = checks.filter(({ isGranted }) => !isGranted);
    const id = `provider.${provider}.access`;
    const optional = all.flatMap((check) => {
      const { permission, isGranted, withoutIt } = check;
      if (isGranted || withoutIt === undefined || checks.includes(check)) return [];
      const message = `provider ${provider} does not grant ${permission}: ${withoutIt}`;
      return [notice(id, message, `grant ${permission} to the client or account that scopemesh reads with`)];
    });
    if (checks.length > 0 && missing.length === 0)
      return [
        ok(id, `provider ${provider} grants ${checks.map(({ permission }) => permission).join(', ')}`),
        ...optional,
      ];
    const needed = missing.map(({ permission, neededFor, remedy }) =>
      remedy === undefined
        ? warning(
            id,
            `provider ${provider} does not grant ${permission}: scopemesh cannot read ${neededFor}`,
            `grant ${permission} to the client or account that scopemesh reads with`,
          )
        : error(
            id,
            `provider ${provider} has switched ${permission} off: scopemesh cannot read ${neededFor}`,
            remedy,
          ),
    );
    return [...needed, ...optional];
  } catch {
    // Another finding reports that the provider cannot be reached.
    signal.throwIfAborted();
    return [];
  }
}

/**
 * The clock by the Date header of the discovery document; no finding without that header. Consul follows a redirect of the document
 * to get the keys of logins. Nobody else does, so what is there was never checked.
 */
async function documentFindings(
  { name, issuer, caCert }: ProviderSettings,
  hasLogins: boolean,
  { clock, metrics, proxy }: Runtime,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const options = { provider: name, metrics, timeoutMs: DISCOVERY_TIMEOUT_MS, connections: 1 };
  const http = createHttpClient({ ...options, ...definedFields({ caCert, proxy }) });
  try {
    const url = new URL(`${issuer.replace(/\/+$/, '')}/.well-known/openid-configuration`);
    const { status, headers } = await http.request(url, 'discovery document', {}, signal);
    if (status >= 300 && status < 400)
      return [
        (hasLogins ? error : warning)(
          `provider.${name}.issuer`,
          `the discovery document of provider ${name} answers ${status}, a redirect: scopemesh does not follow it, but Consul does, and would take the keys of logins from there; no login is made or widened`,
          'set issuer to the URL that the document names as its issuer, or let the provider answer without a redirect',
        ),
      ];
    const date = Date.parse(headers.date ?? '');
    if (Number.isNaN(date)) return [];
    return skewFinding(
      `provider.${name}.clock`,
      `provider ${name}`,
      new Date(date).toISOString(),
      clock.now(),
    );
  } catch {
    signal.throwIfAborted();
    return [];
  } finally {
    await http.close();
  }
}
