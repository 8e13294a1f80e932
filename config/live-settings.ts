import type { Config, ProviderSettings } from './config.js';
import type { ConfigChange } from './mapping-revision.js';

/** Whether a change of a setting takes effect without a restart. */
export function isLive({ path, before, after }: ConfigChange): boolean {
  if (path === 'guards.maxRevocations.windowMs') return false;
  // The first secret adds a webhook, and the last one removes it.
  if (/^providers\.[^.]+\.webhookSecrets$/.test(path)) return isFilled(before) && isFilled(after);
  return /^(mode$|scopes\.|login$|groups\.|actors\.|guards\.protected$|guards\.freeze$|guards\.breakGlass\b|guards\.approvers$|guards\.maxRevocations\.|http\.tokens$)/.test(
    path,
  );
}

/** The running configuration, with the settings of `next` that take effect without a restart. */
export function effectiveConfig(running: Config, next: Config): Config {
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
    http: { ...running.http, tokens: next.http.tokens },
    providers: running.providers.map((settings) => withSecrets(settings, next.providers)),
  };
}

function withSecrets(settings: ProviderSettings, next: readonly ProviderSettings[]): ProviderSettings {
  const { webhookSecrets = [] } = next.find(({ name }) => name === settings.name) ?? {};
  const isLiveHere = isFilled(settings.webhookSecrets) && isFilled(webhookSecrets);
  return isLiveHere ? { ...settings, webhookSecrets } : settings;
}

function isFilled(list: unknown): boolean {
  return Array.isArray(list) && list.length > 0;
}
