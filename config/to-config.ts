import { isAbsolute, join } from 'node:path';
import type { ActorLimit, Rule } from '../src/model/rule.js';
import type { Config, TlsFiles } from './config.js';
import { toHttpSettings } from './http-settings.js';
import { toProvider } from './providers/providers.js';
import type { ParsedFile } from './schema.js';
import { toWebhooks } from './webhook-settings.js';

type ParsedScope = ParsedFile['scopes'][string];
type ParsedRule = Exclude<ParsedScope, readonly unknown[]>;

/** The checked file as a `Config`; relative paths start at `directory`. */
export function toConfig(file: ParsedFile, directory: string): Config {
  const absolute = absoluteIn(directory);
  const { token, tls, target, ...consul } = file.consul;
  const { maxRevocations, protected: protectedServices, freeze, breakGlass, approvers } = file.guards;
  const { human, workload, agent, classify } = file.actors;
  return {
    ...toLogSettings(file, directory),
    mode: file.mode,
    ...(file.select === undefined ? {} : { select: file.select }),
    consul: {
      ...consul,
      ...(token === undefined || token.isEmpty ? {} : { token }),
      ...(tls === undefined ? {} : { tls: toTlsFiles(tls, absolute) }),
      ...(target === undefined ? {} : { target: { ...target, directory: absolute(target.directory) } }),
    },
    providers: file.providers.map((provider) => toProvider(provider, absolute)),
    services: {
      clientMeta: file.services.clientMeta,
      clientTag: file.services.clientTag,
      claims: file.services.claims,
      claimGraceMs: file.services.claimGrace,
    },
    rules: Object.entries(file.scopes).flatMap(([scope, rules]) =>
      (Array.isArray(rules) ? rules : [rules]).map((rule) => toRule(scope, rule)),
    ),
    login: file.login,
    groups: Object.entries(file.groups).map(([group, rules]) => ({ group, ...rules })),
    actors: {
      classify,
      limits: { human: toLimit(human), workload: toLimit(workload), agent: toLimit(agent) },
    },
    guards: {
      maxRevocations: {
        percent: maxRevocations.percent,
        atLeast: maxRevocations.atLeast,
        windowMs: maxRevocations.window,
      },
      protected: protectedServices,
      freeze: freeze.map(({ schedule, duration, timeZone }) => ({
        schedule,
        durationMs: duration,
        timeZone,
      })),
      ...(breakGlass === undefined
        ? {}
        : { breakGlass: { longestMs: breakGlass.longest, never: breakGlass.never } }),
      approvers,
    },
    queue: file.queue,
    http: toHttpSettings(file.http),
    leaseTtlMs: file.lease.ttl,
    resyncMs: file.resync,
  };
}

/** Where the decisions are. */
export function toLogSettings(
  { owner, decisions, state }: Pick<ParsedFile, 'owner' | 'decisions' | 'state'>,
  directory: string,
): Pick<Config, 'owner' | 'decisions' | 'state'> {
  const absolute = absoluteIn(directory);
  return {
    owner,
    decisions: toDecisions(decisions, absolute),
    state: { directory: absolute(state.directory) },
  };
}

function absoluteIn(directory: string): (path: string) => string {
  return (path) => (isAbsolute(path) ? path : join(directory, path));
}

function toRule(scope: string, parsed: ParsedRule): Rule {
  const { user, ...rest } = parsed;
  return { scope, ...rest, userRequired: user === 'required' };
}

function toLimit({ maxTokenTtl, ...rest }: ParsedFile['actors']['human']): ActorLimit {
  return {
    ...rest,
    ...(maxTokenTtl === undefined ? {} : { maxTokenTtlSeconds: Math.floor(maxTokenTtl / 1000) }),
  };
}

function toDecisions(
  decisions: ParsedFile['decisions'],
  absolute: (path: string) => string,
): Config['decisions'] {
  const { signingKeyFile } = decisions;
  const every = {
    webhooks: toWebhooks(decisions.webhooks),
    ...(signingKeyFile === undefined ? {} : { signingKeyFile: absolute(signingKeyFile) }),
  };
  if (decisions.kind === 'embedded') return { kind: 'embedded', keepMs: decisions.keep, ...every };
  const { tls, keep: keepMs, ...kafka } = decisions;
  return { ...kafka, ...every, keepMs, tls: typeof tls === 'object' ? toTlsFiles(tls, absolute) : tls };
}

function toTlsFiles(
  { caFile, certFile, keyFile, serverName }: TlsFiles,
  absolute: (path: string) => string,
): TlsFiles {
  return {
    ...(caFile === undefined ? {} : { caFile: absolute(caFile) }),
    ...(certFile === undefined ? {} : { certFile: absolute(certFile) }),
    ...(keyFile === undefined ? {} : { keyFile: absolute(keyFile) }),
    ...(serverName === undefined ? {} : { serverName }),
  };
}
