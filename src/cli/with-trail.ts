import type { Command } from 'commander';
import type { Trail } from '../decisions/trail.js';
import { SyncError } from '../errors.js';
import type { Cli } from './cli.js';
import { hasDecisionLog } from './has-decision-log.js';
import { parseInstant } from './instant.js';

/** The options of every question to the trail. */
export interface TrailOptions {
  readonly fromTopic?: true;
  readonly json?: true;
}

export interface AtOptions extends TrailOptions {
  /** ISO 8601 in UTC. */
  readonly at?: string;
}

export function withTrailOptions(command: Command): Command {
  return command
    .option('--from-topic', 'read the whole Kafka topic first; not needed with the embedded log')
    .option('--json', 'print one JSON document');
}

export function withAt(command: Command): Command {
  return withTrailOptions(
    command.option(
      '--at <when>',
      'an instant (2026-01-31T12:00:00Z) or an age (10m, 2h, 1d); default: now',
      parseInstant,
    ),
  );
}

/** Opens the trail for one question. A trail that does not exist would answer that nobody has access: it is an error. */
export async function withTrail<T>(
  cli: Cli,
  { fromTopic = false }: { readonly fromTopic?: boolean },
  ask: (trail: Trail) => Promise<T>,
): Promise<T> {
  const settings = await cli.openLogSettings();
  if (!hasDecisionLog(settings))
    throw new SyncError(
      'ERR_CONFIG',
      `there are no decisions in ${settings.state.directory} (state.directory): run this where the daemon runs, or set the directory`,
      { retriable: false },
    );
  const trail = await cli.around.parts.openTrail(settings, cli.runtime(true), {
    fromTopic,
    signal: cli.signal,
  });
  try {
    return await ask(trail);
  } finally {
    await trail.close();
  }
}
