import type { Config } from '../../config/config.js';
import { effectiveConfig, isLive } from '../../config/live-settings.js';
import { configRevision, diffConfig, toMapping } from '../../config/mapping-revision.js';
import { messageOf } from '../errors.js';
import { providerKey } from '../model/key.js';
import { plainDecision } from '../model/plain-decision.js';
import { aclTriggers, everyAclTrigger } from '../reconcile/acl/acl-triggers.js';
import { type ReconcilerDeps, stampOf } from '../reconcile/deps.js';
import { holdTriggers } from '../reconcile/holds.js';
import { needsUserTokens } from '../reconcile/user-token-facts.js';
import { planFleet } from '../state/fleet.js';
import { losingDestinations, toTriggers } from '../state/observe-consul.js';

/** What a reload changes now. */
export interface LiveReload {
  readonly deps: ReconcilerDeps;
  /** On a replica that does not lead, the file only takes effect with its next term. */
  readonly isReconciling: boolean;
}

/**
 * Reloads of the configuration file, one after the other. A good file takes effect and produces a decision. A bad file is
 * refused, and the old one stays in effect. Only the settings that decide access change while scopemesh runs. Servers,
 * providers, listeners and intervals wait for a restart, and the decision lists them.
 */
export class Reloads {
  readonly #running: Config;
  readonly #read: () => Promise<Config>;
  readonly #live: () => LiveReload;
  readonly #stepDown: () => void;
  readonly #signal: AbortSignal;
  #last: Config;
  #turn: Promise<void> = Promise.resolve();

  /** `stepDown` ends the term of this replica, if it leads. */
  constructor(
    running: Config,
    read: () => Promise<Config>,
    live: () => LiveReload,
    stepDown: () => void,
    signal: AbortSignal,
  ) {
    this.#stepDown = stepDown;
    this.#running = running;
    this.#last = running;
    this.#read = read;
    this.#live = live;
    this.#signal = signal;
  }

  /** The configuration in effect. The next term begins with it. */
  get current(): Config {
    return effectiveConfig(this.#running, this.#last);
  }

  get #deps(): ReconcilerDeps {
    return this.#live().deps;
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
      const next = await this.#read();
      if (next.owner !== this.#running.owner)
        throw new Error(
          'the owner cannot change while scopemesh runs; stop scopemesh, change the owner, and run scopemesh adopt',
        );
      await this.#apply(next);
      this.#last = next;
    } catch (error) {
      metrics.count('scopemesh_config_reload_failures_total');
      logger.error(
        { error: messageOf(error) },
        'the new configuration is refused; the old one keeps running',
      );
      const facts = { verb: 'rejected', outcome: 'refused', reason: 'ConfigRefused' } as const;
      await this.#decide({ ...facts, detail: messageOf(error) }).catch(() => {});
    }
  }

  /** Throws only before anything has changed. */
  async #apply(next: Config): Promise<void> {
    const { world, queue, clock, logger } = this.#deps;
    const changes = diffConfig(this.#last, next);
    const waiting = this.#waitingFor(next);
    const mapping = toMapping(effectiveConfig(this.#running, next));
    const detail =
      waiting.length === 0
        ? {}
        : { detail: `these settings take effect only at a restart: ${waiting.join(', ')}` };
    await this.#decide(
      { verb: 'reloaded', outcome: 'applied', reason: 'ConfigReloaded', after: changes, ...detail },
      mapping.revision,
    );
    const fields = { changes: changes.map(({ path }) => path), waiting };
    if (waiting.length === 0) logger.info(fields, 'configuration reloaded');
    else
      logger.warn(fields, 'configuration reloaded; the settings in `waiting` take effect only at a restart');

    const isReconciling = this.#live().isReconciling;
    // `observe` has another lease, under which nothing may be written. So the next term begins with the new mode, and this
    // one takes it only if it then writes nothing more.
    if (isReconciling && (mapping.mode === 'observe') !== (world.mapping.mode === 'observe')) {
      if (mapping.mode === 'observe') world.setMapping(mapping);
      this.#last = next;
      return this.#stepDown();
    }
    const before = world.destinations(clock.now());
    world.setMapping(mapping);
    if (!isReconciling) return;
    const cause = this.#cause();
    try {
      const losing = losingDestinations(planFleet(world, this.#deps.window, clock.now()));
      await queue.add([
        ...toTriggers([...before, ...world.destinations(clock.now())], cause, losing),
        // A rule may require a user for the first time, and then the address of the provider's keys is not known yet.
        ...(needsUserTokens(mapping)
          ? mapping.providers.map((name) => ({ key: providerKey(name), cause }))
          : []),
        ...(await holdTriggers(cause, this.#deps)),
      ]);
    } catch (error) {
      logger.warn(
        { error: messageOf(error) },
        'the changes of the new configuration wait for the next sweep',
      );
    }
    try {
      await queue.add(
        await aclTriggers(this.#deps, cause, this.#signal).catch((error: unknown) => {
          logger.warn(
            { error: messageOf(error) },
            'the ACL objects cannot be read; scopemesh checks every client instead',
          );
          return everyAclTrigger(this.#deps, cause);
        }),
      );
    } catch (error) {
      logger.warn(
        { error: messageOf(error) },
        'the changes of the new configuration wait for the next sweep',
      );
    }
  }

  #waitingFor(next: Config): readonly string[] {
    return diffConfig(this.#running, next)
      .map(({ path }) => path)
      .filter((path) => !isLive(path));
  }

  async #decide(
    facts: Pick<Parameters<typeof plainDecision>[0], 'outcome' | 'reason' | 'detail' | 'after' | 'verb'>,
    mappingRevision: string = this.#deps.world.mapping.revision,
  ): Promise<void> {
    // Every replica reads the file; the leader decides.
    if (!this.#live().isReconciling) return;
    const { owner } = this.#running;
    const subject = `config/${owner}`;
    const decision = plainDecision(
      { resource: { kind: 'config', name: owner }, subject, cause: this.#cause(), ...facts },
      { ...stampOf(this.#deps), mappingRevision },
    );
    await this.#deps.journal.settle(subject, [decision]);
    this.#deps.onSettled();
  }

  #cause() {
    return { kind: 'config' as const, receivedAt: new Date(this.#deps.clock.now()).toISOString() };
  }
}
