import { inspect } from 'node:util';

const MASK = '[secret]';

/**
 * A value that must never be printed, logged or serialised. Only `reveal()` returns the text, so a search for it finds
 * every use of a secret.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  get isEmpty(): boolean {
    return this.#value.length === 0;
  }

  /**
   * Whether a text shows it: whole, or a piece of it, or its bytes in base64 or hexadecimal. For texts of other servers,
   * which may repeat what they were sent.
   */
  isShownIn(text: string): boolean {
    const bytes = Buffer.from(this.#value);
    const spellings = [this.#value, encodeURIComponent(this.#value), bytes.toString('hex')];
    // In base64 the characters depend on where among three bytes the secret begins.
    for (const offset of [0, 1, 2]) {
      const moved = Buffer.concat([Buffer.alloc(offset), bytes]);
      const own = moved.subarray(0, moved.length - (moved.length % 3)).toString('base64');
      const spelt = own.slice(offset === 0 ? 0 : 4);
      spellings.push(spelt, spelt.replaceAll('+', '-').replaceAll('/', '_'));
    }
    return spellings.some((spelling) => piecesOf(spelling).some((piece) => text.includes(piece)));
  }

  toString(): string {
    return MASK;
  }

  toJSON(): string {
    return MASK;
  }

  [inspect.custom](): string {
    return MASK;
  }
}

/** Short pieces occur by chance. */
const PIECE = 8;

function piecesOf(text: string): readonly string[] {
  if (text.length <= PIECE) return text === '' ? [] : [text];
  return Array.from({ length: text.length - PIECE + 1 }, (_, at) => text.slice(at, at + PIECE));
}
