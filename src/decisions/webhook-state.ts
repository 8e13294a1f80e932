import { z } from 'zod';
import { SyncError } from '../errors.js';
import type { KeyValueStore } from '../queue/key-value-store.js';

/** The event that the receiver has not taken yet. */
export const FAILING_EVENT = z.object({
  id: z.string(),
  type: z.string(),
  /** ISO 8601: of the first failed attempt. */
  since: z.string(),
  attempts: z.int(),
  /** How often in a row the receiver answered and did not accept the event. */
  refusals: z.int().default(0),
  error: z.string(),
});

const STATE = z.object({
  /** ISO 8601: since when the receiver wants no more. */
  disabledAt: z.string().optional(),
  /** The event that the receiver has not taken yet. All later ones wait. */
  failing: FAILING_EVENT.optional(),
  /** An event was given up, and the receiver has taken none since. */
  hasGivenUp: z.literal(true).optional(),
  deadLetters: z.int().default(0),
  /** What a person asked for and is not done yet. */
  asked: z
    .object({
      /** Send the failing event now. */
      retry: z.literal(true).optional(),
      /** Go on without the failing event, if it is this one. */
      drop: z.string().optional(),
      /** Dead letters to send again. */
      ids: z.array(z.string()).default([]),
    })
    .optional(),
});
export type WebhookState = z.infer<typeof STATE>;

const DEAD_LETTER = z.object({
  id: z.string(),
  type: z.string(),
  /** ISO 8601: when it was given up. */
  at: z.string(),
  attempts: z.int(),
  error: z.string(),
  /** The CloudEvent as JSON. */
  event: z.string(),
});
const DEAD_LETTERS = z.array(DEAD_LETTER);
/** Without the events. */
export const LISTED_LETTERS = z.array(DEAD_LETTER.omit({ event: true }));
/** In the list of dead letters: they cannot be read. */
const UNREADABLE = 'null';
/** An event that was given up. */
export type DeadLetter = z.infer<typeof DEAD_LETTER>;

/** Of one webhook; and the longest text of their events together. */
export const MAX_DEAD_LETTERS = 100;
const MAX_DEAD_CHARACTERS = 1024 * 1024;
const MAX_TRIES = 100;

/**
 * What the store keeps of one webhook: how far it came, its failures, its dead letters. The process that delivers and those
 * that serve the API may change it at the same time. Throws SyncError ERR_QUEUE_UNREACHABLE.
 */
export class WebhookStore {
  readonly #keyValues: KeyValueStore;
  readonly #prefix: string;

  constructor(keyValues: KeyValueStore, name: string) {
    this.#keyValues = keyValues;
    this.#prefix = `webhook/${name}`;
  }

  /** Behind the last event that was delivered or given up; undefined for a new webhook. */
  position(): Promise<string | undefined> {
    return this.#keyValues.get(`${this.#prefix}/position`);
  }

  async reached(position: string): Promise<void> {
    await this.#keyValues.set(`${this.#prefix}/position`, position);
  }

  async state(): Promise<WebhookState> {
    return parseState(await this.#keyValues.get(`${this.#prefix}/state`));
  }

  /** Nothing is written if `change` gives back what it got. Resolves with the new state. */
  async update(change: (state: WebhookState) => WebhookState): Promise<WebhookState> {
    return this.#change('state', parseState, change);
  }

  /** Corrects the number of dead letters in the state, and their list. */
  async count(): Promise<WebhookState> {
    await this.#changeText('dead-list', async () =>
      toList(await this.#keyValues.get(`${this.#prefix}/dead`)),
    );
    const { length } = await this.listedLetters();
    return this.update((state) => (state.deadLetters === length ? state : { ...state, deadLetters: length }));
  }

  async deadLetters(): Promise<readonly DeadLetter[]> {
    return parseDeadLetters(await this.#keyValues.get(`${this.#prefix}/dead`));
  }

  /** The dead letters without their events, which can be one megabyte. For frequent reads. */
  async listedLetters(): Promise<readonly Omit<DeadLetter, 'event'>[]> {
    return LISTED_LETTERS.parse(JSON.parse((await this.#keyValues.get(`${this.#prefix}/dead-list`)) ?? '[]'));
  }

  /** False if there is no room for it. One that is there already stays. */
  async bury(letter: DeadLetter): Promise<boolean> {
    const letters = await this.#changeDead((known) => {
      if (known.some(({ id }) => id === letter.id)) return known;
      const size = known.reduce((sum, { event }) => sum + event.length, letter.event.length);
      const isFull = known.length >= MAX_DEAD_LETTERS || (known.length > 0 && size > MAX_DEAD_CHARACTERS);
      return isFull ? known : [...known, letter];
    });
    return letters.some(({ id }) => id === letter.id);
  }

  /** Takes a dead letter out of the list; false if it is not in it. */
  async forget(id: string): Promise<boolean> {
    let isFound = false;
    await this.#changeDead((known) => {
      const left = known.filter((letter) => letter.id !== id);
      isFound = left.length < known.length;
      return isFound ? left : known;
    });
    return isFound;
  }

  async #changeDead(
    change: (known: readonly DeadLetter[]) => readonly DeadLetter[],
  ): Promise<readonly DeadLetter[]> {
    const letters = await this.#change('dead', parseDeadLetters, change);
    await this.count();
    return letters;
  }

  async #change<T>(
    key: 'state' | 'dead',
    parse: (text: string | undefined) => T,
    change: (value: T) => T,
  ): Promise<T> {
    const text = await this.#changeText(key, (known) => {
      const value = parse(known);
      const next = change(value);
      return next === value ? known : JSON.stringify(next);
    });
    return parse(text);
  }

  /** In one step. `change` may be called again, and nothing is written if it gives back what it got. */
  async #changeText(
    key: 'state' | 'dead' | 'dead-list',
    change: (text: string | undefined) => string | undefined | Promise<string | undefined>,
  ): Promise<string | undefined> {
    const name = `${this.#prefix}/${key}`;
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const known = await this.#keyValues.get(name);
      const next = await change(known);
      if (next === known || next === undefined) return known;
      if (await this.#keyValues.replace(name, known, next)) return next;
    }
    const message = 'the state of a webhook changes all the time; try again';
    throw new SyncError('ERR_QUEUE_UNREACHABLE', message, { retriable: true });
  }
}

function toList(dead: string | undefined): string {
  try {
    return JSON.stringify(parseDeadLetters(dead).map(({ event: _, ...letter }) => letter));
  } catch {
    return UNREADABLE;
  }
}

function parseState(text: string | undefined): WebhookState {
  return STATE.parse(text === undefined ? {} : JSON.parse(text));
}

function parseDeadLetters(text: string | undefined): readonly DeadLetter[] {
  return DEAD_LETTERS.parse(text === undefined ? [] : JSON.parse(text));
}
