import type { Config } from '../../config/config.js';
import { beginsTerm, effectiveConfig, isLive } from '../../config/live-settings.js';
import { configRevision, diffConfig, mappingRevision, toMapping } from '../../config/mapping-revision.js';
import { aclTriggers, everyAclTrigger } from '../acl/job/acl-triggers.js';
import { holdTriggers } from '../apply/record-holds.js';
import { isoInstant } from '../clock.js';
import { messageOf, SyncError } from '../errors.js';
import { providerKey } from '../model/key.js';
import { plainDecision } from '../model/plain-decision.js';
import type { OwnMapping } from '../model/replica.js';
import type { Trigger } from '../model/trigger.js';
import { policyOf } from '../plan/mode.js';
import { needsUserTokens } from '../read/user-token-facts.js';
import { type ReconcilerDeps, stampOf } from '../reconcile/deps.js';
import { runCooperatively } from '../run-cooperatively.js';
import { planningFleet } from '../state/fleet.js';
import { losingDestinations, toTriggers } from '../state/observe-consul.js';

/** What a reload changes now. */
interface LiveReload {
  readonly deps: ReconcilerDeps;
  /** On a replica that does not lead, the file only takes effect with its next term. */
  readonly isReconciling: boolean;
}

interface ReloadParts {
  /** The configuration that the process began with. */
  readonly running: Config;
  /** ISO 8601, when that was read. */
  readonly readAt: string;
  /** Reads the file again. */
  readonly read: () => Promise<Config>;
  readonly live: () => LiveReload;
  /** Ends the term of this replica, if it leads. */
  readonly stepDown: () => void;
  /** Gets the new configuration as it takes effect. */
  readonly taken: (current: Config) => void;
  readonly signal: AbortSignal;
}

type Facts = Pick<Parameters<typeof plainDecision>[0], 'outcome' | 'reason' | 'detail' | 'after' | 'verb'>;

const LEAVES_BEHIND =
  '; what a narrower select leaves out keeps its access and is not closed any more: remove its scopes before the restart, or see docs/how-to/run-several-instances.md';

/** Between tries to record the decision of a reload. */
const RETRY_MS = 1_000;

/**
 * Reloads of the configuration file, one after the other. A good file takes effect and produces a decision, later if the
 * store is away: every replica reads the file, and a leader with an older one would open again what another closed. A bad
 * file is refused, and the old one stays in effect. The settings that decide access, the webhook secrets of providers and
 * `http.tokens` change while scopemesh runs, a few others with a new term (`beginsTerm`). All others wait for a restart, and
 * the decision lists them.
 */
export class Reloads {
  readonly #parts: ReloadParts;
  #last: Config;
  #current: Config;
  #mapping: OwnMapping;
  #turn: Promise<void> = Promise.resolve();

  constructor(parts: ReloadParts) {
    this.#parts = parts;
    this.#last = parts.running;
    this.#current = parts.running;
    this.#mapping = mappingOf(parts.running, parts.readAt);
  }

  /** The configuration in effect. The next term begins with it. */
  get current(): Config {
    return this.#current;
  }

  /** What this replica shows of it. */
  get mapping(): OwnMapping {
    return this.#mapping;
  }

