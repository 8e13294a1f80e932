import { isAbsolute, join } from 'node:path';
import { definedFields } from '../src/model/defined-fields.js';
import type { ActorLimit, Rule } from '../src/model/rule.js';
import type { Config } from './config.js';
import { toHttpSettings } from './http-settings.js';
import { toProvider } from './providers/providers.js';
import type { ParsedFile } from './schema.js';
import { toWebhooks } from './webhook-settings.js';

type ParsedScope = ParsedFile['scopes'][string];
type TlsFiles = NonNullable<ParsedFile['consul']['tls']>;
type ParsedRule = Exclude<ParsedScope, readonly unknown[]>;

/** The checked file as a `Config`; relative paths start at `directory`. */
export function toConfig(file: ParsedFile, directory: string): Config {
  const absolute = absoluteIn(directory);
  const { token, tls, target, ...consul } = file.consul;
  const { protected: protectedServices, freeze, breakGlass, approvers } = file.guards;
  const { window: windowMs, ...maxRevocations } = file.guards.maxRevocations;
  const { claimGrace: claimGraceMs, ...services } = file.services;
  const { human, workload, agent, classify } = file.actors;
  return {
    ...toLogSettings(file, directory),
    mode: file.mode,
    ...definedFields({ select: file.select, telemetry: file.telemetry }),
    consul: {
      ...consul,
      ...(token === undefined || token.isEmpty ? {} : { token }),
      ...definedFields({
        tls: tls && toTlsFiles(tls, absolute),
        target: target && { ...target, directory: absolute(target.directory) },
      }),
    },
    providers: file.providers.map((provider) => toProvider(provider, absolute)),
    services: { ...services, claimGraceMs },
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
      maxRevocations: { ...maxRevocations, windowMs },
      protected: protectedServices,
      freeze: freeze.map(({ duration: durationMs, ...each }) => ({ ...each, durationMs })),
      ...definedFields({
        breakGlass: breakGlass && { longestMs: breakGlass.longest, never: breakGlass.never },
      }),
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

/** Where the daemon is. */
export function toDaemonSettings(
  { owner, http, state }: Pick<ParsedFile, 'owner' | 'http' | 'state'>,
  directory: string,
): Pick<Config, 'owner' | 'http' | 'state'> {
  const absolute = absoluteIn(directory);
  return { owner, http: toHttpSettings(http), state: { directory: absolute(state.directory) } };
}

function absoluteIn(directory: string): (path: string) => string {
  return (path) => (isAbsolute(path) ? path : join(directory, path));
}

function toRule(scope: string, parsed: ParsedRule): Rule {
  const { user, ...rest } = parsed;
  return { scope, ...rest, userRequired: user === 'required' };
}

function toLimit({ maxTokenTtl, ...rest }: ParsedFile['actors']['human']): ActorLimit {
  const seconds = maxTokenTtl === undefined ? undefined : Math.floor(maxTokenTtl / 1000);
  return { ...rest, ...definedFields({ maxTokenTtlSeconds: seconds }) };
}

function toDecisions(
  decisions: ParsedFile['decisions'],
  absolute: (path: string) => string,
): Config['decisions'] {
  const { signingKeyFile, trustedKeys } = decisions;
  const every = {
    webhooks: toWebhooks(decisions.webhooks),
    ...definedFields({ signingKeyFile: signingKeyFile && absolute(signingKeyFile), trustedKeys }),
  };
  if (decisions.kind === 'embedded') return { kind: 'embedded', keepMs: decisions.keep, ...every };
  const { tls, keep: keepMs, ...kafka } = decisions;
  return { ...kafka, ...every, keepMs, tls: typeof tls === 'object' ? toTlsFiles(tls, absolute) : tls };
}

function toTlsFiles(
  { caFile, certFile, keyFile, serverName }: TlsFiles,
  absolute: (path: string) => string,
): TlsFiles {
  return definedFields({
    caFile: caFile && absolute(caFile),
    certFile: certFile && absolute(certFile),
    keyFile: keyFile && absolute(keyFile),
    serverName,
  });
}
