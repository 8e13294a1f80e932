import type { AccessLogSettings, Consul, ConsulFacts } from '../../consul/consul.js';
import { jsonIn } from '../../model/json-in.js';
import type { Mapping } from '../../model/rule.js';
import { toShellWord } from '../../model/shell-word.js';
import { enforcesJwt } from '../../plan/jwt-requirement.js';
import { jwtProviderName } from '../../plan/object-names.js';
import { needsUserTokens } from '../../read/user-token-facts.js';
import { type Finding, notice, ok, tryRead } from './finding.js';

const PAGE = 'docs/how-to/read-access-logs.md';

/** Whether the access logs of the proxies have what `scopemesh logs` needs, and the entry that adds it. */
export async function logFindings(
  consul: Pick<Consul, 'proxyDefaults'>,
  { version }: Pick<ConsulFacts, 'version'>,
  mapping: Mapping,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  if (!hasAccessLogs(version))
    return [
      notice(
        'logs.version',
        `proxies of Consul ${version} write no access logs by themselves, so scopemesh logs cannot show who called`,
        `if you need that, give the sidecars a listener with an access log (${PAGE}), or upgrade Consul to 1.15 or newer`,
      ),
    ];
  const read = await tryRead(() => consul.proxyDefaults.readAccessLog(signal), signal);
  if (read.why !== undefined) {
    const message = `proxy-defaults is not checked: ${read.why}`;
    return [notice('logs.format', message, 'fix the findings about Consul first')];
  }
  const settings = read.value;
  const format = parseFormat(settings?.jsonFormat ?? '');
  const lacking = Object.entries(NEEDED_FIELDS).flatMap(([field, operator]) =>
    format[field] === operator ? [] : [field],
  );
  if (settings?.isEnabled === true && lacking.length === 0)
    return [ok('logs', 'the access logs of the proxies show who called (scopemesh logs)')];
  const logs = {
    Enabled: true,
    JSONFormat: JSON.stringify({ ...format, ...accessLogFormat(userEntries(mapping, version)) }),
  };
  return [
    notice(
      'logs.format',
      settings?.isEnabled !== true
        ? 'the proxies write no access logs, so scopemesh logs cannot show who called'
        : `the access logs of the proxies do not show who called: ${lacking.join(', ')} of their format are missing or other`,
      `if you need that, write this proxy-defaults entry: ${commandFor(settings, logs)}`,
    ),
  ];
}

/** 1.15 introduced AccessLogs. */
function hasAccessLogs(version: string): boolean {
  const [, major = 0, minor = 0] = (/^v?(\d{1,6})\.(\d{1,6})\./.exec(version) ?? []).map(Number);
  return major > 1 || (major === 1 && minor >= 15);
}

/** Another entry keeps its other fields. Consul refuses a text format beside a JSON format. */
function commandFor(settings: AccessLogSettings | undefined, logs: object): string {
  const entry = JSON.stringify({ Kind: 'proxy-defaults', Name: 'global', AccessLogs: logs });
  const change = `.AccessLogs = ((.AccessLogs // {}) | del(.TextFormat)) + ${JSON.stringify(logs)}`;
  return settings === undefined
    ? `echo ${toShellWord(entry)} | consul config write -`
    : `consul config read -kind proxy-defaults -name global | jq ${toShellWord(change)} | consul config write -`;
}

function parseFormat(text: string): Readonly<Record<string, unknown>> {
  const value = jsonIn(text);
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

/** The jwt-provider entries by which proxies verify users' tokens. */
function userEntries(mapping: Mapping, version: string): ReadonlyMap<string, string> {
  if (!needsUserTokens(mapping) || !enforcesJwt(version)) return new Map();
  return new Map(mapping.providers.map((name) => [name, jwtProviderName(mapping.owner, name)]));
}

/**
 * The operators of Envoy (docs/configuration/observability/access_log/usage) that `scopemesh logs` needs, by the field. The
 * path is the one that the intention judged: Consul's own format prefers the header x-envoy-original-path, which a caller
 * can send.
 */
export const NEEDED_FIELDS = {
  start_time: '%START_TIME%',
  method: '%REQ(:METHOD)%',
  path: '%REQ(:PATH)%',
  response_code_details: '%RESPONSE_CODE_DETAILS%',
  connection_termination_details: '%CONNECTION_TERMINATION_DETAILS%',
  downstream_peer_uri_san: '%DOWNSTREAM_PEER_URI_SAN%',
  downstream_local_uri_san: '%DOWNSTREAM_LOCAL_URI_SAN%',
} as const;

/** Fields for those who read the lines. */
const USEFUL_FIELDS = {
  response_code: '%RESPONSE_CODE%',
  response_flags: '%RESPONSE_FLAGS%',
  duration: '%DURATION%',
  request_id: '%REQ(X-REQUEST-ID)%',
  upstream_cluster: '%UPSTREAM_CLUSTER%',
} as const;

/** A format of access log lines. `users`: jwt-provider entries of users' tokens by the name of the identity provider. */
export function accessLogFormat(users: ReadonlyMap<string, string>): Readonly<Record<string, string>> {
  return {
    ...NEEDED_FIELDS,
    ...USEFUL_FIELDS,
    ...Object.fromEntries(
      [...users].map(([provider, entry]) => [`user_${provider}`, subjectOperator(entry)]),
    ),
  };
}

/** Consul lets Envoy keep the payload of a verified token under this name. */
function subjectOperator(entry: string): string {
  return `%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:jwt_payload_${entry}:sub)%`;
}