  get #deps(): ReconcilerDeps {
    return this.#parts.live().deps;
  }

  /** Resolves when the reload is done. Never rejects. */
  request(): Promise<void> {
    this.#turn = this.#turn.then(() => this.#reload());
    return this.#turn;
  }

  /** The file as it was last read, and its settings that take effect only at a restart. */
  get configuration(): { readonly revision: string; readonly waitingForRestart: readonly string[] } {
    return { revision: configRevision(this.#last), waitingForRestart: this.#waitingFor(this.#last) };
  }

  /** Resolves when no reload is in progress. Never rejects. */
  async idle(): Promise<void> {
    await this.#turn;
  }

  async #reload(): Promise<void> {
    const { logger, metrics } = this.#deps;
    try {
      const next = await this.#parts.read();
      if (next.owner !== this.#parts.running.owner)
        throw new Error(
          'the owner cannot change while scopemesh runs, and a new owner does not own what this one opened; docs/how-to/change-the-configuration.md says how to change it',
        );
      await this.#apply(next);
    } catch (error) {
      metrics.count('scopemesh_config_reload_failures_total');
      logger.error(
        { error: messageOf(error) },
        'the new configuration is refused; the old one keeps running',
      );
      const facts = { verb: 'rejected', outcome: 'refused', reason: 'ConfigRefused' } as const;
      await this.#recorder({ ...facts, detail: messageOf(error) })().catch(() => {});
    }
  }

  /** Throws only before anything has changed. */
  async #apply(next: Config): Promise<void> {
    const { clock, logger } = this.#deps;
    const changes = diffConfig(this.#last, next);
    const waiting = this.#waitingFor(next);
    const effective = effectiveConfig(this.#parts.running, next, this.#current);
    const mapping = toMapping(effective);
    const isSelecting = waiting.some((path) => path.startsWith('select.'));
    const detail =
      waiting.length === 0
        ? {}
        : {
            detail: `these settings take effect only at a restart: ${waiting.join(', ')}${isSelecting ? LEAVES_BEHIND : ''}`,
          };
    const fields = { changes: changes.map(({ path }) => path), waiting };
    const facts = { verb: 'reloaded', outcome: 'applied', reason: 'ConfigReloaded' } as const;
    const record = this.#recorder({ ...facts, after: changes, ...detail }, mapping.revision);
    const isLost = await record().then(
      () => false,
      (error: unknown) => {
        if (!isUnrecorded(error)) throw error;
        logger.error(
          { ...fields, error: messageOf(error) },
          'the decision of the new configuration cannot be recorded yet; the configuration takes effect all the same',
        );
        if (error.code === 'ERR_LEASE_LOST') return true;
        void this.#recordLater(record);
        return false;
      },
    );
    this.#last = next;
    this.#current = effective;
    if (mapping.revision !== this.#mapping.revision) this.#mapping = mappingOf(effective, isoInstant(clock));
    this.#parts.taken(effective);
    if (waiting.length === 0) logger.info(fields, 'configuration reloaded');
    else
      logger.warn(fields, 'configuration reloaded; the settings in `waiting` take effect only at a restart');

    // Another term may have begun meanwhile.
    const { isReconciling, deps } = this.#parts.live();
    const { world } = deps;
    if (isLost && isReconciling) return this.#parts.stepDown();
    // `observe` has another lease, under which nothing may be written. So the next term begins with the new mode, and this
    // one takes it only if it then writes nothing more.
    if (isReconciling && policyOf(mapping).writes !== policyOf(world.mapping).writes) {
      if (!policyOf(mapping).writes) world.setMapping(mapping);
      return this.#parts.stepDown();
    }
    if (isReconciling && changes.some(beginsTerm)) {
      // What the ending term still writes follows the new mapping; only how claims count waits for the next term.
      world.setMapping({ ...mapping, claims: world.mapping.claims });
      return this.#parts.stepDown();
    }
    const before = world.destinations(clock.now());
    world.setMapping(mapping);
    if (!isReconciling) return;
    const cause = this.#cause();
    await this.#addOrWait(async () => {
      const planning = planningFleet(world, deps.window, () => clock.now());
      const losing = losingDestinations(await runCooperatively(planning, this.#parts.signal));
      return [
        ...toTriggers([...before, ...world.destinations(clock.now())], cause, losing),
        // A rule may require a user for the first time, and then the address of the provider's keys is not known yet.
        ...(needsUserTokens(mapping)
          ? mapping.providers.map((name) => ({ key: providerKey(name), cause }))
          : []),
        ...(await holdTriggers(cause, this.#deps)),
      ];
    }, deps);
    await this.#addOrWait(
      () =>
        aclTriggers(this.#deps, cause, this.#parts.signal).catch((error: unknown) => {
          logger.warn(
            { error: messageOf(error) },
            'the ACL objects cannot be read; scopemesh checks every client instead',
          );
          return everyAclTrigger(this.#deps, cause);
        }),
      deps,
    );
  }

  /** What cannot be found or queued now, the next sweep finds. */
  async #addOrWait(
    find: () => Promise<readonly Trigger[]>,
    { queue, logger }: ReconcilerDeps,
  ): Promise<void> {
    try {
      await queue.add(await find());
    } catch (error) {
      logger.warn(
        { error: messageOf(error) },
        'the changes of the new configuration wait for the next sweep',
      );
    }
  }

  #waitingFor(next: Config): readonly string[] {
    return diffConfig(this.#parts.running, next)
      .filter((change) => !isLive(change))
      .map(({ path }) => path);
  }

  /** Tries until the decision is recorded, or this replica leads no more. Never rejects. */
  async #recordLater(record: () => Promise<void>): Promise<void> {
    const { clock, logger } = this.#deps;
    for (;;) {
      try {
        await clock.sleep(RETRY_MS, this.#parts.signal);
        if (!this.#parts.live().isReconciling) throw new Error('this replica no longer leads');
        return await record();
      } catch (error) {
        if (!this.#parts.signal.aborted && isUnrecorded(error) && error.code !== 'ERR_LEASE_LOST') continue;
        logger.error({ error: messageOf(error) }, 'the decision of a new configuration is not recorded');
        return;
      }
    }
  }

  /** Records the same decision at each call, while this replica leads. Every replica reads the file; the leader decides. */
  #recorder(facts: Facts, mappingRevision: string = this.#deps.world.mapping.revision): () => Promise<void> {
    const { owner } = this.#parts.running;
    const subject = `config/${owner}`;
    const decision = plainDecision(
      { resource: { kind: 'config', name: owner }, subject, cause: this.#cause(), ...facts },
      { ...stampOf(this.#deps), mappingRevision },
    );
    return async () => {
      const { isReconciling, deps } = this.#parts.live();
      if (!isReconciling) return;
      await deps.journal.settle(subject, [decision]);
      deps.onSettled();
    };
  }

  #cause() {
    return { kind: 'config' as const, receivedAt: isoInstant(this.#deps.clock) };
  }
}

function mappingOf(config: Config, readAt: string): OwnMapping {
  return { mode: config.mode, revision: mappingRevision(config), readAt };
}

/** Whether a decision failed by the store or the lease, and not by the file. */
function isUnrecorded(error: unknown): error is SyncError {
  return error instanceof SyncError && ['ERR_LEASE_LOST', 'ERR_QUEUE_UNREACHABLE'].includes(error.code);
}
