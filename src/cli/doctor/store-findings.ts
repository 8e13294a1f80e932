import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Config } from '../../../config/config.js';
import { type AdapterFactory, TOPIC_PARTITIONS } from '../../app/adapter-factory.js';
import { MissingTopic } from '../../decisions/log.js';
import { messageOf, SyncError } from '../../errors.js';
import type { Runtime } from '../../runtime.js';
import { error, type Finding, notice, ok, warning } from './finding.js';

/** Whether the stores of jobs and decisions are reachable, safe and writable. */
export async function storeFindings(
  config: Config,
  adapters: AdapterFactory,
  runtime: Runtime,
): Promise<readonly Finding[]> {
  const isEmbedded = config.queue.kind === 'embedded' || config.decisions.kind === 'embedded';
  if (isEmbedded && !existsSync(config.state.directory)) {
    const fresh = freshFinding(config.state.directory);
    const findings = [
      ...(config.queue.kind === 'embedded' ? [] : [queueFinding(config, adapters, runtime)]),
      ...(config.decisions.kind === 'embedded' ? [] : [decisionsFinding(config, adapters, runtime)]),
    ];
    return [fresh, ...(await Promise.all(findings))];
  }
  return Promise.all([queueFinding(config, adapters, runtime), decisionsFinding(config, adapters, runtime)]);
}

/** Whether the first run can create a missing directory, by the nearest existing directory above it. */
function freshFinding(directory: string): Finding {
  const id = 'state';
  let above = dirname(resolve(directory));
  while (!existsSync(above) && dirname(above) !== above) above = dirname(above);
  try {
    if (!statSync(above).isDirectory()) throw new Error('it is not a directory');
    accessSync(above, constants.W_OK | constants.X_OK);
    return notice(id, `the state directory ${directory} does not exist yet; the first run creates it`);
  } catch (cause) {
    return error(
      id,
      `the state directory ${directory} does not exist and cannot be created in ${above}: ${messageOf(cause)}`,
      'create it for this user, or set state.directory to a directory on a local disk that this user may create',
    );
  }
}

async function queueFinding(config: Config, adapters: AdapterFactory, runtime: Runtime): Promise<Finding> {
  const what = config.queue.kind === 'embedded' ? `state directory ${config.state.directory}` : 'Redis';
  try {
    const store = await adapters.openStore(config, runtime);
    try {
      await store.queue.check();
      return ok('queue', `jobs are stored safely (${what})`);
    } finally {
      await store.close();
    }
  } catch (cause) {
    if (cause instanceof SyncError && cause.code === 'ERR_STATE_LOCKED')
      return ok('queue', `a daemon uses the ${what}`);
    return error(
      'queue',
      messageOf(cause),
      config.queue.kind === 'embedded'
        ? 'let this user write to state.directory, which must be on a local disk'
        : 'check queue.url, and set appendonly yes and maxmemory-policy noeviction in Redis',
    );
  }
}

async function decisionsFinding(
  config: Config,
  adapters: AdapterFactory,
  runtime: Runtime,
): Promise<Finding> {
  const { decisions } = config;
  try {
    const log = await adapters.openDecisionLog(config, runtime);
    try {
      await log.check();
      return ok(
        'decisions',
        decisions.kind === 'kafka'
          ? `decisions go to Kafka topic ${decisions.topic}`
          : `decisions go to ${config.state.directory}`,
      );
    } finally {
      await log.close();
    }
  } catch (cause) {
    if (cause instanceof MissingTopic && decisions.kind === 'kafka')
      return warning(
        'decisions',
        `Kafka has no topic ${decisions.topic} that this user may see, so no decision is published`,
        `start scopemesh run, which creates the topic with ${TOPIC_PARTITIONS} partitions if its user has Create on it, or create it: kafka-topics.sh --create --topic ${decisions.topic} --partitions ${TOPIC_PARTITIONS} --replication-factor 3`,
      );
    return error(
      'decisions',
      messageOf(cause),
      decisions.kind === 'kafka'
        ? 'check decisions.brokers, tls, sasl and topic'
        : 'let this user write to state.directory',
    );
  }
}
