import type { Worker } from 'node:worker_threads';
import type { Config } from '../../config/config.js';
import { apiTokenPath, createApiToken } from '../cli/api-token.js';
import type { Role } from '../cli/run-daemon.js';
import type { DecisionLog } from '../decisions/log.js';
import type { Runtime } from '../runtime.js';
import type { Listeners } from './listeners.js';
import type { LiveSecrets } from './live-secrets.js';
import type { LocalReplica } from './local-replica.js';
import { publishLocalToken, warnOfMissingTokens } from './local-token.js';
import { createQuestions } from './questions.js';
import { addRoutes, type RouteParts } from './routes.js';

export interface ServedParts extends Pick<RouteParts, 'store' | 'providers' | 'metrics'> {
  readonly config: Config;
  readonly only: readonly Role[];
  readonly secrets: LiveSecrets;
  readonly replica: LocalReplica;
  /** Opens the embedded log at the first stream. */
  readonly openLog: () => Promise<DecisionLog>;
  /** Starts the thread that answers questions to the trail. */
  readonly startQuestionThread: () => Worker;
}

/** Adds the routes and begins to listen. Resolves with the addresses. */
export async function serveHttp(
  listeners: Listeners,
  { config, only, secrets, store, providers, replica, metrics, openLog, startQuestionThread }: ServedParts,
  { logger }: Runtime,
): ReturnType<Listeners['listen']> {
  const apiToken = createApiToken();
  const questions = createQuestions({ start: startQuestionThread, logger, metrics });
  // The server waits for its answers.
  (listeners.admin ?? listeners.main).addHook('preClose', () => questions.close());
  addRoutes(
    listeners,
    {
      config: secrets.config,
      store,
      providers,
      activity: replica.ports.activity,
      live: () => replica.live,
      leading: () => replica.leadership.leading,
      reloads: replica.reloads,
      metrics,
      decisionLog: config.decisions.kind === 'embedded' ? openLog : undefined,
      intake: replica.ports,
      isIntake: only.includes('intake'),
      questions,
    },
    { token: apiToken, path: apiTokenPath(config) },
  );
  const addresses = await listeners.listen();
  await publishLocalToken(config, apiToken, logger);
  warnOfMissingTokens(config, logger);
  return addresses;
}
