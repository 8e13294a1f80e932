import { hasDecisionLog } from '../app/has-decision-log.js';
import type { Trail } from '../decisions/trail.js';
import { configError, messageOf, SyncError } from '../errors.js';
import type { Cli } from './cli.js';
import { flag, option } from './command.js';
import { parsePastInstant } from './instant.js';

export const FROM_TOPIC = flag('read the whole Kafka topic first, and not the local index');

/** The parameters of a question about one instant, in ISO 8601 in UTC. */
export const AT = {
  at: option(
    '<when>',
    'an instant (2026-01-31T12:00:00Z) or an age (10m, 2h, 1d); default: now',
    parsePastInstant,
  ),
  fromTopic: FROM_TOPIC,
};

interface TopicOption {
  readonly fromTopic?: boolean | undefined;
}

/** Opens the trail for one question. A trail that does not exist would answer that nobody has access: it is an error. */
export async function withTrail<T>(
  cli: Cli,
  options: TopicOption,
  ask: (trail: Trail) => Promise<T>,
): Promise<T> {
  const trail = await open(cli, options);
  try {
    return await ask(trail);
  } finally {
    await trail.close();
  }
}

/** As `withTrail`, but a trail that cannot be opened is a warning. */
export async function withTrailIfAny<T>(
  cli: Cli,
  options: TopicOption,
  ask: (trail: Trail | undefined) => Promise<T>,
): Promise<T> {
  const trail = await open(cli, options).catch((error: unknown) => {
    if (!(error instanceof SyncError) || options.fromTopic) throw error;
    cli.screen.warn(`scopemesh: no decisions are cited: ${messageOf(error)}`);
    return undefined;
  });
  try {
    return await ask(trail);
  } finally {
    await trail?.close();
  }
}

async function open(cli: Cli, { fromTopic = false }: TopicOption): Promise<Trail> {
  const settings = await cli.openLogSettings();
  if (!hasDecisionLog(settings))
    throw configError(
      `there are no decisions in ${settings.state.directory} (state.directory): run this where the daemon runs, or set the directory`,
    );
  const { openTrail } = await cli.context.adapters();
  return openTrail(settings, await cli.runtime(true), { fromTopic, signal: cli.signal });
}
