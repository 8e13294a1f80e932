import { statSync } from 'node:fs';
import type { DecisionLogSettings } from '../app/adapter-factory.js';
import { hasDecisionLog } from '../app/has-decision-log.js';
import { isProven, ProofCheck } from '../decisions/batch-proof.js';
import { isSigned } from '../decisions/checkpoint.js';
import { fromFirstWholeCheckpoint } from '../decisions/cut-front.js';
import type { DecisionLog } from '../decisions/log.js';
import type { NoteVerifier } from '../decisions/signed-note.js';
import { trustedKeys } from '../decisions/signing-key.js';
import { inChainOrder, type TrailRecord, toTrailRecord, withPlace } from '../decisions/trail-record.js';
import { configError } from '../errors.js';
import type { Decision } from '../model/decision.js';
import type { Cli } from './cli.js';

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
  const { openDecisionLog } = await cli.context.adapters();
  const log = await openDecisionLog(settings, await cli.runtime(true));
  try {
    yield* read(log);
  } finally {
    await log.close();
  }
}

/** Its decisions from an instant on, or from the start. */
export function readDecisions(
  settings: DecisionLogSettings,
  cli: Cli,
  options: { readonly from: string; readonly follow: boolean },
  signal = cli.signal,
): AsyncIterable<Decision> {
  return readDecisionLog(settings, cli, options.follow, (log) => log.read(options, signal));
}

/** An empty answer could also mean that state.directory is the wrong one. */
function warnThatItIsEmpty(directory: string, cli: Cli): void {
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory() === false)
    throw configError(
      `state.directory ${directory} is not a directory; set it to the directory in which the daemon keeps its state`,
    );
  cli.screen.warn(`there are no decisions yet in ${directory} (state.directory)`);
}

/**
 * What `keep` makes of each event, in the order of the chain. The events of a topic are put in order in memory, so `keep` as
 * little as you need. Anybody who may write to a topic can repeat a message: it counts once. A topic that deleted its oldest
 * events begins at the first checkpoint after which it is whole.
 */
export async function* readChain<T>(
  settings: DecisionLogSettings,
  cli: Cli,
  keep: (event: string, record: TrailRecord) => T,
  { quiet = false, verifiers = keysOf(settings) }: ChainOptions = {},
): AsyncIterable<T> {
  yield* readDecisionLog(settings, cli, false, (log) =>
    settings.decisions.kind === 'embedded'
      ? inOrder(log, keep, cli.signal)
      : ordered(log, keep, cli, { quiet, verifiers }),
  );
}

export interface ChainOptions {
  readonly quiet?: boolean;
  /** What none of them signed in a topic is left out: `keep` gets it as `unproven`. Without keys, everything counts. */
  readonly verifiers?: readonly NoteVerifier[];
}

/** The keys that the configuration and the state directory have. */
export function keysOf({ state, decisions }: DecisionLogSettings): readonly NoteVerifier[] {
  return trustedKeys(state.directory, decisions.trustedKeys);
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
  { quiet, verifiers }: Required<ChainOptions>,
): AsyncIterable<T> {
  const { cut, events } = await log.readParts(cli.signal);
  const proofs = new ProofCheck(verifiers);
  const seen = new Set<string>();
  const firsts = new Map<string, TrailRecord>();
  const items: { readonly kept: T; readonly record: TrailRecord }[] = [];
  for await (const { part, event, place } of events) {
    const record = withPlace(toTrailRecord(event), place);
    if (verifiers.length > 0 && !isProvenOnce(record, proofs, verifiers, seen)) {
      yield keep(event, { kind: 'unproven' });
      continue;
    }
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

function isProvenOnce(
  record: TrailRecord,
  proofs: ProofCheck,
  verifiers: readonly NoteVerifier[],
  seen: Set<string>,
): boolean {
  // A note is repeated after a crash: the verification knows it again.
  if (record.kind === 'checkpoint') return isSigned(verifiers, record.checkpoint);
  if (record.kind !== 'decision' || !isProven(record, proofs) || seen.has(record.link.hash)) return false;
  seen.add(record.link.hash);
  return true;
}
