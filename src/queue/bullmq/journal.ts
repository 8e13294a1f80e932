import type { Redis } from 'ioredis';
import { inParts } from '../../in-parts.js';
import type { Decision, DraftDecision } from '../../model/decision.js';
import type { Runtime } from '../../runtime.js';
import { countFor, toHoldPage, toPosition } from '../hold-position.js';
import type { HoldPage, Journal, KeyRecord, RecordUpdate, SettledDecision } from '../journal.js';
import { parseDecision, parseDraft, parseHold } from '../stored.js';
import { GatheredScript, type Value } from './gathered-script.js';
import * as scripts from './journal-scripts.js';
import { namesThatBegin } from './names-that-begin.js';
import { RecentSteps, type SettleStep, type SettleUpdate } from './recent-steps.js';
import type { ScriptLink } from './redis-link.js';
import { type Script, toLists, toPairs, toTexts } from './script.js';

// How many settled IDs are kept: far more than a repeated step can name.
const SETTLED_KEPT = 100_000;
// So many subjects, at least, whose last revision is known exactly.
const SUBJECTS_KEPT = 100_000;

// Redis answers nothing else while a script runs: some milliseconds.
const KEYS_IN_ONE_SCRIPT = 500;

/** The journal beside the queue in the same Redis, so that a decision is as durable as its job. */
export class BullmqJournal implements Journal {
  readonly #link: ScriptLink;
  readonly #deps: Runtime;
  readonly #recent: RecentSteps;
  readonly #recordScript: GatheredScript;
  /** A full Redis refuses no script that begins with an end of drafts, but one that begins with a new draft. */
  readonly #replaceScript: GatheredScript;
  readonly #settleScript: GatheredScript;
  readonly #forgetLink: () => void;

  constructor(link: ScriptLink, deps: Runtime, subjectsKept = SUBJECTS_KEPT) {
    this.#link = link;
    this.#deps = deps;
    this.#recent = new RecentSteps(deps.clock);
    this.#recordScript = new GatheredScript(scripts.RECORD, link);
    this.#replaceScript = new GatheredScript(scripts.RECORD, link);
    this.#settleScript = new GatheredScript(scripts.SETTLE, link, SETTLED_KEPT, subjectsKept);
    this.#forgetLink = link.whenOther((redis) => this.#restore(redis));
  }

  /** A later journal restores what this one would. */
  close(): void {
    this.#forgetLink();
  }

  async read(key: string): Promise<KeyRecord> {
    const { prefix } = this.#link;
    const reply = await this.#link.call((redis) => scripts.RECORDS.run(redis, prefix, [key]));
    return toRecord(toLists(reply)[0]);
  }

