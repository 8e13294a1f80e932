import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import type { Config } from '../../config/config.js';
import { apiTokenPath, createApiToken, writeApiToken } from '../app/api-token.js';
import type { Role } from '../app/run-daemon.js';
import { createLogins } from '../console/session/oidc-client.js';
import type { DecisionFeed } from '../decisions/feed.js';
import { messageOf } from '../errors.js';
import { isLoopback } from '../model/is-loopback.js';
import type { Secret } from '../model/secret.js';
import type { Logger } from '../observe.js';
import type { Runtime } from '../runtime.js';
import type { CallGate } from './call-gate.js';
import { Jobs, type StartCommand } from './jobs.js';
import type { Listeners } from './listeners.js';
import type { LiveSecrets } from './live-secrets.js';
import type { LocalReplica } from './local-replica.js';
import { createQuestions } from './questions.js';
import { addRoutes, type RouteParts } from './routes.js';

interface ServedParts extends Pick<RouteParts, 'store' | 'providers' | 'metrics'> {
  readonly config: Config;
  readonly only: readonly Role[];
  readonly secrets: LiveSecrets;
  readonly replica: LocalReplica;
  /** Opens the log, or the index of the topic, at the first stream. */
  readonly openFeed: () => Promise<DecisionFeed>;
  /** Starts the thread that answers questions to the trail. */
  readonly startQuestionThread: (gate: CallGate) => Worker;
  readonly startCommand: StartCommand;
}

/** Adds the routes and begins to listen. Resolves with the addresses. */
export async function serveHttp(
  listeners: Listeners,
  {
    config,
    only,
    secrets,
    store,
    providers,
    replica,
    metrics,
    openFeed,
    startQuestionThread,
    startCommand,
  }: ServedParts,
  runtime: Runtime,
): ReturnType<Listeners['listen']> {
  const { clock, logger } = runtime;
  const apiToken = createApiToken();
  const logins = createLogins(config, runtime);
  const questions = createQuestions({ start: startQuestionThread, logger, metrics });
  const jobs = new Jobs({ startCommand, directory: join(config.state.directory, 'evidence'), clock, logger });
  // The server waits for its answers.
  (listeners.admin ?? listeners.main).addHook('preClose', async () => {
    await Promise.all([questions.close(), jobs.close(), logins.close()]);
  });
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
      feed: config.decisions.kind === 'embedded' || config.decisions.index ? openFeed : undefined,
      intake: replica.ports,
      isIntake: only.includes('intake'),
      questions,
      jobs,
      logins: logins.clients,
    },
    { token: apiToken, path: apiTokenPath(config) },
  );
  const addresses = await listeners.listen();
  await publishLocalToken(config, apiToken, logger);
  warnOfMissingTokens(config, logger);
  return addresses;
}

/**
 * Gives the token to commands on this machine. Called once the daemon listens, so that a second one that cannot start does
 * not replace the token of the first. Without the file the daemon still runs, because revocations must not wait for it.
 */
async function publishLocalToken(config: Config, apiToken: Secret, logger: Logger): Promise<void> {
  try {
    await writeApiToken(config, apiToken);
  } catch (error) {
    logger.warn(
      { path: apiTokenPath(config), error: messageOf(error) },
      'the token file of the API cannot be written: scopemesh approve and reject do not reach this daemon; make state.directory writable and restart',
    );
  }
}

/** Says at the start what other machines will miss. */
function warnOfMissingTokens({ http }: Config, logger: Logger): void {
  const { host } = http.admin ?? http.listen;
  if (isLoopback(host) || http.tokens.length > 0) return;
  logger.warn(
    { listener: http.admin === undefined ? 'http.listen' : 'http.admin', host },
    'the listener is open to other machines and http.tokens is empty: it refuses them the status, the metrics and the API',
  );
}
