import { isLoopback } from '../src/model/is-loopback.js';
import { isRecord } from '../src/model/is-record.js';
import { isPlainPath, type PlainPath } from '../src/model/plain-path.js';
import { Secret } from '../src/model/secret.js';
import { parseWebhookSecret, WEBHOOK_SECRET_REMEDY } from '../src/standard-webhooks.js';
import { type ConfigPath, formatPath } from './config-error.js';
import { parseUrl } from './fields.js';
import { type Finding, finding } from './finding.js';
import { captureNames, patternFault, templateFault } from './pattern.js';

// These checks span several keys. They also run on a file that the schema refuses, so that all faults are reported at
// once: they check values of the right type and leave the rest to the schema.

export type KeyValues = Readonly<Record<string, unknown>>;

/** The faults in combinations of keys of an expanded file. */
export function crossFindings(file: unknown): Finding[] {
  const root = asMap(file);
  const providers = asList(root.providers).map(asMap);
  return [
    ...providers.flatMap((provider, index) => providerFindings(provider, ['providers', index])),
    ...repeated(providers, ['providers'], 'name', 'another provider has this name; give each its own'),
    // The proxy would remove what it wrote for the one provider when it verifies the token of the other.
    ...repeated(
      providers,
      ['providers'],
      'forwardUserAs',
      'another provider forwards users in this header; give each its own',
    ),
    ...Object.keys(asMap(root.scopes)).flatMap(scopeFindings),
    ...eachRule(root).flatMap(({ scope, rule, path }) => [
      ...ruleFindings(scope, rule, path),
      ...ownerFindings(rule, path, providers),
    ]),
    ...sharedSecrets(providers, asList(asMap(root.decisions).webhooks).map(asMap)),
    ...loginFindings(asList(asMap(asMap(root.http).console).login).map(asMap), providers),
    ...tlsFindings(asMap(asMap(root.consul).tls), ['consul', 'tls']),
    ...tlsFindings(asMap(asMap(root.decisions).tls), ['decisions', 'tls']),
    ...webhookFindings(asList(asMap(root.decisions).webhooks).map(asMap), ['decisions', 'webhooks']),
    ...signingKeyFindings(asMap(root.queue), asMap(root.decisions)),
  ];
}

/** Every rule of the mapping with its path, for scopes with one rule or a list. */
export function eachRule(file: unknown): { scope: string; rule: KeyValues; path: ConfigPath }[] {
  return Object.entries(asMap(asMap(file).scopes)).flatMap(([scope, value]) =>
    (Array.isArray(value) ? value : [value]).flatMap((rule: unknown, index) => {
      const path = Array.isArray(value) ? ['scopes', scope, index] : ['scopes', scope];
      return isRecord(rule) ? [{ scope, rule, path }] : [];
    }),
  );
}

export function asMap(value: unknown): KeyValues {
  return isRecord(value) ? value : {};
}

export function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function loginFindings(logins: readonly KeyValues[], providers: readonly KeyValues[]): Finding[] {
  return logins.flatMap(({ provider }, index) =>
    typeof provider === 'string' && !providers.some(({ name }) => name === provider)
      ? [
          finding(
            ['http', 'console', 'login', index, 'provider'],
            'is not the name of a provider in this file',
          ),
        ]
      : [],
  );
}

function scopeFindings(scope: string): Finding[] {
  const fault = scope.length > 512 ? 'is longer than 512 characters' : patternFault(scope);
  return fault === undefined ? [] : [finding(['scopes', scope], fault, 'key')];
}

/** As the schema reads a toggle. */
function isOn(value: unknown): boolean {
  return value === true || value === 'on' || value === 'true';
}

function repeated(entries: readonly KeyValues[], path: ConfigPath, key: string, fault: string): Finding[] {
  const seen = new Set<unknown>();
  return entries.flatMap(({ [key]: value }, index) => {
    const isRepeated = typeof value === 'string' && seen.has(value);
    seen.add(value);
    return isRepeated ? [finding([...path, index, key], fault)] : [];
  });
}

