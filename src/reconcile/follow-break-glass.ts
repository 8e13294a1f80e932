import { messageOf, SyncError } from '../errors.js';
import type { BreakGlass } from '../model/break-glass.js';
import type { Cause } from '../model/cause.js';
import { breakGlassState, breakGlassText, endOf } from '../plan/break-glass.js';
import { policyOf } from '../plan/mode.js';
import { intentionSubject } from '../plan/plan.js';
import { planDestination } from '../plan/plan-destination.js';
import { inputOf } from '../state/fleet.js';
import {
  type BreakGlassDeps,
  forget,
  heed,
  OPENED,
  REMINDER,
  replan,
  settle,
  settleEnd,
} from './break-glass.js';
import { parseStoredText, toStoredText } from './stored-break-glass.js';

/** Of all records, also those of others. */
const MOST_ADOPTED = 100;
/** A write that was on its way at the end has an answer by then. */
const KEPT_MS = 60_000;
const REMINDER_MS = 24 * 3_600_000;
/** So often the records in Consul are compared with the store. */
const COMPARE_MS = 60_000;

/** What one process remembers of the records in Consul. */
export class BreakGlassFollower {
  /** The texts in Consul's KV by ID; undefined until they were read. */
  #recorded: Map<string, string> | undefined;
  #comparedAt = Number.NEGATIVE_INFINITY;
  readonly #deps: BreakGlassDeps;

  constructor(deps: BreakGlassDeps) {
    this.#deps = deps;
  }

  /**
   * Closes what is over, reminds of what is open, and makes the records in Consul equal to the store. Returns the time until
   * the next end, in milliseconds; infinite without an open grant.
   */
  async follow(signal: AbortSignal): Promise<number> {
    const deps = this.#deps;
    const { world, clock, metrics } = deps;
    return world.breakGlass.mutex.run(async () => {
      await heed('resync', deps);
      const now = world.breakGlass.advance(clock.now());
      for (const glass of world.breakGlass.all) await this.#followOne(glass, now);
      await this.#followRecords(now, signal);
      const open = world.breakGlass.all.filter(
        (each) => breakGlassState(each, world.mapping, now) === 'open',
      );
      metrics.gauge('scopemesh_break_glass_open', open.length);
      const limits = world.mapping.breakGlass;
      return limits === undefined
        ? Number.POSITIVE_INFINITY
        : Math.min(...open.map((each) => endOf(each, limits) - now));
    });
  }

  async #followOne(glass: BreakGlass, now: number): Promise<void> {
    const deps = this.#deps;
    const { world, clock } = deps;
    const { mapping } = world;
    const state = breakGlassState(glass, mapping, now);
    const cause: Cause = { kind: 'resync', receivedAt: new Date(clock.now()).toISOString() };
    if (state === 'ended' && glass.endedAt === undefined) {
      // First, so that a store that fails does not keep the edge open.
      await replan(glass, 'resync', deps);
      await settleEnd(glass, now, { cause, detail: endText(glass, mapping.breakGlass !== undefined) }, deps);
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

  async #followRecords(now: number, signal: AbortSignal): Promise<void> {
    const deps = this.#deps;
    const { world, consul, logger } = deps;
    if (!policyOf(world.mapping).writes) return;
    if (this.#recorded === undefined || now - this.#comparedAt >= COMPARE_MS) {
      this.#recorded = new Map(await this.#list(signal));
      this.#comparedAt = now;
      await this.#adopt(this.#recorded, now);
    }
    const recorded = this.#recorded;
    const grants = world.breakGlass.all;
    const over = grants.filter(
      (each) => each.endedAt !== undefined && now - each.endedAt >= KEPT_MS && this.#isClosed(each),
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
        logger.warn({ id, error }, 'a break-glass grant could not be recorded in Consul; the store has it');
      } else if (text === undefined) recorded.delete(id);
      else recorded.set(id, text);
    }
    deps.metrics.gauge('scopemesh_break_glass_unrecorded', failed.size);
    for (const { id } of over) if (!failed.has(id)) await forget(id, deps);
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
      if (known.has(id) || world.breakGlass.all.length >= MOST_ADOPTED) continue;
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
      const cause: Cause = { kind: 'resync', receivedAt: new Date(clock.now()).toISOString() };
      const detail = `found in Consul and not in the store, so it keeps what is open and opens nothing: ${found.reason}`;
      await settle(after, { ...OPENED, outcome: 'observed', after, cause, detail }, deps);
    }
  }

  /** Whether no plan has to close anything of it any more. */
  #isClosed({ source, destination, partition, namespace }: BreakGlass): boolean {
    const { world, clock } = this.#deps;
    if (!world.hasEntries || world.catalog === undefined) return false;
    const to = { partition, namespace, name: destination };
    const subject = intentionSubject(to, source);
    const plan = planDestination(inputOf(world, to, clock.now()));
    return !plan.changes.some((change) => change.subject === subject && change.narrows);
  }
}

function endText({ openedAt, reason }: BreakGlass, isOn: boolean): string {
  if (!isOn) return `guards.breakGlass is off: ${reason}`;
  return openedAt === undefined
    ? `no second person approved it in time: ${reason}`
    : `its time is over: ${reason}`;
}
