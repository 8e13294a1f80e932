import { isoInstant } from '../clock.js';
import { messageOf, SyncError } from '../errors.js';
import type { BreakGlass } from '../model/break-glass.js';
import type { Cause } from '../model/cause.js';
import { intersection } from '../plan/access.js';
import {
  breakGlassAccess,
  breakGlassState,
  breakGlassText,
  destinationOf,
  endOf,
  sourceOf,
} from '../plan/break-glass.js';
import { lastingRefusal } from '../plan/edge-break-glass.js';
import { parseLastAppliedText } from '../plan/last-applied.js';
import { policyOf } from '../plan/mode.js';
import { isOwnedHere, isSourceOf } from '../plan/ownership.js';
import { intentionSubject } from '../plan/plan.js';
import { serviceText } from '../plan/world.js';
import { inputOf } from '../state/fleet.js';
import {
  type BreakGlassDeps,
  followRecords,
  forget,
  isUnended,
  OPENED,
  REMINDER,
  recordSeen,
  replan,
  settle,
  settleEnd,
} from './break-glass.js';
import { parseStoredText, toStoredText } from './stored-break-glass.js';

/** Of all records, also those of others. */
const MAX_ADOPTED = 100;
/** A write that was on its way at the end has an answer by then. */
const KEPT_MS = 60_000;
const REMINDER_MS = 24 * 3_600_000;
/** So often the records in Consul are compared with the store. */
const COMPARE_MS = 60_000;
const RECORD_MS = 1_000;
/** A clock that is set back over a restart prolongs a grant by so much at most. */
const SEEN_MS = 10_000;
const RETRY_MS = 10_000;

/** What one process remembers of the records in Consul. */
export class BreakGlassFollower {
  /** The texts in Consul's KV by ID; undefined until they were read. */
  #recorded: Map<string, string> | undefined;
  #unrecorded: ReadonlySet<string> = new Set();
  #unclosed: ReadonlySet<string> = new Set();
  #comparedAt = Number.NEGATIVE_INFINITY;
  #seenAt = Number.NEGATIVE_INFINITY;
  readonly #deps: BreakGlassDeps;

  constructor(deps: BreakGlassDeps) {
    this.#deps = deps;
  }

  /**
   * Closes what is over and reminds of what is open. Calls nothing but the store, so that no slow Consul delays an end. Returns
   * the time until the next end, in milliseconds; infinite without an open grant.
   */
  async follow(): Promise<number> {
    const deps = this.#deps;
    const { world, clock, metrics } = deps;
    return world.breakGlass.mutex.run(async () => {
      await followRecords('resync', deps);
      const now = world.breakGlass.advance(clock.now());
      for (const glass of world.breakGlass.all) await this.#followOne(glass, now);
      const open = world.breakGlass.all.filter(
        (each) => breakGlassState(each, world.mapping, now) === 'open',
      );
      metrics.gauge('scopemesh_break_glass_open', open.length);
      this.#watchUnclosed(now);
      await this.#recordSeen(now);
      const limits = world.mapping.breakGlass;
      return limits === undefined
        ? Number.POSITIVE_INFINITY
        : Math.min(...open.map((each) => endOf(each, limits) - now));
    });
  }

  /** Without this record the ends are followed as exactly, so a failure stops nothing. */
  async #recordSeen(now: number): Promise<void> {
    const deps = this.#deps;
    if (now - this.#seenAt < SEEN_MS || !deps.world.breakGlass.all.some(isUnended)) return;
    this.#seenAt = now;
    try {
      await recordSeen(now, deps);
    } catch (error) {
      deps.logger.warn(
        { error: messageOf(error) },
        'the time of break-glass grants could not be recorded; if the clock is set back over a restart, they may last longer',
      );
    }
  }