  async readAll(): Promise<ReadonlyMap<string, KeyRecord>> {
    const { prefix } = this.#link;
    const begins = `${prefix}:written:`;
    const keys = await this.#link.call(async (redis) => {
      const lists = await Promise.all([
        redis.smembers(`${prefix}:pending`),
        redis.smembers(`${prefix}:held`),
      ]);
      const found = new Set(lists.flat());
      // No set names the keys with digests.
      for await (const names of namesThatBegin(redis, begins))
        for (const name of names) found.add(name.slice(begins.length));
      return [...found];
    });
    const all = new Map<string, KeyRecord>();
    for (const slice of inParts(keys, KEYS_IN_ONE_SCRIPT)) {
      const replies = toLists(await this.#link.run(scripts.RECORDS, ...slice));
      for (const [index, key] of slice.entries()) {
        const record = toRecord(replies[index]);
        // Another process may have emptied the record meanwhile.
        if (record.pending.length + record.lastApplied.size + record.holds.size > 0) all.set(key, record);
      }
    }
    return all;
  }

  async record(
    key: string,
    drafts: readonly DraftDecision[],
    replaced: readonly string[] = [],
  ): Promise<void> {
    if (drafts.length + replaced.length === 0) return;
    const values = [key, replaced.length, drafts.length, ...replaced];
    for (const draft of drafts) values.push(draft.id, JSON.stringify(draft));
    // Before Redis answers: its answer may get lost.
    this.#recent.add({ kind: 'record', drafts: drafts.length, values });
    await (replaced.length > 0 ? this.#replaceScript : this.#recordScript).run(values);
  }

  async settle(key: string, decisions: readonly SettledDecision[], update: RecordUpdate = {}): Promise<void> {
    const step: SettleStep = {
      kind: 'settle',
      key,
      ids: decisions.map(({ id }) => id),
      update: toValues(update),
      decisions: decisions.flatMap((decision) => [decision.id, decision.subject, JSON.stringify(decision)]),
    };
    this.#recent.add(step);
    const revisions = await this.#settleScript.run(settlement(step), step.ids.length);
    // A repetition: its update was made before, and may be out of date now.
    if (decisions.length > 0 && !revisions.some((revision) => revision > 0)) this.#recent.remove(step);
    this.#recent.settled(
      step,
      revisions.map((revision) => Math.max(0, revision)),
    );
    for (const [index, revision] of revisions.entries())
      if (revision < 0) this.#recent.foundSettled(step.ids[index] ?? '', -revision);
  }

  /**
   * Makes the last steps again in a Redis that may lack them, as after a failover to a replica that was behind. What it has
   * does not change. Resolves with the number of decisions that it lacked.
   */
  async #restore(redis: Redis): Promise<void> {
    const steps = this.#recent.all();
    const run = (script: Script, values: readonly Value[]) => this.#link.restore(redis, script, ...values);
    let restored = 0;
    for (const step of steps) {
      if (step.kind === 'record') {
        await this.#recordScript.runAlone(step.values, run);
        continue;
      }
      const { key, ids, decisions, revisions } = step;
      // The caller repeats what Redis has not got.
      if (revisions === undefined && !(await this.#isSettled(ids, redis))) continue;
      const values = ids.flatMap((id, index) => {
        const revision = revisions?.[index] ?? 0;
        if (revision === 0) return [];
        return [
          ...decisions.slice(3 * index, 3 * index + 3),
          revision,
          this.#recent.isPublished(id) ? '1' : '0',
        ];
      });
      if (values.length > 0)
        restored += Number(await this.#link.restore(redis, scripts.RESTORE, key, ...values));
      // Each one: what a later step wrote must not stay behind an earlier one that is made again.
      await this.#settleScript.runAlone(settlement({ ...step, ids: [], decisions: [] }), run);
    }
    if (restored === 0) return;
    this.#deps.metrics.count('scopemesh_store_restored_decisions_total', {}, restored);
    this.#deps.logger.warn(
      { restored },
      'Redis had forgotten decisions that it had acknowledged, as after a failover; they are recorded again',
    );
  }

  /** Whether Redis has all of them. */
  async #isSettled(ids: readonly string[], redis: Redis): Promise<boolean> {
    const scores = await Promise.all(ids.map((id) => redis.zscore(`${this.#link.prefix}:settled`, id)));
    return !scores.includes(null);
  }

  async outbox(limit: number): Promise<readonly Decision[]> {
    const bodies = toPairs(await this.#link.run(scripts.OUTBOX, limit));
    const found = bodies.map(([revision, json]) => ({ ...parseDecision(json), revision: Number(revision) }));
    for (const { id, revision } of found) this.#recent.foundSettled(id, revision);
    return found;
  }

  async published(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    await this.#link.run(scripts.PUBLISHED, ...ids);
    this.#recent.published(ids);
  }

  async overview(page?: HoldPage): ReturnType<Journal['overview']> {
    const { prefix } = this.#link;
    const after = toPosition(page?.after);
    const [pendingKeys, reply, outboxLength] = await this.#link.call((redis) =>
      Promise.all([
        redis.smembers(`${prefix}:pending`),
        scripts.HOLDS.run(redis, prefix, [countFor(page), after.key, after.subject]),
        redis.zcard(`${prefix}:outbox`),
      ]),
    );
    const [counts, found] = toLists(reply);
    const texts = toTexts(found);
    const rows = Array.from({ length: texts.length / 3 }, (_, index) => ({
      key: texts[3 * index] ?? '',
      subject: texts[3 * index + 1] ?? '',
      json: texts[3 * index + 2] ?? '',
    }));
    return {
      pendingKeys: pendingKeys.sort(),
      ...toHoldPage(rows, page),
      holdCounts: Object.fromEntries(toPairs(counts).map(([reason, count]) => [reason, Number(count)])),
      outboxLength,
    };
  }
}

/** The values of one step of `SETTLE`. */
function settlement({ key, ids, decisions, update }: SettleStep): readonly Value[] {
  return [key, ids.length, update.digests, update.holds, ...decisions, ...update.values];
}

function toValues({ lastApplied = new Map(), holds = new Map() }: RecordUpdate): SettleUpdate {
  const values: Value[] = [];
  for (const [subject, digest] of lastApplied) values.push(subject, digest ?? '');
  for (const [subject, hold] of holds) values.push(subject, hold === null ? '' : JSON.stringify(hold));
  return { digests: lastApplied.size, holds: holds.size, values };
}

/** From the reply of `RECORDS` about a key. */
function toRecord(reply: unknown): KeyRecord {
  const [pending, written, holds] = toLists(reply);
  return {
    pending: inOrder(toTexts(pending)).map(parseDraft),
    lastApplied: new Map(toPairs(written)),
    holds: new Map(toPairs(holds).map(([subject, json]) => [subject, parseHold(json)])),
  };
}

// Each pending draft is stored as its number, a line break, and the JSON.
function inOrder(values: readonly string[]): string[] {
  return values
    .map((value) => {
      const at = value.indexOf('\n');
      return { seq: Number(value.slice(0, at)), json: value.slice(at + 1) };
    })
    .sort((a, b) => a.seq - b.seq)
    .map(({ json }) => json);
}
