import type { AgendaEntry } from './agenda-entry.js';
import { Line } from './line.js';

/** Whose turn an entry waits for. */
export interface Party {
  readonly provider: string;
  readonly client: string;
}

/** Whether the identity provider is known to have the client. */
export type IsKnown = (client: Party) => boolean;

/**
 * Parties that had no turn since nothing waited, those that had one, and clients that the provider does not know. Each kind
 * has every third turn: neither many new IDs nor many repeated events hold back the others.
 */
type Kind = 'first' | 'again' | 'unknown';

/** The entries of one party, oldest first. */
interface Flow extends Party {
  kind: Kind;
  readonly entries: Line<AgendaEntry>;
}

/** After so many parties had a turn, all count as new again. This bounds the memory. */
const MAX_SERVED = 20_000;

/**
 * The entries that wait, in turns: one of each provider, within that of each kind of party, and within that of each party.
 * So an entry waits for one turn of each other party, and not for all that another party has. An entry of several parties
 * goes with the one whose turn comes first.
 */
export class Turns {
  readonly #isKnown: IsKnown;
  readonly #waiting = new Line<AgendaEntry>();
  readonly #flowsOf = new Map<AgendaEntry, Set<Flow>>();
  /** By provider, kind and party. At each level the first one has the next turn. */
  readonly #providers = new Map<string, Map<Kind, Line<Flow>>>();
  readonly #flows = new Map<string, Flow>();
  readonly #served = new Set<string>();

  constructor(isKnown: IsKnown) {
    this.#isKnown = isKnown;
  }

  has(entry: AgendaEntry): boolean {
    return this.#flowsOf.has(entry);
  }

  get oldest(): AgendaEntry | undefined {
    return this.#waiting.first;
  }

  /** An entry that waits already counts as the youngest, but keeps its place with the parties for which it waits. */
  put(entry: AgendaEntry): void {
    const flows = this.#flowsOf.get(entry) ?? new Set();
    this.#flowsOf.set(entry, flows);
    this.#waiting.delete(entry);
    this.#waiting.add(entry);
    for (const party of partiesOf(entry)) {
      const flow = this.#flows.get(textOf(party)) ?? this.#begin(party, entry);
      flow.entries.add(entry);
      flows.add(flow);
    }
  }

  delete(entry: AgendaEntry): void {
    for (const flow of this.#flowsOf.get(entry) ?? []) {
      flow.entries.delete(entry);
      if (flow.entries.size > 0) continue;
      this.#leave(flow);
      this.#flows.delete(textOf(flow));
    }
    this.#flowsOf.delete(entry);
    this.#waiting.delete(entry);
    if (this.#flowsOf.size === 0) this.#served.clear();
  }

  /** Takes out the entry whose turn it is. */
  take(): AgendaEntry | undefined {
    for (const [provider, kinds] of this.#providers)
      for (const [kind, { first: flow }] of kinds) {
        const entry = flow?.entries.first;
        if (flow === undefined || entry === undefined) continue;
        toEnd(this.#providers, provider);
        toEnd(kinds, kind);
        this.#leave(flow);
        if (flow.kind === 'first') flow.kind = 'again';
        this.#join(flow);
        if (this.#served.size >= MAX_SERVED) this.#served.clear();
        this.#served.add(textOf(flow));
        this.delete(entry);
        return entry;
      }
    return undefined;
  }

  #begin(party: Party, { key }: AgendaEntry): Flow {
    const isUnknown = key.kind === 'client' && key.by === 'clientId' && !this.#isKnown(party);
    const text = textOf(party);
    const kind = isUnknown ? 'unknown' : this.#served.has(text) ? 'again' : 'first';
    const flow: Flow = { ...party, kind, entries: new Line() };
    this.#flows.set(text, flow);
    this.#join(flow);
    return flow;
  }

  #join(flow: Flow): void {
    const kinds = this.#providers.get(flow.provider) ?? new Map<Kind, Line<Flow>>();
    const ring = kinds.get(flow.kind) ?? new Line<Flow>();
    ring.add(flow);
    this.#providers.set(flow.provider, kinds.set(flow.kind, ring));
  }

  #leave(flow: Flow): void {
    const kinds = this.#providers.get(flow.provider);
    const ring = kinds?.get(flow.kind);
    ring?.delete(flow);
    if (ring?.size === 0) kinds?.delete(flow.kind);
    if (kinds?.size === 0) this.#providers.delete(flow.provider);
  }
}

/** The clients that caused the triggers of a destination; every other key is a party of its own. */
function partiesOf({ key, text, triggers }: AgendaEntry): readonly Party[] {
  if (key.kind === 'client') return [{ provider: key.provider, client: key.value }];
  if (key.kind !== 'destination') return [{ provider: key.name, client: text }];
  const parties = triggers.map(({ client }) =>
    client === undefined ? NOBODY : { provider: client.provider, client: client.clientId },
  );
  return parties.length === 0 ? [NOBODY] : parties;
}

/** What no client caused, such as drift. */
const NOBODY: Party = { provider: '', client: '' };

function textOf({ provider, client }: Party): string {
  return `${provider}\n${client}`;
}

function toEnd<K, V>(map: Map<K, V>, key: K): void {
  const value = map.get(key);
  if (value === undefined) return;
  map.delete(key);
  map.set(key, value);
}
