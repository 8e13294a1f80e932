import { causeOf } from '../apply/decision-drafts.js';
import type { Clock } from '../clock.js';
import type { OAuthClient } from '../model/client.js';
import type { ServiceName } from '../model/intention.js';
import { clientKey } from '../model/key.js';
import type { Evidence, Job, Trigger } from '../model/trigger.js';
import { withoutSettledRechecks } from '../plan/client-job.js';
import { evidenceOf, withClientId } from '../plan/evidence.js';
import { type ClientId, clientText } from '../plan/world.js';
import { NOTHING_TOUCHED, type Touched } from '../state/touched.js';
import type { WorldState } from '../state/world-state.js';
import { fanOut } from './fan-out.js';

/** What one run of a client's job finds out, and the triggers for the keys that the client reaches, or reached. */
export class ClientReach {
  /** The client when the run began. */
  readonly known: OAuthClient | undefined;
  readonly #id: ClientId;
  readonly #job: Job;
  readonly #deps: { readonly world: WorldState; readonly clock: Pick<Clock, 'now'> };
  readonly #before: readonly ServiceName[];
  #touched: Touched | undefined;

  constructor(
    id: ClientId,
    job: Job,
    deps: { readonly world: WorldState; readonly clock: Pick<Clock, 'now'> },
  ) {
    this.#id = id;
    this.#job = job;
    this.#deps = deps;
    this.known = deps.world.client(id);
    this.#before = this.#destinations();
  }

  noteRead(touched: Touched): void {
    this.#touched = touched;
  }

  get isRead(): boolean {
    return this.#touched !== undefined;
  }

  get loses(): boolean {
    return this.#touched?.losing.has(clientText(this.#id)) ?? false;
  }

  /** The job as far as it matters by now. */
  get job(): Job {
    return withoutSettledRechecks(this.#job, this.known, this.#deps.world.client(this.#id));
  }

  /** Soon after a start an event names a client by its internal ID alone, and only this read shows whose that is. */
  evidenceOf(job: Job): readonly Evidence[] {
    return withClientId(evidenceOf(job), this.#id, this.known ?? this.#deps.world.client(this.#id));
  }

  /** For a client that an order closes. */
  closing(): readonly Trigger[] {
    return fanOut(this.#before, this.#job, [], true, this.#id, true);
  }

  destinations(): readonly Trigger[] {
    const { job } = this;
    // A recheck comes long after the event. It is urgent only if it finds a loss.
    const urgent = job.triggers.some((trigger) => trigger.urgent && !trigger.isRecheck) || this.loses;
    const all = [...this.#before, ...this.#destinations()];
    return fanOut(all, job, this.evidenceOf(job), urgent, this.#id, this.loses);
  }

  /** The other clients that name a service which this client names, or named before. */
  otherClients(): readonly Trigger[] {
    const cause = { ...causeOf(this.#job), kind: 'full-read' as const };
    const { clients } = this.#touched ?? NOTHING_TOUCHED;
    return clients
      .filter((each) => clientText(each) !== clientText(this.#id))
      .map((each) => ({ key: clientKey(each.provider, each.clientId), cause }));
  }

  #destinations(): readonly ServiceName[] {
    return this.#deps.world.destinationsOf(this.#id, this.#deps.clock.now());
  }
}