function providerFindings(provider: KeyValues, path: ConfigPath): Finding[] {
  const findings: Finding[] = [];
  const urls = provider.kind === 'oidc' ? ['issuer', 'directory'] : ['issuer', 'org'];
  const ssf = asMap(provider.ssf);
  const plainHttp =
    'plain http to a host that is not loopback; use https, or set "insecure: true" on this provider';
  for (const [keys, value] of [
    ...urls.map((key) => [[key], provider[key]] as const),
    ...['transmitter', 'tokenIssuer', 'endpoint'].map((key) => [['ssf', key], ssf[key]] as const),
  ]) {
    const at = [...path, ...keys];
    const parsed = typeof value === 'string' ? parseUrl(value) : undefined;
    if (parsed?.protocol === 'http:' && !isLoopback(parsed.hostname) && !isOn(provider.insecure))
      findings.push(finding(at, plainHttp));
    if (keys[0] === 'directory' && parsed !== undefined && (parsed.username !== '' || parsed.password !== ''))
      findings.push(finding(at, 'must not hold a user name or password; use "directoryToken"'));
  }
  if (provider.kind === 'keycloak' && Object.hasOwn(provider, 'apis') && !isOn(provider.serviceAccountRoles))
    findings.push(finding([...path, 'apis'], 'applies only to roles; add "serviceAccountRoles: on"', 'key'));
  if (provider.kind !== 'oidc') return findings;
  return [
    ...findings,
    ...secretFindings(asList(asMap(provider.webhook).secrets), [...path, 'webhook', 'secrets']),
  ];
}

/** A secret that two know proves neither: one of them could send the events of the other. */
function sharedSecrets(providers: readonly KeyValues[], webhooks: readonly KeyValues[]): Finding[] {
  const lists: readonly (readonly [ConfigPath, unknown])[] = [
    ...providers.flatMap(({ webhook, ssf }, index) => [
      [['providers', index, 'webhook', 'secrets'], asMap(webhook).secrets] as const,
      [['providers', index, 'ssf', 'pushTokens'], asMap(ssf).pushTokens] as const,
    ]),
    ...webhooks.map(({ secrets }, index) => [['decisions', 'webhooks', index, 'secrets'], secrets] as const),
  ];
  const firstAt = new Map<unknown, ConfigPath>();
  return lists.flatMap(([path, secrets]) =>
    asList(secrets).flatMap((secret, index) => {
      if (typeof secret !== 'string' || secret === '') return [];
      const first = firstAt.get(secret) ?? path;
      firstAt.set(secret, first);
      const place = formatPath(first);
      return first === path ? [] : [finding([...path, index], `is in ${place} as well; create one for each`)];
    }),
  );
}

/** Of secrets of Standard Webhooks. The schema refuses an empty one. */
function secretFindings(secrets: readonly unknown[], path: ConfigPath): Finding[] {
  return secrets.flatMap((secret, index) => {
    if (typeof secret !== 'string' || secret === '') return [];
    const parsed = parseWebhookSecret(new Secret(secret));
    return 'fault' in parsed ? [finding([...path, index], `${parsed.fault}; ${WEBHOOK_SECRET_REMEDY}`)] : [];
  });
}

function webhookFindings(webhooks: readonly KeyValues[], path: ConfigPath): Finding[] {
  const each = webhooks.flatMap(({ url, secrets }, index) => {
    const parsed = typeof url === 'string' ? parseUrl(url) : undefined;
    const isPlain = parsed?.protocol === 'http:' && !isLoopback(parsed.hostname);
    return [
      ...(isPlain
        ? [finding([...path, index, 'url'], 'is plain http to a host that is not loopback; use https')]
        : []),
      ...secretFindings(asList(secrets), [...path, index, 'secrets']),
    ];
  });
  const sameName = 'another webhook has this name; give each its own';
  return [...repeated(webhooks, path, 'name', sameName), ...each];
}

const PATH_FORMS = ['path', 'pathExact', 'pathPrefix', 'pathRegex'] as const;
const HTTP_KEYS = ['methods', ...PATH_FORMS, 'rawPath', 'headers'] as const;
const HEADER_FORMS = ['present', 'exact', 'prefix', 'suffix', 'regex'] as const;

function ruleFindings(scope: string, rule: KeyValues, path: ConfigPath): Finding[] {
  const findings: Finding[] = [];
  const has = (key: string) => Object.hasOwn(rule, key);
  const refuse = (key: string, fault: string) => findings.push(finding([...path, key], fault, 'key'));
  if (!has('to') && !has('acl'))
    findings.push(finding(path, 'opens nothing; name a destination with "to" or ACL rules with "acl"'));
  if (has('to') && has('acl')) refuse('acl', 'cannot be combined with "to"; write two rules as a list');
  if (!has('to')) {
    for (const key of [...HTTP_KEYS, 'user'].filter(has))
      refuse(key, 'applies only together with "to"; remove it or name a destination');
  }
  const secondForm = `is a second form of path; keep one of ${PATH_FORMS.join(', ')}, or write two rules as a list`;
  for (const key of PATH_FORMS.filter(has).slice(1)) refuse(key, secondForm);
  findings.push(...rawPathFindings(rule, path));
  for (const [index, header] of asList(rule.headers).map(asMap).entries()) {
    const forms = HEADER_FORMS.filter((form) => Object.hasOwn(header, form)).length;
    const fault = `needs exactly one condition; write one of ${HEADER_FORMS.join(', ')}`;
    if (forms !== 1) findings.push(finding([...path, 'headers', index], fault));
  }
  if (typeof rule.to === 'string' && rule.to !== '')
    findings.push(...destinationFindings(scope, rule.to, [...path, 'to']));
  return findings;
}

