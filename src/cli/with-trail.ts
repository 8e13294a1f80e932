import { hasDecisionLog } from '../app/has-decision-log.js';
import type { Trail } from '../decisions/trail.js';
import { configError, messageOf, SyncError } from '../errors.js';
import type { Cli } from './cli.js';
import type { DocumentedCommand } from './documented-command.js';
import { parsePastInstant } from './instant.js';
import { printable } from './terminal/screen.js';

/** The options of every question to the trail. */
export interface TrailOptions {
  readonly fromTopic?: true;
  readonly json?: true;
}

export interface AtOptions extends TrailOptions {
  /** ISO 8601 in UTC. */
  readonly at?: string;
}

export function withTrailOptions(command: DocumentedCommand): DocumentedCommand {
  return command
    .option('--from-topic', 'read the whole Kafka topic first, and not the local index')
    .option('--json', 'print one JSON document');
}

export function withAt(command: DocumentedCommand): DocumentedCommand {
  return withTrailOptions(
    command.option(
      '--at <when>',
      'an instant (2026-01-31T12:00:00Z) or an age (10m, 2h, 1d); default: now',
      parsePastInstant,
    ),
  );
}

/** Opens the trail for one question. A trail that does not exist would answer that nobody has access: it is an error. */
export async function withTrail<T>(
  cli: Cli,
  { fromTopic = false }: { readonly fromTopic?: boolean },
  ask: (trail: Trail) => Promise<T>,
): Promise<T> {
  const trail = await open(cli, fromTopic);
  try {
    return await ask(trail);
  } finally {
    await trail.close();
  }
}

/** As `withTrail`, but a trail that cannot be opened is a warning. */
export async function withTrailIfAny<T>(
  cli: Cli,
  { fromTopic = false }: { readonly fromTopic?: boolean },
  ask: (trail: Trail | undefined) => Promise<T>,
): Promise<T> {
  const trail = await open(cli, fromTopic).catch((error: unknown) => {
    if (!(error instanceof SyncError) || fromTopic) throw error;
    cli.screen.warn(`scopemesh: no decisions are cited: ${printable(messageOf(error))}`);
    return undefined;
  });
  try {
    return await ask(trail);
  } finally {
    await trail?.close();
  }
}

async function open(cli: Cli, fromTopic: boolean): Promise<Trail> {
  const settings = await cli.openLogSettings();
  if (!hasDecisionLog(settings))
    throw configError(
      `there are no decisions in ${settings.state.directory} (state.directory): run this where the daemon runs, or set the directory`,
    );
  const { openTrail } = await cli.context.adapters();
  return openTrail(settings, await cli.runtime(true), { fromTopic, signal: cli.signal });
}
