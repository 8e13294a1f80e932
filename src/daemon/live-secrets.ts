import type { Config } from '../../config/config.js';

/** The secrets that senders and callers prove themselves with, which a reload changes. */
export interface LiveSecrets {
  /** The configuration with lists that `take` changes in place: the parts that were made from it read them for each request. */
  readonly config: Config;
  take(next: Config): void;
}

export function createLiveSecrets(config: Config): LiveSecrets {
  const tokens = [...config.http.tokens];
  const providers = config.providers.map((settings) => ({
    settings,
    webhookSecrets: [...settings.webhookSecrets],
  }));
  return {
    config: {
      ...config,
      http: { ...config.http, tokens },
      providers: providers.map(({ settings, webhookSecrets }) => ({ ...settings, webhookSecrets })),
    },
    take(next) {
      replace(tokens, next.http.tokens);
      for (const { settings, webhookSecrets } of providers) {
        const found = next.providers.find(({ name }) => name === settings.name);
        if (found !== undefined) replace(webhookSecrets, found.webhookSecrets);
      }
    },
  };
}

function replace<T>(list: T[], content: readonly T[]): void {
  list.splice(0, list.length, ...content);
}
