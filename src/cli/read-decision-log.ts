import { statSync } from 'node:fs';
import type { DecisionLog } from '../decisions/log.js';
import { configError } from '../errors.js';
import type { DecisionLogSettings } from './adapter-factory.js';
import type { Cli } from './cli.js';
import { hasDecisionLog } from './has-decision-log.js';
import { printable } from './terminal/screen.js';

/** Reads the decision log and closes it. A log that does not exist yet is empty, and is created only to follow it. */
export async function* readDecisionLog<T>(
  settings: DecisionLogSettings,
  cli: Cli,
  follow: boolean,
  read: (log: DecisionLog) => AsyncIterable<T>,
): AsyncIterable<T> {
  if (!hasDecisionLog(settings)) {
    warnThatItIsEmpty(settings.state.directory, cli);
    if (!follow) return;
  }
  const log = await cli.context.adapters.openDecisionLog(settings, cli.runtime(true));
  try {
    yield* read(log);
  } finally {
    await log.close();
  }
}

/** An empty answer could also mean that state.directory is the wrong one. */
function warnThatItIsEmpty(directory: string, cli: Cli): void {
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory() === false)
    throw configError(
      `state.directory ${directory} is not a directory; set it to the directory in which the daemon keeps its state`,
    );
  cli.screen.warn(printable(`there are no decisions yet in ${directory} (state.directory)`));
}
