import type { Config, ProviderSettings } from './config.js';
import type { ConfigChange } from './mapping-revision.js';

/** Whether a change of a setting takes effect without a restart. */
export function isLive({ path, before, after }: ConfigChange): boolean {
  if (path === 'guards.maxRevocations.windowMs') return false;
  if (beginsTerm({ path })) return true;
  // The first secret adds a webhook, and the last one removes it.
  if (/^providers\.[^.]+\.webhookSecrets$/.test(path)) return isFilled(before) && isFilled(after);
  return /^(mode$|scopes\.|login$|groups\.|actors\.|guards\.protected$|guards\.freeze$|guards\.breakGlass\b|guards\.approvers$|guards\.maxRevocations\.|http\.tokens$)/.test(
    path,
  );
}

/** Whether a change of a setting takes effect with a new term of the leader: what runs in a term keeps the old one. */
export function beginsTerm({ path }: Pick<ConfigChange, 'path'>): boolean {
  return ['resyncMs', 'services.claims', 'services.claimGraceMs'].includes(path);
}

/**
 * The configuration of the start, with the settings of `next` that take effect without a restart. `current`: what was in
 * effect before, for what `next` does not have.
 */
export function effectiveConfig(running: Config, next: Config, current: Config = running): Config {
  const { windowMs } = running.guards.maxRevocations;
  return {
    ...running,
    mode: next.mode,
    rules: next.rules,
    login: next.login,
    groups: next.groups,
    actors: next.actors,
    guards: {
      ...next.guards,
      maxRevocations: { ...next.guards.maxRevocations, windowMs },
    },
    services: {
      ...running.services,
      claims: next.services.claims,
      claimGraceMs: next.services.claimGraceMs,
    },
    resyncMs: next.resyncMs,
    http: { ...running.http, tokens: next.http.tokens },
    providers: running.providers.map((settings) => withSecrets(settings, next, current)),
  };
}

/** An empty list refuses every event. A provider without a webhook gets one only at a restart. */
function withSecrets(settings: ProviderSettings, next: Config, current: Config): ProviderSettings {
  if (!isFilled(settings.webhookSecrets)) return settings;
  const listOf = ({ providers }: Config) =>
    providers.find(({ name }) => name === settings.name)?.webhookSecrets;
  return { ...settings, webhookSecrets: listOf(next) ?? listOf(current) ?? settings.webhookSecrets };
}

function isFilled(list: unknown): boolean {
  return Array.isArray(list) && list.length > 0;
}