  async #followOne(glass: BreakGlass, now: number): Promise<void> {
    const deps = this.#deps;
    const { world, clock } = deps;
    const { mapping } = world;
    const state = breakGlassState(glass, mapping, now);
    const cause: Cause = { kind: 'resync', receivedAt: isoInstant(clock) };
    const why =
      state === 'ended' ? endText(glass, mapping.breakGlass !== undefined) : refusedText(glass, deps);
    if (why !== undefined && glass.endedAt === undefined) {
      // First, so that a store that fails does not keep the edge open.
      await replan(glass, 'resync', deps);
      await settleEnd(glass, now, { cause, detail: `${why}: ${glass.reason}` }, deps);
      return;
    }
    const openedAt = glass.remindedAt ?? glass.openedAt ?? now;
    if (state === 'open' && now - openedAt >= REMINDER_MS) {
      const after = { ...glass, remindedAt: now };
      const detail = breakGlassText(glass, endOf(glass, mapping.breakGlass ?? { longestMs: 0 }));
      await settle(after, { ...REMINDER, before: glass, after, cause, detail }, deps);
      deps.metrics.count('scopemesh_break_glass_reminders_total');
    }
  }

  /** Ended grants whose edges something keeps open, such as another manager of the entry. */
  #watchUnclosed(now: number): void {
    const { world, logger, metrics } = this.#deps;
    if (!world.hasEntries) return;
    const unclosed = world.breakGlass.all.filter(
      (each) =>
        each.endedAt !== undefined &&
        each.openedAt !== undefined &&
        now - each.endedAt >= KEPT_MS &&
        !isClosed(each, this.#deps),
    );
    metrics.gauge('scopemesh_break_glass_unclosed', unclosed.length);
    for (const { id, source, destination } of unclosed)
      if (!this.#unclosed.has(id))
        logger.warn(
          { id, source, destination },
          'a break-glass grant ended, but its edge is still open; scopemesh explain says what holds it',
        );
    this.#unclosed = new Set(unclosed.map(({ id }) => id));
  }

  /**
   * Makes the records in Consul equal to the store, and forgets what is closed. Returns the time until the next call, in
   * milliseconds.
   */
  async record(signal: AbortSignal): Promise<number> {
    const deps = this.#deps;
    const { world, clock, consul, logger } = deps;
    if (!policyOf(world.mapping).writes) return RECORD_MS;
    const now = world.breakGlass.timeAt(clock.now());
    if (this.#recorded === undefined || now - this.#comparedAt >= COMPARE_MS) {
      const listed = new Map(await this.#list(signal));
      await world.breakGlass.mutex.run(async () => {
        await followRecords('resync', deps);
        // Later, or beside grants of a store, only another writer can have made them.
        if (this.#recorded === undefined && world.breakGlass.all.length === 0) await this.#adopt(listed, now);
      });
      this.#recorded = listed;
      this.#comparedAt = now;
    }
    const recorded = this.#recorded;
    const grants = world.breakGlass.all;
    const over = grants.filter(
      (each) => each.endedAt !== undefined && now - each.endedAt >= KEPT_MS && isClosed(each, deps),
    );
    const isOver = new Set(over.map(({ id }) => id));
    const puts = grants.flatMap((each) => {
      const text = toStoredText(each);
      return each.openedAt === undefined || isOver.has(each.id) || recorded.get(each.id) === text
        ? []
        : [{ id: each.id, text }];
    });
    // From Consul first: what only Consul has counts as lost by the store.
    const deletions = over.flatMap(({ id }) => (recorded.has(id) ? [{ id, text: undefined }] : []));
    const writes = [...puts, ...deletions];
    const results = writes.length === 0 ? [] : await consul.breakGlass.write(writes, signal);
    const failed = new Set<string>();
    for (const [at, { id, text }] of writes.entries()) {
      const result = results[at];
      if (result?.kind !== 'written') {
        failed.add(id);
        const error = result?.kind === 'refused' ? result.detail : 'no answer';
        if (!this.#unrecorded.has(id))
          logger.warn({ id, error }, 'a break-glass grant could not be recorded in Consul; the store has it');
      } else if (text === undefined) recorded.delete(id);
      else recorded.set(id, text);
    }
    this.#unrecorded = failed;
    deps.metrics.gauge('scopemesh_break_glass_unrecorded', failed.size);
    await world.breakGlass.mutex.run(async () => {
      for (const { id } of over) if (!failed.has(id)) await forget(id, deps);
    });
    return failed.size > 0 ? RETRY_MS : RECORD_MS;
  }

  /** Nothing if the token may not read them: then the store alone counts. */
  async #list(signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
    const { consul, logger } = this.#deps;
    try {
      return await consul.breakGlass.list(signal);
    } catch (error) {
      if (!(error instanceof SyncError) || error.code !== 'ERR_CONSUL_DENIED') throw error;
      logger.warn(
        { error: messageOf(error) },
        'the ACL token may not read the break-glass grants in Consul, so only the store of scopemesh knows them',
      );
      return new Map();
    }
  }

  /** What only Consul has: the store was lost, or somebody else wrote it. So it closes edges, and opens none. */
  async #adopt(recorded: ReadonlyMap<string, string>, now: number): Promise<void> {
    const deps = this.#deps;
    const { world, clock, logger } = deps;
    const known = new Set(world.breakGlass.all.map(({ id }) => id));
    for (const [id, text] of recorded) {
      if (known.has(id) || world.breakGlass.all.length >= MAX_ADOPTED) continue;
      const found = parseStoredText(text);
      if (found === undefined || found.id !== id || found.openedAt === undefined) {
        logger.warn(
          { id },
          'a record of a break-glass grant in Consul is not one of scopemesh and is ignored',
        );
        continue;
      }
      const { askedAt, openedAt, endedAt, remindedAt: _, ...rest } = found;
      const after: BreakGlass = {
        ...rest,
        askedAt: Math.min(askedAt, now),
        openedAt: Math.min(openedAt, now),
        remindedAt: now,
        ...(endedAt === undefined ? {} : { endedAt: Math.min(endedAt, now) }),
        isAdopted: true,
      };
      const cause: Cause = { kind: 'resync', receivedAt: isoInstant(clock) };
      const detail = `found in Consul and not in the store, so it keeps what is open and opens nothing: ${found.reason}`;
      await settle(after, { ...OPENED, outcome: 'observed', after, cause, detail }, deps);
    }
  }
}

/** Whether the owned edge does not allow any more what the grant gave, or is recorded as what others opened. */
export function isClosed(
  glass: BreakGlass,
  { world, clock }: Pick<BreakGlassDeps, 'world' | 'clock'>,
): boolean {
  if (!world.hasEntries) return false;
  const { entry, lastApplied, mapping } = inputOf(world, destinationOf(glass), clock.now());
  const from = sourceOf(glass);
  const ours = entry?.sources.find(
    (each) => each.peer === undefined && isOwnedHere(mapping, each) && isSourceOf(each, from),
  );
  if (ours === undefined || ours.access.kind === 'deny') return true;
  const record = parseLastAppliedText(lastApplied.get(intentionSubject(destinationOf(glass), glass.source)));
  if (record !== undefined && !record.breakGlass.includes(glass.id)) return true;
  return ours.access.kind !== 'other' && intersection(ours.access, breakGlassAccess(glass)) === undefined;
}

/** Why a grant ends before its time; undefined while nothing is known. */
function refusedText(
  glass: BreakGlass,
  { world, clock }: Pick<BreakGlassDeps, 'world' | 'clock'>,
): string | undefined {
  const source = sourceOf(glass);
  const now = clock.now();
  const claimStatus = world.claimStatuses(now).get(serviceText(source)) ?? {
    kind: 'none',
    service: source,
    vanished: true,
  };
  return lastingRefusal(glass, claimStatus, { mapping: world.mapping, world: world.view(now) })?.detail;
}

function endText({ openedAt }: BreakGlass, isOn: boolean): string {
  if (!isOn) return 'guards.breakGlass is off';
  return openedAt === undefined ? 'no second person approved it in time' : 'its time is over';
}
