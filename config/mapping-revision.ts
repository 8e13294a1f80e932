import { createHash } from 'node:crypto';
import { canonicalJson } from '../src/model/canonical-json.js';
import { isRecord } from '../src/model/is-record.js';
import type { Mapping, Rule } from '../src/model/rule.js';
import { Secret } from '../src/model/secret.js';
import { createSelection } from '../src/plan/selection.js';
import { toAclSettings } from './acl-settings.js';
import type { Config, ProviderSettings } from './config.js';

/** The part of a configuration that decides access, in the form for the plan. */
export function toMapping(config: Config): Mapping {
  const { partition = 'default', namespace = 'default' } = config.consul;
  return {
    owner: config.owner,
    mode: config.mode,
    revision: mappingRevision(config),
    providers: config.providers.map(({ name }) => name),
    rules: config.rules.map((rule) => withApi(rule, config.providers)),
    claims: config.services.claims,
    classify: config.actors.classify,
    limits: config.actors.limits,
    protectedServices: config.guards.protected,
    freezes: config.guards.freeze,
    ...(config.guards.breakGlass === undefined ? {} : { breakGlass: config.guards.breakGlass }),
    approvers: config.guards.approvers,
    acl: toAclSettings(config),
    maxRevocations: config.guards.maxRevocations,
    ...(config.select === undefined ? {} : { select: createSelection(config.select) }),
    ...(partition === 'default' && namespace === 'default' ? {} : { place: { partition, namespace } }),
  };
}

/**
 * Adds the API to a rule whose provider has only one. In Keycloak a rule without an API matches scopes without an API.
 */
function withApi(rule: Rule, providers: readonly ProviderSettings[]): Rule {
  const [only] = providers.length === 1 ? providers : [];
  const provider = rule.provider === undefined ? only : providers.find(({ name }) => name === rule.provider);
  const api = onlyApiOf(provider);
  return rule.api !== undefined || api === undefined ? rule : { ...rule, api };
}

/** The API of a scope that names none; undefined where scopes need none, or several are configured. */
export function onlyApiOf(provider: ProviderSettings | undefined): string | undefined {
  const [api, ...others] = provider?.kind === 'keycloak' ? [] : (provider?.apis ?? []);
  return others.length > 0 ? undefined : api;
}

/**
 * `sha256:…` over everything that decides access. The order of rules is irrelevant, so they can be moved in the file without
 * a new revision.
 */
export function mappingRevision(config: Config): `sha256:${string}` {
  const decisive = {
    owner: config.owner,
    mode: config.mode,
    select: config.select,
    rules: config.rules.map((rule) => textOf(rule)).sort(),
    services: config.services,
    actors: config.actors,
    providers: config.providers
      .map(
        ({ name, kind, issuer, audience, userAudience, caCert, keysCaFile, forwardUserAs, claims, apis }) =>
          textOf({
            name,
            kind,
            issuer,
            audience,
            userAudience,
            caCert,
            keysCaFile,
            forwardUserAs,
            claims,
            apis: apis?.toSorted(),
          }),
      )
      .sort(),
    login: config.login,
    groups: config.groups.map((group) => textOf(group)).sort(),
    protected: [...config.guards.protected].sort(),
    maxRevocations: config.guards.maxRevocations,
    // Absent if empty, so that the revision of a mapping without a freeze stays as it was before freezes existed.
    ...(config.guards.freeze.length === 0 ? {} : { freeze: config.guards.freeze }),
    ...(config.guards.breakGlass === undefined ? {} : { breakGlass: config.guards.breakGlass }),
    ...(config.guards.approvers === 1 ? {} : { approvers: config.guards.approvers }),
  };
  return revisionOf(decisive);
}

/** `sha256:…` over every setting. A secret counts only as there or not. */
export function configRevision(config: Config): `sha256:${string}` {
  return revisionOf(config);
}

function revisionOf(value: unknown): `sha256:${string}` {
  return `sha256:${createHash('sha256').update(textOf(value)).digest('hex')}`;
}

/** One difference between two configurations; `path` as in `providers.main.pollMs`. `undefined` means absent. */
export interface ConfigChange {
  readonly path: string;
  readonly before: unknown;
  readonly after: unknown;
}

/**
 * The differences between two configurations, sorted by path, for the decision about a reload. A changed secret is
 * `[secret]` on both sides. Providers and groups are compared by name, rules by scope and number.
 */
export function diffConfig(old: Config, next: Config): readonly ConfigChange[] {
  const [before, after] = [leaves(old), leaves(next)];
  const paths = [...new Set([...before.keys(), ...after.keys()])].sort();
  return paths
    .filter((path) => !isSame(before.get(path), after.get(path)))
    .map((path) => ({ path, before: shown(before.get(path)), after: shown(after.get(path)) }));
}

function leaves(config: Config): ReadonlyMap<string, unknown> {
  const seen = new Map<string, number>();
  const rules = config.rules.map(({ scope, ...rule }) => {
    const number = seen.get(scope) ?? 0;
    seen.set(scope, number + 1);
    return [`${scope}#${number}`, rule] as const;
  });
  const found = new Map<string, unknown>();
  // The path of a URL may be a secret: it is compared, and only the origin is shown.
  const webhooks = config.decisions.webhooks.map(({ url, ...webhook }) => {
    return { ...webhook, url: new URL(url).origin, path: new Secret(url) };
  });
  const decisions = { ...config.decisions, webhooks };
  collect('', { ...config, decisions, providers: undefined, rules: undefined, groups: undefined }, found);
  for (const { name, ...provider } of config.providers) collect(`providers.${name}`, provider, found);
  for (const [name, rule] of rules) collect(`scopes.${name}`, rule, found);
  for (const { group, ...rules } of config.groups) collect(`groups.${group}`, rules, found);
  return found;
}

function collect(path: string, value: unknown, found: Map<string, unknown>): void {
  if (value === undefined) return;
  if (typeof value !== 'object' || value === null || value instanceof Secret || Array.isArray(value)) {
    found.set(path, value);
    return;
  }
  for (const [key, inner] of Object.entries(value))
    collect(path === '' ? key : `${path}.${key}`, inner, found);
}

function isSame(a: unknown, b: unknown): boolean {
  if (a instanceof Secret && b instanceof Secret) return a.reveal() === b.reveal();
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, index) => isSame(item, b[index]));
  }
  if (isPlain(a) && isPlain(b)) {
    // By parts, because the JSON of two secrets is the same.
    const names = Object.keys({ ...a, ...b });
    return names.every((name) => isSame(a[name], b[name]));
  }
  return textOf(a) === textOf(b);
}

function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  return isRecord(value) && !(value instanceof Secret);
}

/** A copy without secrets: a Secret serialises as its mask. */
function shown(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}

/** Equal content has equal texts. A secret counts only as there or not. */
function textOf(value: unknown): string {
  return value === undefined ? 'undefined' : canonicalJson(shown(value));
}
