import { holdTriggers } from '../apply/record-holds.js';
import { isoInstant } from '../clock.js';
import { type Replicas, readFormer, writeInForce } from '../lease/mapping-in-force.js';
import type { OwnMapping } from '../model/replica.js';
import { policyOf } from '../plan/mode.js';
import type { ReconcilerDeps } from '../reconcile/deps.js';

interface MappingAgreementParts {
  readonly deps: Pick<ReconcilerDeps, 'world' | 'clock' | 'logger' | 'queue' | 'journal' | 'keyValues'>;
  readonly roster: Replicas['roster'];
  /** As this replica shows itself. */
  readonly own: () => OwnMapping;
  readonly name: string;
}

/** The mapping of one term, beside the mappings of the last leader and of the other replicas. */
export class MappingAgreement {
  readonly #parts: MappingAgreementParts;
  /** The mapping that was in doubt at the beginning. */
  #doubted: string | undefined;

  constructor(parts: MappingAgreementParts) {
    this.#parts = parts;
  }

  /** Before the first job of the term. */
  async begin(): Promise<void> {
    const { deps, name, own } = this.#parts;
    const former = await readFormer(name, own(), { ...this.#parts, keyValues: deps.keyValues });
    if (former === undefined) return;
    deps.world.mappingDoubt.former = former;
    this.#doubted = own().revision;
    deps.logger.warn(
      { mapping: this.#doubted, former: former.revision },
      'this replica leads with another mapping than the last leader; what it would open is held until the files of all replicas agree or a person approves',
    );
  }

  /** Ends the doubt if the files agree, or a person gave this leader another file. Without doubt, the mapping is in force. */
  async follow(): Promise<void> {
    const { deps, name, own } = this.#parts;
    const { world, clock, queue } = deps;
    if (!policyOf(own()).writes) return;
    const wasInDoubt = world.mappingDoubt.former !== undefined;
    if (wasInDoubt && own().revision === this.#doubted) {
      if (await readFormer(name, own(), { ...this.#parts, keyValues: deps.keyValues })) return;
    }
    await writeInForce({ ...own(), seenAt: isoInstant(clock) }, deps.keyValues);
    if (!wasInDoubt) return;
    world.mappingDoubt.former = undefined;
    deps.logger.info({ mapping: own().revision }, 'the mapping of this leader is no longer in doubt');
    await queue.add(await holdTriggers({ kind: 'config', receivedAt: isoInstant(clock) }, deps));
  }

  /** A complete comparison ended. Before the first one, nothing shows what changed since the takeover. */
  compared(): void {
    const { world, clock } = this.#parts.deps;
    if (world.mapping.providers.every(world.hasDirectory))
      world.mappingDoubt.comparedAt ??= isoInstant(clock);
  }

  /** At a clean stop: a replica with a newer mapping may take its place. */
  async leave(): Promise<void> {
    const { deps, own } = this.#parts;
    if (deps.world.mappingDoubt.former !== undefined || !policyOf(own()).writes) return;
    await writeInForce({ ...own(), seenAt: own().readAt }, deps.keyValues);
  }
}