function rawPathFindings(rule: KeyValues, path: ConfigPath): Finding[] {
  const has = (key: string) => Object.hasOwn(rule, key);
  if (has('rawPath') && has('to') && !has('path') && !has('pathPrefix'))
    return [
      finding([...path, 'rawPath'], 'applies only together with "path" or "pathPrefix"; remove it', 'key'),
    ];
  if (isOn(rule.rawPath)) return [];
  return (['path', 'pathPrefix'] as const).flatMap((key) => {
    const value = rule[key];
    if (typeof value !== 'string' || !value.startsWith('/')) return [];
    const plain: PlainPath =
      key === 'path' ? { kind: 'path', text: value.replace(/\/+$/, '') } : { kind: 'prefix', text: value };
    if (isPlainPath(plain)) return [];
    const fault =
      'has a name that servers read in different ways; write no empty name, no dots alone, no backslash and no encoded . / \\ or %, or add "rawPath: on"';
    return [finding([...path, key], fault)];
  });
}

/** A scope is (provider, api, name): with several providers or APIs, a rule must name one. */
function ownerFindings(rule: KeyValues, path: ConfigPath, providers: readonly KeyValues[]): Finding[] {
  const given = providers.map(({ name }) => name).filter((name) => typeof name === 'string');
  const names = [...new Set(given)];
  if (names.length === 0) return [];
  if (typeof rule.provider === 'string' && !names.includes(rule.provider))
    return [
      finding([...path, 'provider'], 'no provider has this name; write the name of one under "providers"'),
    ];
  if (rule.provider === undefined && names.length > 1)
    return [
      finding(
        path,
        `does not name the provider of its scope; add "provider" with one of ${listed(names.filter(isPlainName))}`,
      ),
    ];
  const owner = providers.find(({ name }) => names.length === 1 || name === rule.provider);
  const apis = asList(owner?.apis).filter((api) => typeof api === 'string');
  if (typeof rule.api === 'string' && apis.length > 0 && !apis.includes(rule.api))
    return [
      finding([...path, 'api'], `is not one of the "apis" of its provider; write one of ${listed(apis)}`),
    ];
  // In Keycloak scopes need no API, and a rule without an API matches scopes without one.
  if (rule.api === undefined && apis.length > 1 && owner?.kind !== 'keycloak')
    return [finding(path, `does not name the API of its scope; add "api" with one of ${listed(apis)}`)];
  return [];
}

/** What has not the form of a name has an error of its own, and may be a secret at the wrong place. */
function isPlainName(text: string): boolean {
  return /^[a-z0-9][a-z0-9-]{0,62}$/.test(text);
}

function listed(names: readonly string[]): string {
  return names.slice(0, 10).join(', ');
}

function destinationFindings(scope: string, to: string, path: ConfigPath): Finding[] {
  const fault = templateFault(to);
  if (fault !== undefined) return [finding(path, fault)];
  if (patternFault(scope) !== undefined) return [];
  const captured = captureNames(scope);
  if (captureNames(to).every((name) => captured.includes(name))) return [];
  const available = captured.map((name) => `{${name}}`).join(', ');
  return [
    finding(
      path,
      `uses a capture that the scope does not have; ${available === '' ? 'put {name} into the scope' : `it has ${available}`}`,
    ),
  ];
}

/** Replicas write one log. With a key for each, a new leader would not believe what the last one signed. */
function signingKeyFindings(queue: KeyValues, decisions: KeyValues): Finding[] {
  const mayBeSeveral = queue.kind === 'bullmq' && decisions.kind === 'kafka';
  if (!mayBeSeveral || Object.hasOwn(decisions, 'signingKeyFile')) return [];
  const fault =
    'is missing; all replicas sign with one key: make it with "openssl genpkey -algorithm ed25519 -out FILE", and name the same file on each replica';
  return [finding(['decisions', 'signingKeyFile'], fault, 'key')];
}

function tlsFindings(tls: KeyValues, path: ConfigPath): Finding[] {
  const [one, other] = Object.hasOwn(tls, 'certFile') ? ['certFile', 'keyFile'] : ['keyFile', 'certFile'];
  if (!Object.hasOwn(tls, one) || Object.hasOwn(tls, other)) return [];
  return [finding([...path, one], `is only half of the key pair; add "${other}"`, 'key')];
}
