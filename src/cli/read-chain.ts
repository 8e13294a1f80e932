import { fromFirstWholeCheckpoint } from '../decisions/cut-front.js';
import type { DecisionLog } from '../decisions/log.js';
import { inChainOrder, type TrailRecord, toTrailRecord, withPlace } from '../decisions/trail-record.js';
import type { DecisionLogSettings } from './adapter-factory.js';
import type { Cli } from './cli.js';
import { readDecisionLog } from './read-decision-log.js';

/**
 * What `keep` makes of each event, in the order of the chain. The events of a topic are put in order in memory, so `keep` as
 * little as you need. A topic that deleted its oldest events begins at the first checkpoint after which it is whole.
 */
export async function* readChain<T>(
  settings: DecisionLogSettings,
  cli: Cli,
  keep: (event: string, record: TrailRecord) => T,
  quiet = false,
): AsyncIterable<T> {
  yield* readDecisionLog(settings, cli, false, (log) =>
    settings.decisions.kind === 'embedded' ? inOrder(log, keep, cli.signal) : ordered(log, keep, cli, quiet),
  );
}

async function* inOrder<T>(
  log: DecisionLog,
  keep: (event: string, record: TrailRecord) => T,
  signal: AbortSignal,
): AsyncIterable<T> {
  for await (const event of log.readEvents({ from: 'start', follow: false }, signal))
    yield keep(event, toTrailRecord(event));
}

async function* ordered<T>(
  log: DecisionLog,
  keep: (event: string, record: TrailRecord) => T,
  cli: Cli,
  quiet: boolean,
): AsyncIterable<T> {
  const { cut, events } = await log.readParts(cli.signal);
  const firsts = new Map<string, TrailRecord>();
  const items: { readonly kept: T; readonly record: TrailRecord }[] = [];
  for await (const { part, event, place } of events) {
    const record = withPlace(toTrailRecord(event), place);
    if (!firsts.has(part)) firsts.set(part, record);
    items.push({ kept: keep(event, record), record });
  }
  const all = inChainOrder(items, ({ record }) => record);
  const parts = cut.map((part) => ({ first: firsts.get(part) }));
  const whole = fromFirstWholeCheckpoint(all, ({ record }) => record, parts);
  const left = all.length - whole.length;
  if (left > 0 && !quiet)
    cli.screen.warn(
      `scopemesh: the topic deleted its oldest events; ${left} that are left are before the first checkpoint after which it is whole, and are not used`,
    );
  for (const { kept } of whole) yield kept;
}
