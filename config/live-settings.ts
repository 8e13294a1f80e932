import type { Config } from './config.js';

/** Whether a setting, by its path in `diffConfig`, takes effect without a restart. */
export function isLive(path: string): boolean {
  if (path === 'guards.maxRevocations.windowMs') return false;
  return /^(mode$|scopes\.|login$|groups\.|actors\.|guards\.protected$|guards\.freeze$|guards\.breakGlass\b|guards\.approvers$|guards\.maxRevocations\.)/.test(
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
  };
}
