import { onTestFinished } from 'vitest';
import { toStoredText } from '../../src/decisions/chain.js';
import { EmbeddedTopicIndex } from '../../src/decisions/embedded/embedded-topic-index.js';
import { openEmbeddedTrail } from '../../src/decisions/embedded/embedded-trail.js';
import type { LogParts } from '../../src/decisions/log.js';
import type { NoteVerifier } from '../../src/decisions/signed-note.js';
import type { Trail } from '../../src/decisions/trail.js';
import type { Decision } from '../../src/model/decision.js';
import { noMetrics, silentLogger } from '../../src/observe.js';
import { createMovableClock, type MovableClock } from './movable-clock.js';
import { chained as signed, verifier } from './signed-log.js';

export const LOG = '01JABCDEFGHJKMNPQRSTVWXYZ0';

/** The decisions with their places in a chain, and signed. */
export function chained(decisions: readonly Decision[], log = LOG): readonly Decision[] {
  return signed(decisions, log);
}

/** What a read of a topic gives: one part with these decisions, in this order. */
export function partsOf(
  decisions: readonly (Decision | string)[],
  { cut = [], position = 'read' }: { readonly cut?: readonly string[]; readonly position?: string } = {},
): LogParts {
  async function* events(): LogParts['events'] {
    for (const each of decisions)
      yield { part: '0', event: typeof each === 'string' ? each : toStoredText(each) };
  }
  return { cut, events: events(), position: () => position };
}

export interface IndexRig {
  readonly clock: MovableClock;
  /** What the index found wrong, by its metric. */
  readonly faults: string[];
  /** How many of a kind. */
  counted(kind: string): number;
  position(): string;
  /** Up to when it is complete. */
  until(): string | undefined;
  /** Takes a read that began now. */
  take(parts: LogParts, signal?: AbortSignal): Promise<void>;
  replaced(): void;
  /** As after a crash: nothing of the process is left but the files. */
  reopen(verifiers?: readonly NoteVerifier[]): Promise<void>;
  trail(): Promise<Trail>;
  /** The IDs of all decisions in the index, oldest first. */
  ids(): Promise<readonly string[]>;
}

const DAY = 86_400_000;

export function createIndexRig(directory: string, keepDays = 3_650): IndexRig {
  const clock = createMovableClock();
  const faults: string[] = [];
  const counts = new Map<string, number>();
  const count = (_: string, { kind = '' }: Readonly<Record<string, string>> = {}, by = 1) => {
    faults.push(kind);
    counts.set(kind, (counts.get(kind) ?? 0) + by);
  };
  const open = (verifiers: readonly NoteVerifier[] = [verifier]) =>
    new EmbeddedTopicIndex({
      directory,
      owner: 'payments',
      verifiers,
      keepMs: keepDays * DAY,
      logger: silentLogger,
      metrics: { ...noMetrics, count },
      clock,
      onClosed: () => {},
    });
  let index = open();
  onTestFinished(() => index.close());
  const trail = () => openEmbeddedTrail({ directory, logger: silentLogger, clock, isIndex: true });
  return {
    clock,
    faults,
    counted: (kind) => counts.get(kind) ?? 0,
    position: () => index.position,
    until: () => index.until,
    take: (parts, signal = new AbortController().signal) =>
      index.take(parts, new Date(clock.now()).toISOString(), signal),
    replaced: () => index.replaced(),
    async reopen(verifiers) {
      await index.close();
      index = open(verifiers);
    },
    trail,
    async ids() {
      const opened = await trail();
      const found: string[] = [];
      for await (const { id } of opened.history('all', {})) found.unshift(id);
      await opened.close();
      return found;
    },
  };
}
